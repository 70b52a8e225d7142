//! A snapshot is handed out and taken up in parts, and what waits in a room is told once that was read.

use muc_cloud_notify_core::{DeviceState, NicknameState, Options, Snapshot, SnapshotPlan, UnreadState};
use muc_cloud_notify_testing::driver::{Detail, Outcome};
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD, push_identifier};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};

/// A service with so many users `0@…`, members of the orchard with a device each, who are absent.
fn with_members(count: usize) -> (Service, Vec<String>) {
    let options = Options { max_users_per_domain: count.max(100), ..with_body() };
    let mut service = Service::new(options);
    let users: Vec<String> = (0..count).map(|number| format!("{number}@users.example")).collect();
    for user in &users {
        service.enable(user, user);
    }
    let members: Vec<&str> = users.iter().map(String::as_str).collect();
    service.read(ORCHARD, &members, &[]);
    service.read(HALL, &members, &[]);
    (service, users)
}

fn restarted(service: &Service) -> Service {
    Service::restarted(5.0, with_body(), service.store.clone())
}

#[test]
fn each_part_is_bounded_and_complete_in_itself() {
    let (mut service, users) = with_members(25);
    service.say(ORCHARD, "a text");
    let parts = service.snapshot_parts(10, Detail::Words);
    let sizes: Vec<usize> = parts.iter().map(|part| part.devices.len()).collect();
    assert_eq!(sizes, [10, 10, 5]);
    for part in &parts {
        assert_eq!(part.messages.len(), 1, "the text is in it once, however many devices it is for");
    }
    let mut told = Vec::new();
    for part in parts.iter().rev() {
        let mut restarted = restarted(&service);
        assert_eq!(restarted.restore_part(part), 0);
        let members: Vec<&str> = users.iter().map(String::as_str).collect();
        restarted.read(ORCHARD, &members, &[]);
        let pushes = restarted.pushes();
        assert!(pushes.iter().all(|push| (push.count(), push.body()) == (1, Some("a text"))));
        told.extend(nodes(&pushes).into_iter().map(str::to_owned));
    }
    told.sort_unstable();
    let mut expected = users;
    expected.sort_unstable();
    assert_eq!(told, expected, "each exactly once");
}

#[test]
fn a_part_is_bounded_in_bytes_too_in_however_many_rooms_something_is_unread() {
    const ROOMS: usize = 50;
    let (mut service, users) = with_members(100);
    let members: Vec<&str> = users.iter().map(String::as_str).collect();
    for room in 0..ROOMS {
        let room = format!("{room}@conference.example");
        service.read(&room, &members, &[]);
        service.say(&room, "text");
    }
    let parts = service.snapshot_parts(1000, Detail::Words);
    let unread = |part: &Snapshot| part.devices.iter().map(|device| device.unread.len()).sum();
    let sizes: Vec<usize> = parts.iter().map(unread).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 100 * ROOMS);
    assert!(sizes.iter().all(|unread| *unread <= 1400), "{sizes:?}");
    assert!(sizes.len() <= 6, "nor are they smaller than they have to be: {sizes:?}");
}

#[test]
fn the_most_valuable_comes_first() {
    let (mut service, users) = with_members(3);
    service.occupant_present(HALL, &users[0], "0");
    service.occupant_present(HALL, &users[2], "2");
    service.say(ORCHARD, "1");
    for push in service.pushes() {
        service.reply(&push, Outcome::Delivered);
    }
    service.occupant_present(ORCHARD, &users[0], "0");
    service.mention(HALL, &users[1], "2");
    service.occupant_present(HALL, &users[1], "1");
    service.occupant_gone(HALL, &users[1], "1");
    service.occupant_gone(ORCHARD, &users[0], "0");
    service.say(HALL, "3");
    service.mention(ORCHARD, &users[0], "4");
    service.occupant_present(ORCHARD, &users[2], "2");
    service.occupant_gone(ORCHARD, &users[2], "2");
    let order: Vec<String> = service
        .snapshot_parts(1, Detail::Words)
        .into_iter()
        .flat_map(|part| part.devices)
        .map(|device| device.user)
        .collect();
    assert_eq!(
        order,
        [&*users[0], &*users[1]],
        "the mention, then what is pending; of the third nothing is unread"
    );
}

fn order(service: &Service, plan: &mut SnapshotPlan) -> Vec<String> {
    let parts = std::iter::from_fn(|| service.next_part(plan, 10_000, Detail::Counts));
    parts.flat_map(|part| part.devices).map(|device| device.user).collect()
}

