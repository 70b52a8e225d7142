//! How long a registration lasts without a sign of life.

use muc_cloud_notify_core::{Options, Record, UnixTime};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD, ROMEO, push_identifier};
use muc_cloud_notify_testing::service::Service;

const DAY: f64 = 86400.0;

/// A service with the part of its caller in leases: once a day it looks at them, renews those of members, and removes what is
/// over. Returns what is removed.
fn look(service: &mut Service, members: &[&str]) -> Vec<String> {
    let mut removed = Vec::new();
    for device in service.aged_devices(0.0) {
        if members.contains(&&*device.user) {
            store_sign(service, &device.user, &device.push_identifier);
        } else if device.is_over {
            let record = service.store.get_mut(&*device.user).expect("a user with a record");
            assert!(record.remove_identified(&device.push_identifier));
            let registrations = record.registrations.clone();
            service.set_registrations(&device.user, registrations, None);
            removed.push(format!("{} {}", device.user, device.push_identifier));
        }
    }
    removed
}

fn store_sign(service: &mut Service, user: &str, push_identifier: &str) {
    let now = UnixTime::from_seconds(service.now);
    let Some(record) = service.store.get_mut(user) else { return };
    for registration in &mut record.registrations {
        if registration.push_identifier() == push_identifier {
            registration.last_sign = Some(now);
        }
    }
    let registrations = record.registrations.clone();
    service.set_registrations(user, registrations, None);
}

/// What the caller does with the events. Returns how many there were.
fn store_signs(service: &mut Service) -> usize {
    let answered = service.take_answered();
    for (user, push_identifier) in &answered {
        store_sign(service, user, push_identifier);
    }
    answered.len()
}

fn pushed(service: &mut Service, outcome: Outcome) {
    service.say(ORCHARD, "But soft!");
    for push in service.pushes() {
        service.reply(&push, outcome);
    }
}

#[test]
fn a_year_of_four_devices() {
    const MEMBER: &str = "member@capulet.example";
    const RENEWED: &str = "renewed@capulet.example";
    const ANSWERED: &str = "answered@capulet.example";
    const SILENT: &str = "silent@capulet.example";
    let mut service = Service::new(Options::default());
    for user in [MEMBER, RENEWED, ANSWERED, SILENT] {
        service.enable(user, "phone");
    }
    // The room that Answered is a member of is in memory when there is a message, and not when leases are looked at.
    service.read(ORCHARD, &[ANSWERED], &[]);
    let (mut removed, mut stored) = (Vec::new(), 0);
    for day in 1..=365 {
        service.wait(DAY);
        if day % 7 == 0 {
            service.enable(RENEWED, "phone");
        }
        pushed(&mut service, Outcome::Delivered);
        stored += store_signs(&mut service);
        removed.extend(look(&mut service, &[MEMBER]).into_iter().map(|it| (day, it)));
        if day % 100 == 0 {
            let (now, store) = (service.now, std::mem::take(&mut service.store));
            service = Service::restarted(now, Options::default(), store);
            service.read(ORCHARD, &[ANSWERED], &[]);
            service.aged_devices(0.0);
        }
    }
    assert_eq!(removed, [(90, format!("{SILENT} {}", push_identifier("phone")))]);
    assert!((365 / 11..=365 / 9 + 1).contains(&stored), "{stored} results of 365 were to be stored");
    assert!(!service.is_registered(SILENT));
    assert!([MEMBER, RENEWED, ANSWERED].iter().all(|user| service.is_registered(user)));

    let (mut removed, year) = (Vec::new(), service.now);
    for _ in 1..=365 {
        service.wait(DAY);
        removed
            .extend(look(&mut service, &[]).into_iter().map(|it| (it, ((service.now - year) / DAY) as i32)));
    }
    assert_eq!(removed.len(), 3, "and then nobody comes any more: {removed:?}");
    assert!(removed.iter().all(|(_, day)| (79..=90).contains(day)), "{removed:?}");
    assert_eq!(service.stats().devices, 0);
}

#[test]
fn only_a_result_is_a_sign_of_life_of_an_app_server() {
    for (outcome, is_sign) in [
        (Outcome::Delivered, true),
        (Outcome::Rejected, false),
        (Outcome::Transient, false),
        (Outcome::Silent, false),
    ] {
        let mut service = Service::with_juliet(Options::default());
        service.wait(50.0 * DAY);
        assert_eq!(service.aged_devices(0.0).len(), 1);
        pushed(&mut service, outcome);
        assert_eq!(!service.take_answered().is_empty(), is_sign, "{outcome:?}");
    }
}

#[test]
fn a_result_is_stored_once_in_a_while() {
    let mut service = Service::with_juliet(Options::default());
    for (wait, events) in [(1.0, 0), (7.0, 0), (1.5, 1), (0.5, 0), (8.0, 0), (9.5, 1)] {
        service.wait(wait * DAY);
        service.aged_devices(0.0);
        let mut stored = 0;
        for _ in 0..100 {
            pushed(&mut service, Outcome::Delivered);
            stored += store_signs(&mut service);
        }
        assert_eq!(stored, events, "after {wait} days");
    }
}

#[test]
fn an_answer_that_is_none_of_ours_is_no_sign() {
    let mut service = Service::with_juliet(Options::default());
    service.wait(50.0 * DAY);
    service.aged_devices(0.0);
    service.say(ORCHARD, "But soft!");
    let push = service.push();
    for (id, from) in [(&*push.id, "evil.example"), ("unknown", push.app_server.as_str())] {
        service.handle_reply(id, from, Outcome::Delivered);
        assert_eq!(service.take_answered(), []);
    }
    service.reply(&push, Outcome::Delivered);
    assert_eq!(service.take_answered(), [(JULIET.to_owned(), push_identifier("phone"))]);
}

#[test]
fn no_lease_has_begun_before_all_of_them() {
    let mut service = Service::new(Options::default());
    service.enable(ROMEO, "phone");
    let enabled = service.now;
    service.wait(100.0 * DAY);
    for (since, is_aged, is_over) in
        [(0.0, true, true), (20.0, true, false), (95.0, false, false), (1000.0, false, false)]
    {
        let aged = service.aged_devices(enabled + since * DAY);
        assert_eq!((!aged.is_empty(), aged.iter().any(|it| it.is_over)), (is_aged, is_over), "{since}");
    }
}

#[test]
fn a_look_takes_many_turns_and_misses_nobody() {
    let mut service = Service::new(Options::default());
    for number in 0..2500 {
        let user = format!("user-{number}@capulet.example");
        let change = service.prepare_enable(
            &user,
            &muc_cloud_notify_testing::stanza::enable_iq("push.example", "1"),
            Record::default(),
        );
        // As from the store.
        service.set_registrations(
            &user,
            change.map_or_else(|_| Vec::new(), |it| it.record.registrations),
            None,
        );
    }
    service.wait(50.0 * DAY);
    assert_eq!(service.aged_devices(0.0).len(), 2500);
}
