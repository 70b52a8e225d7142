//! What outlives a clean stop: what was missed, what is still to be pushed, and what went wrong.

use muc_cloud_notify_core::{
    DeviceState, MessageState, Options, PendingState, Snapshot, StanzaIdsState, UnreadState,
};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::driver::{Handling, Reason};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO, push_identifier};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};

/// The service after a restart: its registrations are read from the store, and its clock is another one.
/// Returns it with the rooms that are to be read.
fn restart(service: &Service, options: Options) -> (Service, Vec<String>) {
    let snapshot = service.snapshot();
    let mut restarted = Service::restarted(5.0, options, service.store.clone());
    let rooms = restarted.restore(&snapshot);
    (restarted, rooms)
}

/// As [`restart`], with all rooms read: Juliet is a member and absent.
fn resume(service: &Service) -> Service {
    let (mut restarted, rooms) = restart(service, with_body());
    for room in rooms {
        restarted.read(&room, &[JULIET], &[]);
    }
    restarted
}

#[test]
fn says_for_each_device_what_there_is_to_say() {
    let mut service = Service::with_juliet(Options { with_sender: true, ..with_body() });
    service.enable(JULIET, "tablet");
    service.enable(NURSE, "nurse");
    service.mention(HALL, JULIET, "1");
    service.wait(1.0);
    service.say(ORCHARD, "2");
    service.wait(2.0);
    let unread = |room: &str, mentioned: bool, age, place| UnreadState {
        room: room.to_owned(),
        count: 1,
        age: 0,
        pending: Some(PendingState {
            sender: None,
            body: None,
            words: true,
            mentioned,
            messages: 1,
            age,
            places: vec![place],
            mentions: vec![place; usize::from(mentioned)],
        }),
    };
    let message = |room: &str, text: &str, age| MessageState {
        author: Some(ROMEO.to_owned()),
        from: Some(if room == HALL { "c3dec4b7694d1ec5" } else { "6f504c03143353ab" }.to_owned()),
        ids: vec![StanzaIdsState { id: Some("af63ac4c86019afc".to_owned()), ..StanzaIdsState::default() }],
        age,
        sender: Some(format!("{room}/Romeo")),
        body: Some(text.to_owned()),
    };
    let device = |node: &str| DeviceState {
        user: JULIET.to_owned(),
        push_identifier: push_identifier(node),
        unread: vec![unread(HALL, true, 3.0, 1), unread(ORCHARD, false, 2.0, 2)],
        unanswered: true,
        ..DeviceState::default()
    };
    let mut snapshot = service.snapshot();
    snapshot.devices.sort_by(|a, b| a.push_identifier.cmp(&b.push_identifier));
    assert_eq!(snapshot.devices, [device("phone"), device("tablet")]);
    assert_eq!(
        snapshot.messages,
        [message(HALL, "1", 3.0), message(ORCHARD, "2", 2.0)],
        "each once, though two devices have yet to hear of it"
    );
    assert_eq!(snapshot.nicknames, []);
}

#[test]
fn holds_no_more_than_the_app_server_may_know() {
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "1");
    let snapshot = service.snapshot();
    let pending = snapshot.devices[0].unread[0].pending.as_ref();
    assert_eq!(pending.map(|it| (&it.sender, &it.body)), Some((&None, &None)));
    assert_eq!((&snapshot.messages[0].sender, &snapshot.messages[0].body), (&None, &None));
}

#[test]
fn is_the_same_when_it_is_restored() {
    let mut service = Service::with_juliet(with_body());
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "1");
    let pushes = service.pushes();
    service.reply(&pushes[0], Outcome::Rejected);
    service.reply(&pushes[1], Outcome::Transient);
    service.say(HALL, "2");
    service.handle_ping(JULIET);
    service.wait(8.0);
    let by_key = |mut snapshot: Snapshot| {
        snapshot.devices.sort_by(|a, b| a.push_identifier.cmp(&b.push_identifier));
        snapshot
    };
    let (restarted, rooms) = restart(&service, with_body());
    assert_eq!(rooms, [HALL, ORCHARD]);
    let (before, after) = (service.snapshot(), restarted.snapshot());
    assert_eq!(before.devices.len(), 2);
    assert_eq!(by_key(after), by_key(before));
}

#[test]
fn what_was_pending_is_pushed_after_a_restart() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "1");
    service.say(ORCHARD, "2");
    let push = resume(&service).push();
    assert_eq!((push.count(), push.body(), push.mentioned), (2, Some("2"), true));
}

#[test]
fn what_was_in_flight_is_pushed_again() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "1");
    service.push();
    let push = resume(&service).push();
    assert_eq!((push.count(), push.body(), push.mentioned), (1, Some("1"), true));

    service.say(ORCHARD, "2");
    let push = resume(&service).push();
    assert_eq!((push.count(), push.body()), (2, Some("2")), "merged with what is newer");
    assert!(push.mentioned, "and with its mention");
}

#[test]
fn a_ping_that_was_in_flight_is_pushed_again() {
    let mut service = Service::with_juliet(with_body());
    service.handle_ping(JULIET);
    service.push();
    assert_eq!(resume(&service).push().count(), 0);
}

