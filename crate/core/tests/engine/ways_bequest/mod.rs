//! A kill in the moment between a registered device's taking the place of a way, or the other way round, and the next batch: what was
//! unread is that of what has taken the place, which is in the store before the record is.

mod unstored;

use muc_cloud_notify_core::{DeviceState, Options};
use muc_cloud_notify_testing::driver::{Detail, Forwarding, Outcome, Publish, Way};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{Service, with_body};

/// More than fits into a batch.
const VERY_MANY: usize = 3100;

/// Juliet's account has devices, and she is absent from both rooms.
fn by_account() -> Journaled {
    let mut service = Service::new(with_body());
    service.set_account(JULIET, true);
    service.read(ORCHARD, &[JULIET], &[]);
    service.read(HALL, &[JULIET], &[]);
    Journaled::new(service, with_body())
}

/// She has registered a device, and her account has some too.
fn by_device() -> Journaled {
    let mut service = Journaled::with_juliet(Options::default());
    service.set_account(JULIET, true);
    service
}

/// She is elsewhere, has registered a device here, and has asked for the messages of one room.
fn elsewhere() -> Journaled {
    let mut service = Journaled::with_juliet(Options::default());
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
    service
}

/// Two messages, of which the first one was told.
fn hear_two(service: &mut Journaled) {
    service.say(ORCHARD, "1");
    let push = service.push_written();
    tell(service, &push);
    service.say(HALL, "2");
    service.write_all();
}

fn tell(service: &mut Journaled, push: &Publish) {
    match push.way {
        Some(_) => service.handed_over(&push.id),
        None => _ = service.reply(push, Outcome::Delivered),
    }
}

/// A kill, after which it is known that her account has devices, and both rooms are read.
fn killed(service: &Journaled) -> Journaled {
    read(service.killed_after(|service| _ = service.set_account(JULIET, true)))
}

fn read(mut service: Journaled) -> Journaled {
    for room in [ORCHARD, HALL] {
        service.read(room, &[JULIET], &[]);
    }
    while service.spread() {}
    service
}

fn read_elsewhere(mut service: Journaled) -> Journaled {
    for (room, forwarding) in [(HALL, Forwarding::Unset), (ORCHARD, Forwarding::Asked)] {
        service.set_members_with_forwarding(room, &[(JULIET, forwarding)]);
        service.set_occupants(room, []);
    }
    while service.spread() {}
    service
}

/// The one push that leaves, by what, and how many are unread.
fn told(service: &mut Journaled) -> (Option<Way>, u32) {
    let push = service.push_written();
    tell(service, &push);
    (push.way, push.count())
}

/// How much is unread for which of her devices, or the way, and in which room.
fn counts(service: &Journaled) -> Vec<(String, String, u32)> {
    let devices = service.snapshot().devices.into_iter().filter(|state| state.user == JULIET);
    let mut counts: Vec<_> = devices
        .flat_map(|state| {
            let DeviceState { push_identifier, unread, .. } = state;
            unread.into_iter().map(move |unread| (push_identifier.clone(), unread.room, unread.count))
        })
        .collect();
    counts.sort();
    counts
}

/// Everything else is quiet, and the count goes on from here.
fn assert_told_once(service: &mut Journaled, (way, count): (Option<Way>, u32)) {
    assert_eq!(told(service), (way, count));
    service.write_all();
    service.assert_quiet("once");
    service.wait(30.0);
    service.say(ORCHARD, "3");
    assert_eq!(told(service), (way, count + 1));
}

#[test]
fn a_device_has_what_waited_for_the_account() {
    let mut first = by_account();
    hear_two(&mut first);
    first.enable(JULIET, "phone");
    assert_told_once(&mut killed(&first), (None, 2));
    assert_told_once(&mut killed(&killed(&first)), (None, 2));
    assert_told_once(&mut first, (None, 2));
}

