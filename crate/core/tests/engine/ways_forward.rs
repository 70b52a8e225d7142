//! Messages that are forwarded to the accounts of users elsewhere who have asked for it.

use muc_cloud_notify_core::{Options, RequestError};
use muc_cloud_notify_testing::driver::{Forwarding, Handling, Outcome, Publish, Scope, Way};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};
use muc_cloud_notify_testing::service::{ALL, Service};

const NOTHING: (usize, usize, usize) = (0, 0, 0);

fn with_options(options: Options) -> Service {
    let mut service = Service::new(options);
    service.set_members_with_forwarding(ORCHARD, &[(JULIET, Forwarding::Asked)]);
    service.set_occupants(ORCHARD, []);
    service.set_members_with_forwarding(HALL, &[(JULIET, Forwarding::Unset)]);
    service.set_occupants(HALL, []);
    service
}

fn juliet() -> Service {
    with_options(Options::default())
}

fn forwarded(service: &mut Service) -> Publish {
    let push = service.push();
    assert_eq!((&*push.user, push.way, push.app_server.as_str()), (JULIET, Some(Way::Forward), JULIET));
    push
}

fn forward(service: &mut Service) -> Publish {
    let push = forwarded(service);
    service.handed_over(&push.id);
    push
}

/// How many are forwarded to, are users with a device, and have one.
fn counts(service: &Service) -> (usize, usize, usize) {
    let stats = service.stats();
    (stats.forwarded, stats.users, stats.devices)
}

#[test]
fn who_has_asked_is_told_of_that_room_and_of_no_other() {
    let mut service = juliet();
    assert_eq!((service.say(HALL, "not asked for"), service.say(ORCHARD, "asked for")), (0, 1));
    let push = forwarded(&mut service);
    assert_eq!(
        service.words(&push.id),
        Some((Some("orchard@conference.example/Romeo"), Some("asked for"), false))
    );
    service.handed_over(&push.id);
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(counts(&service), (1, 0, 0));
}

#[test]
fn who_has_not_asked_or_refuses_is_nobody() {
    for forwarding in [Forwarding::Unset, Forwarding::Refused] {
        let mut service = Service::new(Options::default());
        service.set_members_with_forwarding(ORCHARD, &[(JULIET, forwarding)]);
        service.set_occupants(ORCHARD, []);
        service.set_forwarding(ORCHARD, NURSE, forwarding);
        assert_eq!((counts(&service), service.say(ORCHARD, "But soft!")), (NOTHING, 0));
    }
}

#[test]
fn it_can_be_asked_for_and_ended_at_any_time() {
    let mut service = Service::new(Options::default());
    service.read(ORCHARD, &[], &[]);
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "1");
    for ended in [Forwarding::Unset, Forwarding::Refused] {
        service.set_forwarding(ORCHARD, JULIET, ended);
        assert_eq!(counts(&service), NOTHING, "nothing is left of her");
        service.assert_quiet("it is not wanted any more");
        service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
        service.set_occupants(ORCHARD, []);
        service.say(ORCHARD, "again");
    }
    assert_eq!(forward(&mut service).count(), 1);
}

#[test]
fn it_ends_with_the_last_room_it_was_asked_for_in() {
    let end: [fn(&mut Service); 4] = [
        |service| service.affiliation_changed(HALL, JULIET, false, None),
        |service| service.set_members(HALL, []),
        |service| service.room_destroyed(HALL),
        |service| service.set_forwarding(HALL, JULIET, Forwarding::Unset),
    ];
    for (number, end) in end.into_iter().enumerate() {
        let mut service = juliet();
        service.set_forwarding(HALL, JULIET, Forwarding::Asked);
        service.say(HALL, "But soft!");
        end(&mut service);
        while service.spread() {}
        service.assert_quiet("nothing of that room is hers");
        assert_eq!(counts(&service), (1, 0, 0), "{number}: the other room is left");
        service.affiliation_changed(ORCHARD, JULIET, false, None);
        assert_eq!(counts(&service), NOTHING, "{number}");
    }
}

