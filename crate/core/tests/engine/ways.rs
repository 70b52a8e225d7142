//! Accounts of this server whose devices are registered there: a way to reach members who have registered none here.

use muc_cloud_notify_core::{Options, RequestError};
use muc_cloud_notify_testing::driver::{Forwarding, Handling, Outcome, Publish, Way};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PUBLIC, ROMEO};
use muc_cloud_notify_testing::service::{ALL, Service};
use muc_cloud_notify_testing::stanza::mention_of;

fn with_account(options: Options) -> Service {
    let mut service = Service::new(options);
    assert!(service.set_account(JULIET, true));
    service.read(ORCHARD, &[JULIET], &[]);
    service.read(HALL, &[JULIET], &[]);
    service
}

fn juliet() -> Service {
    with_account(Options::default())
}

/// The one push that leaves now, by the account.
fn handed(service: &mut Service) -> Publish {
    let push = service.push();
    assert_eq!((&*push.user, push.way, push.app_server.as_str()), (JULIET, Some(Way::Account), ""));
    push
}

fn hand_over(service: &mut Service) -> Publish {
    let push = handed(service);
    service.handed_over(&push.id);
    push
}

#[test]
fn a_member_is_told_by_the_account_and_nobody_answers() {
    let mut service = juliet();
    assert_eq!(service.say(ORCHARD, "But soft!"), 1);
    let push = handed(&mut service);
    assert_eq!(
        service.words(&push.id),
        Some((Some("orchard@conference.example/Romeo"), Some("But soft!"), false))
    );
    assert_eq!(service.room_told(&push.id), Some(ORCHARD));
    service.handed_over(&push.id);
    assert_eq!(service.words(&push.id), None);
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(service.handle_reply(&push.id, "", Outcome::Rejected), Handling::Unknown, "it is done");
}

#[test]
fn whose_account_has_no_devices_is_told_nothing() {
    let mut service = juliet();
    assert!(!service.set_account(NURSE, false));
    assert!(!service.is_registered(NURSE));
    assert!(!service.set_account(JULIET, false));
    assert!(!service.is_registered(JULIET));
    assert_eq!(service.say(ORCHARD, "But soft!"), 0);
    service.assert_quiet("nobody is to be told");
}

#[test]
fn the_rules_are_those_of_any_device() {
    let mut service = juliet();
    service.say_as(ORCHARD, Some(JULIET), "it is her own");
    service.broadcast(ORCHARD, Some(ROMEO), PUBLIC, "<body>she is not mentioned</body>");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "she is there");
    service.assert_quiet("none of that is hers");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.broadcast(ORCHARD, Some(ROMEO), PUBLIC, &format!("<body>Juliet!</body>{}", mention_of(JULIET)));
    assert!(hand_over(&mut service).mentioned);
    service.affiliation_changed(HALL, JULIET, false, None);
    service.wait(30.0);
    service.say(HALL, "she is no member");
    service.assert_quiet("she is no member");
}

#[test]
fn who_is_back_is_not_told() {
    let mut service = juliet();
    service.say(ORCHARD, "But soft!");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.assert_quiet("she has read it");
}

#[test]
fn who_has_refused_is_not_told_of_that_room() {
    let mut service = juliet();
    service.say(ORCHARD, "before");
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Refused);
    service.assert_quiet("it is not wanted any more");
    assert_eq!((service.say(ORCHARD, "after"), service.say(HALL, "elsewhere")), (0, 1));
    assert_eq!(hand_over(&mut service).count(), 1);
    service.wait(30.0);
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Unset);
    assert_eq!(service.say(ORCHARD, "again"), 1);
    assert_eq!(hand_over(&mut service).count(), 2);
}

#[test]
fn of_rooms_that_she_refuses_nothing_is_handed_over_that_was_unread_on_a_device() {
    let mut service = Service::with_juliet(Options::default());
    service.set_account(JULIET, true);
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Refused);
    service.say(HALL, "1");
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    service.say(ORCHARD, "refused");
    service.disable(JULIET, None);
    service.assert_quiet("she does not want to hear of that");
    service.say(HALL, "2");
    assert_eq!(hand_over(&mut service).count(), 2, "nor does it count");
}

/// It costs a duplicate at worst.
#[test]
fn what_is_on_its_way_to_a_device_that_is_disabled_is_told_by_the_account() {
    let mut service = Service::with_juliet(Options::default());
    service.set_account(JULIET, true);
    service.say(ORCHARD, "1");
    let push = service.push();
    service.disable(JULIET, None);
    assert_eq!(service.reply(&push, Outcome::Silent), Handling::Unknown);
    assert_eq!(hand_over(&mut service).count(), 1);
    service.wait(30.0);
    service.assert_quiet("it was told");
}