#[test]
fn the_account_has_what_waited_for_a_device() {
    let mut first = by_device();
    hear_two(&mut first);
    first.disable(JULIET, None);
    assert_told_once(&mut killed(&first), (Some(Way::Account), 2));
    assert_told_once(&mut killed(&killed(&first)), (Some(Way::Account), 2));
    first.wait(30.0);
    assert_told_once(&mut first, (Some(Way::Account), 2));
}

#[test]
fn a_device_has_what_waited_to_be_forwarded() {
    let mut service = Service::new(Options::default());
    service.set_members_with_forwarding(ORCHARD, &[(JULIET, Forwarding::Asked)]);
    service.set_occupants(ORCHARD, []);
    let mut first = Journaled::new(service, Options::default());
    first.say(ORCHARD, "1");
    first.write_all();
    first.enable(JULIET, "phone");
    assert_told_once(&mut read_elsewhere(first.killed()), (None, 1));
}

#[test]
fn what_waited_for_a_device_is_forwarded_but_for_what_nobody_has_asked_for() {
    let mut first = elsewhere();
    hear_two(&mut first);
    first.say(ORCHARD, "3");
    first.write_all();
    first.disable(JULIET, None);
    let mut second = read_elsewhere(first.killed());
    assert_eq!(told(&mut second), (Some(Way::Forward), 2), "both of that room");
    second.write_all();
    second.assert_quiet("of the other one she has asked for nothing");
}

#[test]
fn what_was_on_its_way_is_told_by_what_takes_the_place() {
    let mut first = by_account();
    first.say(ORCHARD, "1");
    first.push_written();
    first.enable(JULIET, "phone");
    assert_eq!(told(&mut killed(&first)), (None, 1));
}

#[test]
fn what_was_read_is_not_unread_for_what_takes_the_place() {
    let mut first = by_account();
    hear_two(&mut first);
    first.occupant_present(HALL, JULIET, "Juliet");
    first.occupant_gone(HALL, JULIET, "Juliet");
    first.enable(JULIET, "phone");
    let mut second = killed(&first);
    second.write_all();
    second.assert_quiet("the other one was told");
    second.say(ORCHARD, "3");
    assert_eq!(told(&mut second), (None, 2));
}

/// An earlier device of its name has left something in the store, of which that does not know yet that it is gone.
#[test]
fn nothing_is_left_of_an_earlier_one_of_the_same_name() {
    let mut first = by_device();
    hear_two(&mut first);
    first.disable(JULIET, None);
    for room in [ORCHARD, HALL] {
        first.occupant_present(room, JULIET, "Juliet");
        first.occupant_gone(room, JULIET, "Juliet");
    }
    first.say(ORCHARD, "3");
    first.enable(JULIET, "phone");
    assert_eq!(told(&mut killed(&first)), (None, 1));
}

#[test]
fn what_takes_the_place_is_there_however_many_batches_are_to_be_written() {
    let users: Vec<String> = (0..VERY_MANY).map(|number| format!("user{number}@capulet.example")).collect();
    let mut members: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut service = Service::new(Options::default());
    users.iter().for_each(|user| _ = service.enable(user, "phone"));
    service.set_account(JULIET, true);
    members.push(JULIET);
    service.read(ORCHARD, &members, &[]);
    service.read(HALL, &[JULIET], &[]);
    let mut first = Journaled::new(service, Options::default());
    hear_two_of(&mut first);
    first.say(ORCHARD, "3");
    while first.spread() {}
    first.enable(JULIET, "phone");
    assert!(first.write(), "a batch that has not all of it");
    assert!(first.stats().unstored > 0);
    let second = first.killed_after(|service| _ = service.set_account(JULIET, true));
    assert_eq!(
        counts(&second),
        [("push.example<phone".into(), HALL.into(), 2), ("push.example<phone".into(), ORCHARD.into(), 1)]
    );
}

fn hear_two_of(service: &mut Journaled) {
    service.say(HALL, "1");
    service.say(HALL, "2");
    service.write_all();
}