#[test]
fn to_read_a_room_again_changes_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    for _ in 0..3 {
        service.forget_room(ORCHARD);
        service.set_members_with_forwarding(ORCHARD, &[(JULIET, Forwarding::Asked)]);
        service.set_occupants(ORCHARD, []);
    }
    assert_eq!(forward(&mut service).count(), 1);
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    assert_eq!(counts(&service), NOTHING);
}

#[test]
fn twenty_seconds_are_between_two() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    forward(&mut service);
    service.mention(ORCHARD, JULIET, "2");
    service.wait(19.0);
    service.assert_quiet("one was forwarded just now");
    service.wait(1.1);
    assert!(forward(&mut service).mentioned);
}

#[test]
fn what_her_server_answers_proves_nothing() {
    let mut service = juliet();
    for outcome in [Outcome::Rejected, Outcome::Transient, Outcome::Rejected] {
        for _ in 0..30 {
            service.say(ORCHARD, "But soft!");
            let push = forward(&mut service);
            assert_eq!(service.handle_reply(&push.id, JULIET, outcome), Handling::Unknown);
            service.wait(20.0);
        }
    }
    assert_eq!(counts(&service), (1, 0, 0));
}

#[test]
fn an_answer_says_that_it_has_arrived() {
    let mut service = juliet();
    for outcome in [Outcome::Rejected, Outcome::Transient, Outcome::Delivered] {
        service.say(ORCHARD, "But soft!");
        let push = forwarded(&mut service);
        assert_eq!(service.stats().in_flight, 1, "it has not come back");
        assert_ne!(service.handle_reply(&push.id, JULIET, outcome), Handling::Unknown);
        assert_eq!(service.stats().in_flight, 0);
        service.wait(20.0);
        service.assert_quiet("it has arrived");
    }
}

#[test]
fn what_has_not_left_is_forwarded_once_the_domain_is_there_again() {
    let mut service = juliet();
    service.say(ORCHARD, "But soft!");
    let push = forwarded(&mut service);
    service.handle_reply(&push.id, JULIET, Outcome::Rejected);
    service.wait(20.0);
    service.say(ORCHARD, "what light?");
    for _ in 0..2000 {
        for push in service.pushes() {
            service.handle_reply(&push.id, JULIET, Outcome::Silent);
        }
        service.wait(10.0);
    }
    service.link_restored("capulet.example");
    let push = service.pushes().pop().expect("it is tried again at once");
    assert_eq!(service.words(&push.id).and_then(|(_, body, _)| body), Some("what light?"));
}

/// Nobody need connect for that: what waits asks for itself, as it does for app servers.
#[test]
fn a_domain_that_has_taken_messages_is_probed_however_long_it_is_away() {
    for is_answered in [true, false] {
        let mut service = juliet();
        for seconds in [200.0, 20.0] {
            service.say(ORCHARD, "But soft!");
            let push = forwarded(&mut service);
            if is_answered {
                service.handle_reply(&push.id, JULIET, Outcome::Rejected);
            } else {
                service.handed_over(&push.id);
            }
            service.wait(seconds);
        }
        let (mut longest, mut since, mut now) = (0.0_f64, 0.0_f64, 0.0_f64);
        for second in 0..24 * 3600 {
            if second % 1800 == 0 {
                service.say(ORCHARD, "what light?");
            }
            for push in service.pushes() {
                service.handle_reply(&push.id, JULIET, Outcome::Silent);
                (longest, since) = (longest.max(now - since), now);
            }
            service.wait(1.0);
            now += 1.0;
        }
        assert!(longest.max(now - since) <= 30.0, "{longest} s, answered: {is_answered}");
    }
}

#[test]
fn no_answer_is_fine() {
    let mut service = juliet();
    for _ in 0..50 {
        service.say(ORCHARD, "But soft!");
        forward(&mut service);
        service.wait(200.0);
        service.assert_quiet("it is done");
    }
}

