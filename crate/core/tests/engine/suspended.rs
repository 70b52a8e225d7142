//! While the account of a user is disabled nothing is pushed to their devices, and nothing is lost.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};

/// A service where Juliet's account is disabled.
fn suspended() -> Service {
    let mut service = Service::with_juliet(with_body());
    service.set_suspended(JULIET, true);
    service
}

#[test]
fn nothing_is_pushed_until_the_account_is_enabled_again() {
    let mut service = suspended();
    assert_eq!(service.say(ORCHARD, "1"), 1);
    service.say(HALL, "2");
    assert_eq!(service.next_deadline(), None, "there is nothing to wait for");
    service.assert_quiet("the account is disabled");
    assert_eq!(service.stats().queued, 0);
    service.set_suspended(JULIET, false);
    assert!(service.next_deadline().is_some_and(|at| at <= service.now), "at once");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, Some("2")));
    service.reply(&push, Outcome::Delivered);
    service.say(ORCHARD, "3");
    assert_eq!(service.push().count(), 3);
}

#[test]
fn the_devices_of_others_are_pushed_to() {
    let mut service = suspended();
    service.enable(NURSE, "nurse");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    assert_eq!(service.say(ORCHARD, "1"), 2);
    assert_eq!(nodes(&service.pushes()), ["nurse"]);
}

#[test]
fn what_waits_in_the_queue_stays_there_no_longer() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.set_suspended(JULIET, true);
    service.assert_quiet("the account is disabled");
    assert_eq!(service.next_deadline(), None, "the engine does not ask to be polled again and again");
    service.set_suspended(JULIET, false);
    service.set_suspended(JULIET, false);
    assert_eq!(service.push().body(), Some("1"));
    service.assert_quiet("it was in the queue once");
}

#[test]
fn what_is_in_flight_ends_as_it_ends() {
    for (outcome, is_told_again) in
        [(Outcome::Delivered, false), (Outcome::Transient, true), (Outcome::Silent, true)]
    {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "1");
        let push = service.push();
        service.set_suspended(JULIET, true);
        assert!(service.is_wanted(&push.id));
        service.reply(&push, outcome);
        service.wait(3600.0);
        service.assert_quiet("the account is disabled");
        assert_eq!(service.next_deadline(), None);
        service.set_suspended(JULIET, false);
        assert_eq!(service.pushes().len(), usize::from(is_told_again), "{outcome:?}");
    }
}

#[test]
fn a_back_off_goes_on() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let push = service.push();
    service.reply(&push, Outcome::Transient);
    service.set_suspended(JULIET, true);
    service.set_suspended(JULIET, false);
    service.assert_quiet("the app server is spared");
    service.wait(10.0);
    assert_eq!(service.push().body(), Some("1"));
}

#[test]
fn pings_wait_too() {
    let mut service = suspended();
    assert_eq!(service.handle_ping(JULIET), 1);
    service.assert_quiet("the account is disabled");
    service.set_suspended(JULIET, false);
    assert_eq!(service.push().count(), 0);
}

#[test]
fn it_holds_for_devices_that_are_registered_meanwhile_and_over_a_renewal() {
    let mut service = suspended();
    service.enable(JULIET, "phone");
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "1");
    service.assert_quiet("the account is disabled");
    service.set_suspended(JULIET, false);
    assert_eq!(nodes(&service.pushes()), ["phone", "tablet"]);
}

#[test]
fn it_ends_with_the_last_registration() {
    let mut service = suspended();
    service.disable(JULIET, None);
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[]);
    service.say(ORCHARD, "1");
    assert_eq!(service.push().body(), Some("1"), "the name may be somebody else's by now");
}

#[test]
fn members_who_come_back_have_read_everything() {
    let mut service = suspended();
    service.say(ORCHARD, "1");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.set_suspended(JULIET, false);
    service.assert_quiet("she is there");
}

#[test]
fn what_waits_outlives_a_restart() {
    let mut service = suspended();
    service.say(ORCHARD, "1");
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.set_suspended(JULIET, true);
    restarted.restore(&service.snapshot());
    restarted.read(ORCHARD, &[JULIET], &[]);
    restarted.assert_quiet("the account is disabled");
    restarted.set_suspended(JULIET, false);
    assert_eq!(restarted.push().body(), Some("1"));
}

#[test]
fn what_has_grown_old_meanwhile_only_counts() {
    let mut service = Service::with_juliet(Options { time_to_live: 100.0, ..with_body() });
    service.set_suspended(JULIET, true);
    service.say(ORCHARD, "1");
    service.wait(101.0);
    service.set_suspended(JULIET, false);
    service.assert_quiet("it is too old");
    service.say(ORCHARD, "2");
    assert_eq!(service.push().count(), 2);
}

#[test]
fn nothing_is_known_of_users_without_a_device() {
    let mut service = Service::new(with_body());
    service.set_suspended(JULIET, true);
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[]);
    service.say(ORCHARD, "1");
    assert_eq!(service.push().body(), Some("1"));
}