#[test]
fn what_a_device_that_takes_its_place_is_told_is_in_the_store_before() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.handed_over(&push.id);
    service.say(ORCHARD, "2");
    service.write_all();
    service.enable(JULIET, "phone");
    service.assert_quiet("the store does not know that it is to be told there");
    assert_eq!(service.push_written().count(), 2);
    assert_eq!(service.killed_and_read(&[JULIET]).push_written().count(), 2);
}

#[test]
fn who_has_refused_is_told_through_registered_devices() {
    let mut service = juliet();
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Refused);
    service.enable(JULIET, "phone");
    service.say(ORCHARD, "But soft!");
    assert_eq!(service.push().way, None);
}

#[test]
fn twenty_seconds_are_between_two_pushes_whatever_they_are_about() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    hand_over(&mut service);
    service.say(ORCHARD, "2");
    service.mention(ORCHARD, JULIET, "3");
    service.say(HALL, "4");
    service.occupant_present(HALL, NURSE, "Nurse");
    service.assert_quiet("it was told just now");
    service.wait(19.9);
    service.assert_quiet("it was told just now");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "5");
    service.assert_quiet("whether it was read meanwhile or not");
    assert_eq!(service.next_deadline(), Some(service.now + 0.1).map(|at| (at * 10.0).round() / 10.0));
    service.wait(0.2);
    assert_eq!(hand_over(&mut service).count(), 2, "all in one");
    service.wait(20.1);
    service.assert_quiet("nothing is new");
}

#[test]
fn without_an_interval_each_is_told() {
    let mut service = with_account(Options { way_interval: 0.0, ..Options::default() });
    for count in 1..5 {
        service.say(ORCHARD, "But soft!");
        assert_eq!(hand_over(&mut service).count(), count);
    }
}

#[test]
fn what_was_not_sent_after_all_is_not_waited_for() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = handed(&mut service);
    service.withdraw(&push.id);
    service.say(ORCHARD, "2");
    assert_eq!(hand_over(&mut service).count(), 2);
}

#[test]
fn what_fails_is_done_too_and_harms_nobody() {
    let mut service = juliet();
    service.set_account(NURSE, true);
    service.read(HALL, &[JULIET, NURSE], &[]);
    for number in 0..100 {
        service.say(ORCHARD, "But soft!");
        let push = handed(&mut service);
        assert_eq!(service.handle_send_failure(&push.id), None);
        service.wait(20.0);
        assert_eq!(service.stats().in_flight, 0, "{number}");
    }
    service.say(HALL, "to both");
    assert_eq!(service.pushes().len(), 2);
}

#[test]
fn a_registered_device_takes_its_place_with_what_is_unread_and_gives_it_back() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    hand_over(&mut service);
    service.say(ORCHARD, "2");
    assert!(!service.enable(JULIET, "phone"), "her rooms are known");
    let push = service.push();
    assert_eq!((push.way, push.count()), (None, 2));
    service.reply(&push, Outcome::Delivered);
    service.say(HALL, "3");
    assert_eq!(service.push().count(), 3);
    service.wait(30.0);
    service.disable(JULIET, Some("phone"));
    assert!(service.is_registered(JULIET));
    service.say(HALL, "4");
    assert_eq!(hand_over(&mut service).count(), 4);
}

#[test]
fn it_is_of_no_interest_while_there_is_a_registered_device() {
    let mut service = Service::with_juliet(Options::default());
    assert!(!service.set_account(JULIET, true));
    service.say(ORCHARD, "1");
    let push = service.push();
    assert_eq!(push.way, None);
    service.reply(&push, Outcome::Delivered);
    service.set_account(JULIET, false);
    service.disable(JULIET, None);
    assert!(!service.is_registered(JULIET));
}

#[test]
fn a_device_that_is_given_up_leaves_what_it_had_to_the_account() {
    let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
    service.set_account(JULIET, true);
    service.say(ORCHARD, "1");
    let push = service.push();
    service.reply_disables(&push, Outcome::Rejected);
    service.say(HALL, "2");
    assert_eq!(hand_over(&mut service).count(), 2);
}

#[test]
fn a_record_that_cannot_be_read_comes_first() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    service.await_registrations(JULIET);
    service.assert_quiet("who knows");
    service.set_registrations(JULIET, Vec::new(), None);
    assert_eq!(hand_over(&mut service).count(), 1);
}