#[test]
fn a_domain_that_cannot_be_reached_rests() {
    let mut service = juliet();
    let mut forwarded = 0;
    for _ in 0..100 {
        service.say(ORCHARD, "But soft!");
        for push in service.pushes() {
            service.handed_over(&push.id);
            service.handle_reply(&push.id, JULIET, Outcome::Silent);
            forwarded += 1;
        }
        service.wait(20.0);
    }
    assert!((5..40).contains(&forwarded), "{forwarded}");
    assert_eq!(counts(&service), (1, 0, 0), "it is never given up");
    service.wait(3600.0);
    let push = service.pushes().pop().expect("it is tried again");
    service.handed_over(&push.id);
    service.handle_reply(&push.id, JULIET, Outcome::Rejected);
    service.wait(20.0);
    service.say(ORCHARD, "her domain is there");
    forward(&mut service);
}

/// One account is enough to have an answer of its server, which says nothing about app servers there.
#[test]
fn that_messages_arrive_opens_no_window_for_app_servers_of_the_domain() {
    for has_answered in [false, true] {
        let mut service = juliet();
        for _ in 0..10 {
            service.say(ORCHARD, "But soft!");
            let push = forwarded(&mut service);
            let outcome = if has_answered { Outcome::Rejected } else { Outcome::Silent };
            assert_eq!(service.handle_reply(&push.id, JULIET, outcome), Handling::Taken);
            service.wait(3600.0);
            service.pushes().iter().for_each(|push| service.handed_over(&push.id));
            service.wait(20.0);
        }
        let guests: Vec<String> = (0..100).map(|guest| format!("guest{guest}@verona.example")).collect();
        for (place, guest) in guests.iter().enumerate() {
            service.enable_at(guest, &format!("node{place}@capulet.example"), "phone");
        }
        let members: Vec<&str> = guests.iter().map(String::as_str).collect();
        service.read(ORCHARD, &members, &[]);
        service.say(ORCHARD, "It is the east");
        let pushes = service.pushes();
        let to_app_servers = pushes.iter().filter(|push| push.way.is_none()).count();
        assert_eq!(to_app_servers, 10, "it has answered: {has_answered}");
    }
}

#[test]
fn a_domain_that_cannot_be_reached_at_once_is_told_later() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = forwarded(&mut service);
    assert_eq!(service.handle_reply(&push.id, JULIET, Outcome::Silent), Handling::Taken);
    service.handed_over(&push.id);
    service.assert_quiet("it rests");
    service.wait(3600.0);
    assert_eq!(forward(&mut service).count(), 1);
}

#[test]
fn who_cannot_be_reached_for_weeks_is_asked_now_and_then_and_never_given_up() {
    let options = Options { time_to_live: 1e9, max_errors: 1, give_up_after: 10.0, ..Options::default() };
    let mut service = with_options(options);
    service.set_forwarding(ORCHARD, NURSE, Forwarding::Asked);
    service.set_occupants(ORCHARD, []);
    let mut asked = 0;
    for tick in 0..10 * 180 {
        // Her domain takes what goes to others also after the first time that nobody could reach her.
        if tick % 180 == 0 || tick == 1 {
            service.say(ORCHARD, "But soft!");
        }
        for push in service.pushes() {
            let is_juliet = push.user == JULIET;
            asked += usize::from(is_juliet);
            // Others of her domain can be.
            let outcome = if is_juliet { Outcome::Silent } else { Outcome::Rejected };
            assert_eq!(service.handle_reply(&push.id, push.app_server.as_str(), outcome), Handling::Taken);
        }
        service.wait(20.0);
    }
    assert!((10..100).contains(&asked), "{asked} times in ten hours");
    assert_eq!(counts(&service), (2, 0, 0));
}

#[test]
fn one_user_after_the_other_is_no_stranger_to_their_domain() {
    let mut service = Service::new(Options::default());
    let users: Vec<String> = (0..200).map(|number| format!("user{number}@capulet.example")).collect();
    let members: Vec<_> = users.iter().map(|user| (&**user, Forwarding::Asked)).collect();
    service.set_members_with_forwarding(ORCHARD, &members);
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "But soft!");
    let first = service.pushes();
    assert_eq!(first.len(), 10, "it is not known whether anybody is there");
    for push in first {
        service.handed_over(&push.id);
        service.handle_reply(&push.id, push.app_server.as_str(), Outcome::Rejected);
    }
    let mut told = 10;
    for _ in 0..20 {
        for push in service.pushes() {
            told += 1;
            service.handed_over(&push.id);
            service.handle_reply(&push.id, push.app_server.as_str(), Outcome::Rejected);
        }
    }
    assert_eq!(told, 200);
}