#[test]
fn of_very_many_devices_some_are_looked_at_in_one_call_and_that_changes_nothing() {
    let (mut service, users) = with_members(25_000);
    service.say(ORCHARD, "a text");
    while service.spread() {}
    for user in [users[10].clone(), users[24_990].clone()] {
        service.mention(ORCHARD, &user, "to you");
        while service.spread() {}
    }
    let at_once = order(&service, &mut service.plan_snapshot());
    assert_eq!((at_once.len(), &at_once[..2]), (25_000, &[users[10].clone(), users[24_990].clone()][..]));
    let mut plan = service.plan_snapshot();
    let mut calls = 1;
    while !service.go_on_with_plan(&mut plan) {
        calls += 1;
    }
    assert_eq!(calls, 2);
    // What happens meanwhile does no harm.
    service.set_registrations(&users[20], Vec::new(), None);
    let in_slices = order(&service, &mut plan);
    assert_eq!(in_slices.len(), 24_999);
    assert!(at_once.iter().filter(|user| **user != users[20]).eq(&in_slices));
}

#[test]
fn without_words_it_is_told_that_there_is_something() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "secret");
    service.mention(ORCHARD, JULIET, "secret");
    let parts = service.snapshot_parts(10, Detail::Counts);
    assert!(!format!("{parts:?}").contains("secret"));
    assert!(parts.iter().all(|part| part.messages.is_empty()));
    let mut restarted = restarted(&service);
    for part in &parts {
        restarted.restore_part(part);
    }
    restarted.read(ORCHARD, &[JULIET], &[]);
    let push = restarted.push();
    assert_eq!((push.count(), push.body(), push.mentioned), (2, Some("New Message!"), true));
}

#[test]
fn nothing_is_told_before_all_rooms_of_the_device_were_read() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    let mut restarted = restarted(&service);
    assert_eq!(restarted.restore(&service.snapshot()), [HALL, ORCHARD]);
    restarted.assert_quiet("no room was read");
    restarted.read(HALL, &[JULIET], &[]);
    assert_eq!(restarted.awaited_rooms(), [ORCHARD]);
    restarted.assert_quiet("she may be in the orchard");
    restarted.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(restarted.awaited_rooms(), [""; 0]);
    let push = restarted.push();
    assert_eq!((push.count(), push.body()), (2, Some("2")), "one push for both");
    restarted.assert_quiet("that was all");
}

#[test]
fn a_room_that_is_gone_is_not_waited_for() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    let mut restarted = restarted(&service);
    restarted.restore(&service.snapshot());
    restarted.read(HALL, &[JULIET], &[]);
    restarted.room_destroyed(ORCHARD);
    let push = restarted.push();
    assert_eq!((push.count(), push.body()), (1, Some("2")));
}

#[test]
fn one_device_does_not_wait_for_the_rooms_of_another() {
    let (mut service, users) = with_members(2);
    service.occupant_present(HALL, &users[0], "0");
    service.say(ORCHARD, "1");
    service.occupant_present(ORCHARD, &users[1], "1");
    service.say(HALL, "2");
    let mut restarted = restarted(&service);
    restarted.restore(&service.snapshot());
    restarted.read(HALL, &[&users[0], &users[1]], &[]);
    assert_eq!(nodes(&restarted.pushes()), [&*users[1]]);
    restarted.read(ORCHARD, &[&users[0], &users[1]], &[]);
    assert_eq!(nodes(&restarted.pushes()), [&*users[0]]);
}

#[test]
fn a_room_where_nothing_is_to_be_told_is_not_waited_for() {
    let mut service = Service::with_juliet(Options { time_to_live: 100.0, ..with_body() });
    service.say(ORCHARD, "1");
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    service.say(HALL, "too old by then");
    service.wait(200.0);
    let mut restarted =
        Service::restarted(5.0, Options { time_to_live: 100.0, ..with_body() }, service.store.clone());
    assert_eq!(restarted.restore(&service.snapshot()), [""; 0]);
    restarted.read("other@conference.example", &[JULIET], &[]);
    restarted.say("other@conference.example", "2");
    assert_eq!(restarted.push().count(), 3, "both still count");
}

#[test]
fn it_adds_to_what_has_come_in_since() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(ORCHARD, "2");
    let mut restarted = restarted(&service);
    restarted.read(ORCHARD, &[JULIET], &[]);
    restarted.say(ORCHARD, "3");
    assert_eq!(restarted.restore(&service.snapshot()), [""; 0], "it was read");
    let push = restarted.push();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
    restarted.assert_quiet("that was all");
}

#[test]
fn what_members_have_read_by_then_is_dropped() {
    for (case, members, occupants) in
        [("present", &[JULIET][..], &[(JULIET, "Juliet")][..]), ("no member", &[], &[])]
    {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "1");
        let mut restarted = restarted(&service);
        restarted.read(ORCHARD, members, occupants);
        restarted.restore(&service.snapshot());
        restarted.assert_quiet(case);
        assert_eq!(restarted.snapshot().devices, [], "{case}");
    }
}