#[test]
fn what_was_told_is_not_counted_by_a_way_that_does_not_tell_of_its_room() {
    let mut first = elsewhere();
    first.say(HALL, "1");
    let push = first.push_written();
    tell(&mut first, &push);
    first.say(ORCHARD, "2");
    first.write_all();
    first.disable(JULIET, None);
    let mut second = first.killed();
    second.set_members_with_forwarding(ORCHARD, &[(JULIET, Forwarding::Asked)]);
    second.set_occupants(ORCHARD, []);
    while second.spread() {}
    assert_eq!(told(&mut second), (Some(Way::Forward), 1));
}

#[test]
fn mentions_words_and_ages_are_as_they_were() {
    let mut first = by_account();
    first.say(HALL, "0");
    first.mention(ORCHARD, JULIET, "1");
    first.say(ORCHARD, "2");
    first.wait(100.0);
    first.enable(JULIET, "phone");
    let (again, push) = (killed(&first).push_written(), first.push_written());
    assert_eq!((again.body(), again.count()), (Some("2"), 3));
    assert_eq!((again.body(), again.count(), again.mentioned), (push.body(), push.count(), push.mentioned));
}

#[test]
fn of_very_much_it_is_written_how_much_it_is() {
    let mut first = by_account();
    let rooms: Vec<String> = (0..200).map(|number| format!("room{number}@conference.example")).collect();
    for room in &rooms {
        first.read(room, &[JULIET], &[]);
        (0..10).for_each(|number| _ = first.say(room, &format!("{number} {}", "x".repeat(200))));
    }
    first.write_all();
    first.enable(JULIET, "phone");
    let [part] = &first.bequests[..] else { panic!("there is one") };
    assert!(part.messages.is_empty());
    let before = counts(&first);
    assert_eq!(before.len(), 200);
    assert_eq!(counts(&killed(&first)), before);
}

#[test]
fn to_and_fro_before_anything_is_written_it_is_where_it_is() {
    let mut first = by_account();
    hear_two(&mut first);
    for time in 0..6 {
        match time % 2 {
            0 => _ = first.enable(JULIET, "phone"),
            _ => _ = first.disable(JULIET, None),
        }
        assert_eq!(counts(&killed(&first)), counts(&first), "{time}");
    }
    first.write_all();
    assert_eq!(counts(&killed(&first)), counts(&first));
}

#[test]
fn a_checkpoint_that_is_made_meanwhile_changes_nothing() {
    let mut first = by_account();
    hear_two(&mut first);
    let before = first.snapshot_parts(500, Detail::Words);
    first.enable(JULIET, "phone");
    let stored = std::mem::replace(&mut first.stored, before);
    assert_eq!(counts(&killed(&first)), counts(&first), "begun before, and ended after");
    first.stored = stored;
    first.compact();
    assert_eq!(counts(&killed(&first)), counts(&first), "begun after");
}

#[test]
fn of_two_devices_the_first_one_leaves_what_it_had_to_the_account() {
    let mut first = by_device();
    hear_two(&mut first);
    first.enable(JULIET, "tablet");
    first.say(ORCHARD, "3");
    first.write_all();
    first.disable(JULIET, None);
    assert_eq!(counts(&killed(&first)), counts(&first));
}

#[test]
fn nothing_is_written_where_nothing_takes_the_place_of_anything() {
    let mut service = by_account();
    service.enable(JULIET, "phone");
    service.write_all();
    hear_two(&mut service);
    service.enable(JULIET, "tablet");
    service.disable(JULIET, Some("tablet"));
    assert!(service.bequests.is_empty(), "another device is left");
    let mut service = Journaled::with_juliet(Options::default());
    hear_two(&mut service);
    service.disable(JULIET, None);
    assert!(service.bequests.is_empty(), "there is no way to reach her");
    service.enable(JULIET, "phone");
    assert!(service.bequests.is_empty(), "who registers again begins anew");
}

#[test]
fn nothing_is_written_without_a_journal() {
    let mut service = Service::with_juliet(Options::default());
    service.set_account(JULIET, true);
    service.say(ORCHARD, "1");
    service.disable(JULIET, None);
    assert!(service.bequests.is_empty());
}