#[test]
fn what_was_pushed_only_counts() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    let mut restarted = resume(&service);
    restarted.assert_quiet("it was told before");
    restarted.read(HALL, &[JULIET], &[]);
    restarted.say(HALL, "2");
    assert_eq!(restarted.push().count(), 2);
}

#[test]
fn the_newest_message_stays_the_newest() {
    for rooms in [[HALL, ORCHARD, HALL], [ORCHARD, HALL, ORCHARD]] {
        let mut service = Service::with_juliet(with_body());
        for (room, text) in rooms.into_iter().zip(["1", "2", "3"]) {
            service.say(room, text);
        }
        let push = resume(&service).push();
        assert_eq!((push.count(), push.body()), (3, Some("3")), "last in {}", rooms[2]);
    }
}

#[test]
fn present_users_and_former_members_get_no_push() {
    for (case, members, occupants, expected) in [
        ("absent", &[JULIET][..], &[][..], &["phone"][..]),
        ("present", &[JULIET], &[(JULIET, "Juliet")], &[]),
        ("no member", &[], &[], &[]),
        ("no member, but present", &[], &[(JULIET, "Juliet")], &[]),
    ] {
        for in_flight in [false, true] {
            let mut service = Service::with_juliet(with_body());
            service.say(ORCHARD, "1");
            if in_flight {
                service.push();
            }
            let (mut restarted, rooms) = restart(&service, with_body());
            assert_eq!(rooms, [ORCHARD]);
            restarted.read(ORCHARD, members, occupants);
            assert_eq!(nodes(&restarted.pushes()), expected, "{case}, in flight: {in_flight}");
            let left = restarted.snapshot().devices.len();
            assert_eq!(left, expected.len(), "{case}: and nothing is left of it");
        }
    }
}

#[test]
fn there_is_no_push_for_a_room_that_is_gone() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let (mut restarted, _) = restart(&service, with_body());
    restarted.room_destroyed(ORCHARD);
    restarted.assert_quiet("the room is gone");
}

#[test]
fn the_rooms_that_are_read_decide_each_for_its_share() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    let (mut restarted, _) = restart(&service, with_body());
    restarted.read(ORCHARD, &[JULIET], &[]);
    restarted.read(HALL, &[JULIET], &[(JULIET, "Juliet")]);
    let push = restarted.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")));
}

#[test]
fn errors_are_remembered() {
    let options = Options { max_errors: 3, ..with_body() };
    let mut service = Service::with_juliet(options.clone());
    for _ in 0..2 {
        service.say(ORCHARD, "1");
        let push = service.push();
        service.reply(&push, Outcome::Rejected);
    }
    let (mut restarted, _) = restart(&service, options);
    restarted.read(ORCHARD, &[JULIET], &[]);
    restarted.say(ORCHARD, "1");
    let push = restarted.push();
    assert_eq!(restarted.reply_disables(&push, Outcome::Rejected).reason, Reason::Rejected(3));
}

#[test]
fn how_long_and_how_often_a_device_has_been_failing_is_remembered() {
    for (give_up_after, is_given_up) in [(100.0, true), (200.0, false)] {
        let options = Options { give_up_after, max_errors: 2, ..with_body() };
        let mut service = Service::with_juliet(options.clone());
        service.say(ORCHARD, "1");
        let push = service.push();
        service.reply(&push, Outcome::Transient);
        service.wait(100.0);
        let (mut restarted, _) = restart(&service, options);
        restarted.read(ORCHARD, &[JULIET], &[]);
        let push = restarted.push();
        let handling = restarted.reply(&push, Outcome::Transient);
        assert_eq!(matches!(handling, Handling::Disabled(_)), is_given_up, "{give_up_after}");
    }
}

#[test]
fn what_is_pending_grows_old_across_a_restart() {
    for (age, is_told) in [(99.0, true), (101.0, false)] {
        let options = Options { time_to_live: 100.0, ..with_body() };
        let mut service = Service::with_juliet(options.clone());
        service.say(ORCHARD, "1");
        service.wait(60.0);
        let (mut restarted, _) = restart(&service, options);
        restarted.read(ORCHARD, &[JULIET], &[]);
        restarted.wait(age - 60.0);
        assert_eq!(restarted.pushes().len(), usize::from(is_told), "{age} s");
    }
}

#[test]
fn users_without_a_device_any_more_are_passed_over() {
    let mut service = Service::with_juliet(with_body());
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "1");
    let snapshot = service.snapshot();
    assert_eq!(snapshot.devices.len(), 2);

    let mut restarted = Service::new(with_body());
    assert_eq!(restarted.restore(&snapshot), [""; 0], "she has no device");
    restarted.enable(JULIET, "tablet");
    assert_eq!(restarted.restore(&snapshot), [ORCHARD]);
    restarted.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(nodes(&restarted.pushes()), ["tablet"], "she has one device less");
}

#[test]
fn a_device_with_nothing_to_say_is_not_in_it() {
    let mut service = Service::with_juliet(with_body());
    assert_eq!(service.snapshot(), Snapshot::default());
    service.say(ORCHARD, "1");
    assert_eq!(service.snapshot().devices.len(), 1);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    assert_eq!((service.snapshot().devices, service.snapshot().messages), (vec![], vec![]));
}
