//! The domain of an account elsewhere: what it answers, where it cannot be reached, and how many of its users are told.

use muc_cloud_notify_core::{Options, RequestError};
use muc_cloud_notify_testing::driver::{Forwarding, Handling, Outcome};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD, ROMEO};
use muc_cloud_notify_testing::service::Service;

use super::{counts, forward, forwarded, juliet, with_options};

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
        for second in (0..24 * 3600).step_by(5) {
            if second % 1800 == 0 {
                service.say(ORCHARD, "what light?");
            }
            for push in service.pushes() {
                service.handle_reply(&push.id, JULIET, Outcome::Silent);
                (longest, since) = (longest.max(now - since), now);
            }
            service.wait(5.0);
            now += 5.0;
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
