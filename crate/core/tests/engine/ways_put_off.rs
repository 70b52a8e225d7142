//! A push by a way that cannot be handed over at the moment, as where it cannot be said whether the account has devices.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Forwarding, Publish, Way};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::Service;

fn juliet() -> Service {
    let mut service = Service::new(Options::default());
    service.set_account(JULIET, true);
    service.read(ORCHARD, &[JULIET], &[]);
    service.read(HALL, &[JULIET], &[]);
    service
}

/// The push that leaves now, which cannot be handed over for ten seconds.
fn put_off(service: &mut Service) -> Publish {
    let push = service.push();
    service.put_off(&push.id, 10.0);
    push
}

#[test]
fn it_is_due_again_after_that_time_with_what_has_come_up_meanwhile() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    for said in 1..5 {
        assert_eq!(put_off(&mut service).count(), said);
        assert_eq!(service.stats().in_flight, 0);
        service.wait(9.9);
        service.assert_quiet("it is too early");
        service.say(HALL, "more");
        service.assert_quiet("that changes nothing");
        service.wait(5.2);
    }
    let push = service.push();
    assert_eq!((push.way, push.count()), (Some(Way::Account), 5));
    service.handed_over(&push.id);
    service.say(HALL, "again");
    service.wait(19.9);
    service.assert_quiet("it was told just now");
    service.wait(0.2);
    assert_eq!(service.push().count(), 6);
}

#[test]
fn the_rules_hold_when_it_is_due_again() {
    let told_after = |change: fn(&mut Service)| {
        let mut service = juliet();
        service.say(ORCHARD, "1");
        put_off(&mut service);
        change(&mut service);
        service.wait(15.1);
        service.pushes().len()
    };
    assert_eq!(told_after(|_| ()), 1);
    assert_eq!(told_after(|service| service.affiliation_changed(ORCHARD, JULIET, false, None)), 0);
    assert_eq!(told_after(|service| service.occupant_present(ORCHARD, JULIET, "Juliet")), 0);
    assert_eq!(told_after(|service| service.set_blocked(JULIET, &[ORCHARD])), 0);
    assert_eq!(told_after(|service| service.set_suspended(JULIET, true)), 0);
    assert_eq!(told_after(|service| _ = service.set_account(JULIET, false)), 0);
}

#[test]
fn who_can_be_told_is_not_held_up() {
    let mut service = juliet();
    service.set_account(NURSE, true);
    service.read(HALL, &[JULIET, NURSE], &[]);
    for _ in 0..20 {
        service.say(HALL, "But soft!");
        let pushes = service.pushes();
        assert_eq!(pushes.iter().filter(|push| push.user == NURSE).count(), 1);
        for push in pushes {
            match push.user == JULIET {
                true => service.put_off(&push.id, 10.0),
                false => service.handed_over(&push.id),
            }
        }
        service.wait(20.1);
    }
}

#[test]
fn a_device_that_is_registered_meanwhile_need_not_wait() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    put_off(&mut service);
    service.enable(JULIET, "phone");
    let push = service.push();
    assert_eq!((push.way, push.count()), (None, 1));
}

#[test]
fn what_is_not_on_its_way_cannot_be_put_off() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = service.push();
    service.handed_over(&push.id);
    service.put_off(&push.id, 10.0);
    service.wait(30.0);
    service.assert_quiet("it is done");
    service.put_off("no push", 10.0);
    service.enable(JULIET, "phone");
    service.say(ORCHARD, "2");
    let push = service.push();
    service.put_off(&push.id, 10.0);
    assert_eq!(service.stats().in_flight, 1, "it goes by no way");
}

#[test]
fn a_kill_meanwhile_loses_nothing_and_the_store_has_nothing_to_do() {
    for is_account in [true, false] {
        let mut service = juliet();
        if !is_account {
            service.set_account(JULIET, false);
            service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
            service.set_occupants(ORCHARD, []);
        }
        let mut service = Journaled::new(service, Options::default());
        service.say(ORCHARD, "1");
        let push = service.push_written();
        let stored = service.stored.len();
        service.put_off(&push.id, 10.0);
        service.write_all();
        assert_eq!(service.stored.len(), stored, "nothing has changed");
        let mut killed = service.killed_after(|service| {
            if is_account {
                service.set_account(JULIET, true);
            }
        });
        let forwarding = if is_account { Forwarding::Unset } else { Forwarding::Asked };
        killed.set_members_with_forwarding(ORCHARD, &[(JULIET, forwarding)]);
        killed.set_occupants(ORCHARD, []);
        assert_eq!(killed.push_written().count(), 1);
    }
}