#[test]
fn a_registered_device_takes_its_place_and_the_users_rooms_have_to_be_found() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    assert!(service.enable(JULIET, "phone"), "of rooms where she has not asked nothing is known");
    let push = service.push();
    assert_eq!((push.way, push.count(), counts(&service)), (None, 1, (0, 1, 1)));
    service.reply(&push, Outcome::Delivered);
    assert_eq!(service.say(HALL, "of all rooms"), 1);
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    service.disable(JULIET, None);
    assert_eq!((service.say(HALL, "not asked for"), service.say(ORCHARD, "asked for")), (0, 1));
    assert_eq!(service.push().way, Some(Way::Forward));
}

#[test]
fn it_ends_while_there_is_a_device() {
    let mut service = juliet();
    service.enable(JULIET, "phone");
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Refused);
    service.disable(JULIET, None);
    assert_eq!(counts(&service), NOTHING);
}

#[test]
fn a_domain_has_its_share_of_users() {
    let mut service = Service::new(Options { max_users_per_domain: 2, ..Options::default() });
    service.read(ORCHARD, &[], &[]);
    for (number, user) in [JULIET, NURSE, "paris@capulet.example", ROMEO].into_iter().enumerate() {
        let full = (number == 2).then_some(RequestError::TooManyUsersOfDomain);
        assert_eq!(service.admit_forwarding(user).err(), full);
        service.set_forwarding(ORCHARD, user, Forwarding::Asked);
        assert_eq!(service.is_registered(user), full.is_none(), "{user}");
    }
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Unset);
    assert_eq!(service.admit_forwarding("paris@capulet.example"), Ok(()), "there is room again");
    service.set_forwarding(ORCHARD, NURSE, Forwarding::Asked);
    assert_eq!(service.admit_forwarding(NURSE), Ok(()), "who is there is no other one");
}

/// All that is in the memory is lost. Nobody but the journal says who has asked.
fn killed(service: &Journaled, forwarding: Forwarding) -> Journaled {
    let mut killed = service.killed();
    for room in killed.awaited_rooms() {
        killed.set_members_with_forwarding(&room, &[(JULIET, forwarding)]);
        killed.set_occupants(&room, []);
    }
    killed
}

#[test]
fn a_kill_loses_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.handed_over(&push.id);
    service.mention(ORCHARD, JULIET, "2");
    service.write_all();
    let mut again = killed(&service, Forwarding::Asked);
    let push = again.push_written();
    assert_eq!((push.way, push.count(), push.mentioned), (Some(Way::Forward), 2, true));
    again.compact_when_written();
    assert_eq!(killed(&again, Forwarding::Asked).push_written().count(), 2, "by a snapshot");
    for ended in [Forwarding::Unset, Forwarding::Refused] {
        let mut killed = killed(&service, ended);
        killed.write_all();
        killed.assert_quiet("it is not wanted any more");
        assert_eq!(counts(&killed), NOTHING);
    }
}

#[test]
fn a_room_that_is_gone_after_a_kill_leaves_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    service.write_all();
    let mut killed = service.killed();
    assert_eq!(counts(&killed), (1, 0, 0));
    killed.room_destroyed(ORCHARD);
    while killed.spread() {}
    assert_eq!(counts(&killed), NOTHING);
}

#[test]
fn in_a_large_room_who_has_asked_leaves_nothing_either() {
    let mut service = Service::new(Options { members_at_once: 3, ..Options::default() });
    let users: Vec<String> = (0..20).map(|number| format!("user{number}@capulet.example")).collect();
    let members: Vec<_> = users.iter().map(|user| (&**user, Forwarding::Asked)).collect();
    service.set_members_with_forwarding(ORCHARD, &members);
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "But soft!");
    service.set_forwarding(ORCHARD, &users[0], Forwarding::Unset);
    service.room_destroyed(ORCHARD);
    while service.spread() {}
    assert_eq!(counts(&service), NOTHING);
    assert!(service.take_pushes(ALL, Scope::AllRooms).is_empty());
}