#[test]
fn a_disabled_account_is_told_later() {
    let mut service = juliet();
    service.set_suspended(JULIET, true);
    service.say(ORCHARD, "1");
    service.assert_quiet("it is disabled");
    service.enable(JULIET, "phone");
    service.assert_quiet("it is disabled still");
    service.disable(JULIET, None);
    service.assert_quiet("it is disabled still");
    service.set_suspended(JULIET, false);
    assert_eq!(hand_over(&mut service).count(), 1);
}

#[test]
fn it_counts_for_nobody_and_has_no_lease() {
    let options = Options { max_users: 1, max_users_per_domain: 1, ..Options::default() };
    let mut service = with_account(options);
    service.set_account(NURSE, true);
    let stats = service.stats();
    assert_eq!((stats.users, stats.devices, stats.accounts, stats.forwarded), (0, 0, 2, 0));
    assert!(service.aged_devices(0.0).is_empty());
    assert_eq!(service.handle_ping(JULIET), 0);
    service.enable(ROMEO, "phone");
    let full =
        service.request_enable(JULIET, &muc_cloud_notify_testing::stanza::enable_iq("push.example", "n"));
    assert_eq!(full, Err(RequestError::TooManyUsers), "a device of hers is one more");
    let stats = service.stats();
    assert_eq!((stats.users, stats.devices, stats.accounts), (1, 1, 2));
}

#[test]
fn no_domain_of_app_servers_has_anything_to_do_with_it() {
    let mut service = juliet();
    service.enable_at(NURSE, "capulet.example/push", "phone");
    service.read(HALL, &[JULIET, NURSE], &[]);
    for _ in 0..40 {
        service.say(HALL, "But soft!");
        for push in service.take_pushes(ALL, muc_cloud_notify_testing::driver::Scope::AllRooms) {
            match push.way {
                Some(_) => service.handed_over(&push.id),
                None => _ = service.reply(&push, Outcome::Silent),
            }
        }
        service.wait(20.0);
    }
    service.say(ORCHARD, "But soft!");
    hand_over(&mut service);
}

#[test]
fn of_those_who_have_not_consented_no_words_are_told() {
    let mut service = Service::new(Options::default());
    service.set_account(JULIET, true);
    service.set_members_without_consent(ORCHARD, [(JULIET, None)], [JULIET]);
    service.set_occupants(ORCHARD, []);
    assert_eq!(service.say(ORCHARD, "Buy this!"), 0);
    service.mention(ORCHARD, JULIET, "Buy this!");
    let push = handed(&mut service);
    assert_eq!(service.words(&push.id), Some((None, None, true)));
}

/// A kill, and what is known of accounts before the rest is taken up.
fn killed(service: &Journaled) -> Journaled {
    service.killed_after(|service| _ = service.set_account(JULIET, true))
}

#[test]
fn a_kill_loses_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.handed_over(&push.id);
    service.mention(ORCHARD, JULIET, "2");
    service.write_all();
    let mut killed = killed(&service);
    assert_eq!(killed.awaited_rooms(), [ORCHARD]);
    killed.assert_quiet("the room was not read");
    killed.read(ORCHARD, &[JULIET], &[]);
    let push = killed.push_written();
    assert_eq!((push.way, push.count(), push.mentioned), (Some(Way::Account), 2, true));
}

#[test]
fn what_was_handed_over_is_not_told_again() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.handed_over(&push.id);
    service.write_all();
    let mut killed = killed(&service);
    killed.read(ORCHARD, &[JULIET], &[]);
    killed.write_all();
    killed.assert_quiet("it was told");
    killed.wait(30.0);
    killed.say(ORCHARD, "2");
    assert_eq!(killed.push_written().count(), 2);
}

#[test]
fn a_kill_after_a_device_has_taken_its_place_or_left_it_loses_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    service.enable(JULIET, "phone");
    service.write_all();
    let mut first = service.killed_and_read(&[JULIET]);
    let push = first.push_written();
    assert_eq!((push.way, push.count()), (None, 1));
    first.disable(JULIET, None);
    first.set_account(JULIET, true);
    first.read(ORCHARD, &[JULIET], &[]);
    first.say(ORCHARD, "2");
    first.write_all();
    let mut second = killed(&first);
    second.read(ORCHARD, &[JULIET], &[]);
    let push = second.push_written();
    assert_eq!(
        (push.way, push.count()),
        (Some(Way::Account), 1),
        "with the device, and no way beside it, its count was gone"
    );
}

#[test]
fn an_account_that_begins_anew_begins_at_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    service.write_all();
    service.set_account(JULIET, false);
    service.set_account(JULIET, true);
    service.set_members(ORCHARD, [(JULIET, None)]);
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "2");
    service.write_all();
    let mut killed = killed(&service);
    killed.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(killed.push_written().count(), 1);
}