#[test]
fn texts_are_not_told_any_more_when_the_options_forbid_it() {
    let both = Options { with_sender: true, ..with_body() };
    let mut service = Service::with_juliet(both);
    service.say(ORCHARD, "secret");
    let mut restarted = Service::restarted(5.0, Options::default(), service.store.clone());
    restarted.restore(&service.snapshot());
    assert!(!format!("{:?}", restarted.snapshot()).contains("secret"));
    assert!(!format!("{:?}", restarted.snapshot()).contains("/Romeo"));
}

#[test]
fn what_counts_in_a_room_that_is_never_read_again_is_forgotten() {
    for (days, is_kept) in [(29.0, true), (31.0, false)] {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "1");
        let push = service.push();
        service.reply(&push, Outcome::Delivered);
        let mut first = restarted(&service);
        first.restore(&service.snapshot());
        first.wait(days * 86400.0 - 10.0);
        let mut second = restarted(&first);
        second.restore(&first.snapshot());
        second.wait(20.0);
        assert_eq!(second.snapshot().devices.len(), usize::from(is_kept), "{days}");
    }
}

#[test]
fn entries_that_make_no_sense_are_passed_over_and_counted() {
    let (mut service, users) = with_members(2);
    service.say(ORCHARD, "1");
    let mut snapshot = service.snapshot();
    snapshot.devices[0].failing_for = Some(f64::NAN);
    let user = snapshot.devices[1].user.clone();
    let mut restarted = restarted(&service);
    assert_eq!(restarted.restore_part(&snapshot), 1);
    restarted.read(ORCHARD, &[&users[0], &users[1]], &[]);
    assert_eq!(nodes(&restarted.pushes()), [&*user]);
}

#[test]
fn a_device_with_many_rooms_is_taken_up_room_by_room() {
    let mut service = Service::with_juliet(with_body());
    let unread = |room: usize| UnreadState { room: room.to_string(), count: 2, ..UnreadState::default() };
    let push_identifier = push_identifier("phone");
    let device = DeviceState {
        user: JULIET.to_owned(),
        push_identifier,
        unread: (0..20_000).map(unread).collect(),
        ..DeviceState::default()
    };
    let part = Snapshot { devices: vec![device], ..Snapshot::default() };
    service.restore_part(&part);
    service.restore_part(&part);
    service.say(ORCHARD, "1");
    assert_eq!(service.push().count(), 80_001);
}

#[test]
fn nicknames_come_last_and_in_parts() {
    let mut service = Service::with_juliet(with_body());
    let nicknames = (0..3000).map(|room| NicknameState {
        room: format!("{room}@conference.example"),
        user: JULIET.to_owned(),
        nick: "Jule".to_owned(),
        age: 0,
    });
    service.restore(&Snapshot { nicknames: nicknames.collect(), ..Snapshot::default() });
    service.say(ORCHARD, "1");
    let parts = service.snapshot_parts(10, Detail::Words);
    let sizes: Vec<(usize, usize)> =
        parts.iter().map(|part| (part.devices.len(), part.nicknames.len())).collect();
    assert_eq!(sizes.iter().map(|(_, nicknames)| nicknames).sum::<usize>(), 3000);
    assert_eq!(sizes[0].0, 1);
    assert!(sizes.iter().all(|(_, nicknames)| *nicknames <= 1000), "{sizes:?}");
}

#[test]
fn no_call_lets_more_members_of_a_room_go_on_than_are_told_at_once() {
    for is_gone in [false, true] {
        let (mut service, users) = with_members(35);
        service.say(if is_gone { HALL } else { ORCHARD }, "1");
        if is_gone {
            service.say(ORCHARD, "2");
        }
        let options = Options { members_at_once: 10, ..with_body() };
        let mut restarted = Service::restarted(5.0, options, service.store.clone());
        restarted.restore(&service.snapshot());
        let members: Vec<&str> = users.iter().map(String::as_str).collect();
        restarted.read(ORCHARD, &members, &[]);
        if is_gone {
            assert_eq!(restarted.stats().queued, 0, "they wait for the hall");
            restarted.room_destroyed(HALL);
        }
        let mut queued = vec![restarted.stats().queued];
        while restarted.spread() {
            queued.push(restarted.stats().queued);
        }
        queued.push(restarted.stats().queued);
        assert!(queued.windows(2).all(|each| each[1] - each[0] <= 10), "{queued:?}");
        assert!(is_gone || queued[0] == 10, "some at once: {queued:?}");
        assert_eq!(queued.last(), Some(&35), "all in the end");
    }
}

#[test]
fn who_comes_back_before_their_turn_has_read_it() {
    let (mut service, users) = with_members(35);
    service.say(ORCHARD, "1");
    let options = Options { members_at_once: 10, ..with_body() };
    let mut restarted = Service::restarted(5.0, options, service.store.clone());
    restarted.restore(&service.snapshot());
    let members: Vec<&str> = users.iter().map(String::as_str).collect();
    restarted.read(ORCHARD, &members, &[]);
    for user in &users {
        restarted.occupant_present(ORCHARD, user, user);
    }
    restarted.assert_quiet("all are there");
}
