//! No call goes through all devices, users or rooms, nor lists them: whatever is about all of them goes on bit by bit.

use muc_cloud_notify_core::{NicknameState, Options, Snapshot, work_done};
use muc_cloud_notify_testing::driver::Detail;
use muc_cloud_notify_testing::names::ORCHARD;
use muc_cloud_notify_testing::service::{Service, with_body};

const DEVICES: usize = 25_000;

/// A service with so many users `0@…`, each with a device.
fn with_users(count: usize, options: Options) -> Service {
    let mut service = Service::new(Options { max_users_per_domain: count.max(100), ..options });
    for number in 0..count {
        service.enable(&user(number), &user(number));
    }
    service
}

fn user(number: usize) -> String {
    format!("{number}@users.example")
}

/// How many were looked at.
fn looked_at(call: impl FnOnce()) -> usize {
    let before = work_done();
    call();
    work_done() - before
}

/// Asserts that all are looked at by calls that return whether there are more, of which each looks at so many at most.
fn assert_sliced(what: &str, all: usize, at_most: usize, begun: usize, mut call: impl FnMut() -> bool) {
    assert_eq!(begun, 0, "{what}: none to begin with");
    let mut calls = Vec::new();
    loop {
        let mut is_left = false;
        calls.push(looked_at(|| is_left = call()));
        if !is_left {
            break;
        }
    }
    assert!(calls.iter().all(|looked_at| *looked_at <= at_most), "{what}: {calls:?}");
    assert_eq!(calls.iter().sum::<usize>(), all, "{what}: {calls:?}");
}

#[test]
fn whatever_is_about_all_devices_or_users_goes_on_bit_by_bit() {
    let mut service = with_users(DEVICES, with_body());
    let mut plan = None;
    let begun = looked_at(|| plan = Some(service.plan_snapshot()));
    let mut plan = plan.expect("it is begun");
    assert_sliced("a checkpoint", DEVICES, 20_000, begun, || !service.go_on_with_plan(&mut plan));

    let begun = looked_at(|| service.begin_lease_check());
    assert_sliced("leases", DEVICES, 1000, begun, || service.go_on_with_leases());

    let key = "0123456789abcdef0123456789abcdef";
    assert_sliced("a restore", DEVICES, 5000, 0, || !service.prepare_restore(key));

    assert_eq!(looked_at(|| _ = service.stats()), 0, "what the engine holds is known");
}

#[test]
fn rooms_are_looked_at_bit_by_bit_for_nicknames() {
    let mut service = Service::with_juliet(with_body());
    for room in 0..30_000 {
        service.occupant_gone(&format!("{room}@conference.example"), "nobody@users.example", "Nobody");
        service.read(&format!("{room}@conference.example"), &[], &[]);
    }
    let mut plan = service.plan_snapshot();
    while !service.go_on_with_plan(&mut plan) {}
    let next = || service.next_part(&mut plan, 1000, Detail::Words).is_some();
    assert_sliced("a checkpoint", 30_002, 10_000, 0, next);
}

#[test]
fn when_there_are_as_many_nicknames_as_there_may_be_no_more_rooms_are_looked_at() {
    let mut service = Service::with_juliet(with_body());
    let nickname = |room: usize| NicknameState {
        room: format!("{room}@conference.example"),
        user: "juliet@capulet.example".to_owned(),
        nick: "Jule".to_owned(),
        age: 0,
    };
    // A snapshot tells of some.
    for first in [0, 8000] {
        let nicknames = (first..first + 8000).map(nickname).collect();
        service.restore(&Snapshot { nicknames, ..Snapshot::default() });
    }
    let parts = service.snapshot_parts(1000, Detail::Words);
    let told: usize = parts.iter().map(|part| part.nicknames.len()).sum();
    assert_eq!((told, parts.len()), (10_000, 10));
}

#[test]
fn what_comes_in_while_a_checkpoint_is_planned_is_in_it_or_in_the_journal() {
    let options = Options { devices_at_once: 10, journal: true, ..with_body() };
    let mut service = with_users(30, Options { journal: false, ..options.clone() });
    let members: Vec<String> = (0..40).map(user).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    service.read(ORCHARD, &members, &[]);
    service.configure_journal(options);
    let mut plan = service.plan_snapshot();
    assert!(!service.go_on_with_plan(&mut plan), "the last ten were looked at");
    // One takes a place that is looked at yet, the other one that was.
    for (gone, new) in [(5, 30), (25, 31)] {
        service.set_registrations(&user(gone), Vec::new(), None);
        service.enable(&user(new), &user(new));
    }
    service.read(ORCHARD, &members, &[]);
    assert_eq!(service.say(ORCHARD, "1"), 30);
    while !service.go_on_with_plan(&mut plan) {}
    let mut devices: Vec<String> = Vec::new();
    while let Some(part) = service.next_part(&mut plan, 7, Detail::Words) {
        devices.extend(part.devices.into_iter().map(|device| device.user));
    }
    for number in (0..20).filter(|number| *number != 5).chain([30]) {
        assert!(devices.contains(&user(number)), "{number}");
    }
    assert!(!devices.contains(&user(5)) && !devices.contains(&user(25)));
    let batch = service.poll_batch().expect("the message is to be written");
    let named: usize =
        batch.unread.iter().filter(|entry| !entry.gone).map(|entry| entry.devices.len() / 16).sum();
    assert_eq!(named, 30, "all who have yet to hear of it, whoever is in the checkpoint");
}
