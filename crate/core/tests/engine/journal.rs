//! What is new is in the store before it is pushed, and what has become less soon after.

use muc_cloud_notify_core::{Bounce, Instant, Snapshot};
use muc_cloud_notify_testing::driver::{Outcome, Scope};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};
use muc_cloud_notify_testing::stanza::groupchat;

fn juliet() -> Journaled {
    Journaled::with_juliet(with_body())
}

/// What the batch says that is due: of each entry the room, how much is unread, and of how many messages a push is to tell.
pub(super) fn entries(batch: &Snapshot) -> Vec<(&str, u32, u32)> {
    let pending = |pending: &muc_cloud_notify_core::PendingState| pending.messages;
    batch
        .unread
        .iter()
        .map(|entry| (&*entry.room, entry.count, entry.pending.as_ref().map_or(0, pending)))
        .collect()
}

#[test]
fn a_message_is_pushed_when_it_is_in_the_store_and_not_before() {
    let mut service = juliet();
    assert_eq!(service.say(ORCHARD, "1"), 1);
    assert_eq!(service.next_deadline(), Some(service.now), "a batch is due at once");
    service.assert_quiet("it is not in the store");
    let batch = service.poll_batch().unwrap();
    assert_eq!(entries(&batch), [(ORCHARD, 1, 1)]);
    assert_eq!(batch.messages[0].body.as_deref(), Some("1"));
    service.assert_quiet("it is being written");
    assert_eq!(service.poll_batch(), None, "one after the other");
    service.batch_stored(0.001);
    assert_eq!(service.push().body(), Some("1"));
}

#[test]
fn without_a_journal_it_is_pushed_at_once() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    assert_eq!(service.poll_batch(), None);
    assert_eq!(service.finish_batch(), None);
    assert_eq!(service.push().count(), 1);
}

#[test]
fn nothing_is_written_where_nothing_has_changed() {
    let mut service = juliet();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "she is there");
    service.wait(10.0);
    assert_eq!(service.poll_batch(), None);
    assert_eq!(service.next_deadline(), None);
}

#[test]
fn after_a_kill_everything_is_told_with_its_exact_count() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.deliver(&push);
    service.say(ORCHARD, "2");
    service.say(HALL, "3");
    service.write_all();
    let push = service.killed_and_read(&[JULIET]).push();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
}

#[test]
fn what_was_not_answered_is_told_twice_and_what_was_is_not() {
    let mut service = juliet();
    service.mention(ORCHARD, JULIET, "1");
    let push = service.push_written();
    let again = service.killed_and_read(&[JULIET]).push();
    assert_eq!((again.count(), again.body(), again.mentioned), (1, Some("1"), true));
    service.deliver(&push);
    let mut killed = service.killed();
    assert_eq!(killed.awaited_rooms(), [""; 0], "no room has to be read for it");
    killed.read(ORCHARD, &[JULIET], &[]);
    killed.assert_quiet("it was told");
    killed.say(ORCHARD, "2");
    assert_eq!(killed.push_written().count(), 2, "and it counts");
}

#[test]
fn an_answer_is_written_within_two_seconds_and_nobody_waits_for_it() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.reply(&push, Outcome::Delivered);
    assert_eq!(service.poll_batch(), None);
    let deadline = service.next_deadline().unwrap();
    assert!(deadline <= service.now + 2.0);
    service.say(HALL, "2");
    let batch = service.poll_batch().unwrap();
    assert_eq!(entries(&batch), [(HALL, 1, 1), (ORCHARD, 1, 0)], "or with the next batch");
    service.batch_stored(0.001);
    service.wait(2.0);
    assert_eq!(service.poll_batch(), None, "once");
}

#[test]
fn messages_that_come_in_before_a_batch_are_one_entry_of_it() {
    let mut service = juliet();
    service.enable(NURSE, "nurse");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    for _ in 0..5 {
        service.say(ORCHARD, "text");
    }
    service.mention(ORCHARD, NURSE, "Nurse!");
    let batch = service.poll_batch().unwrap();
    assert_eq!(entries(&batch), [(ORCHARD, 6, 6), (ORCHARD, 6, 6)], "one mentions, one does not");
    assert!(batch.unread.iter().all(|entry| entry.devices.len() == 16));
    service.batch_stored(0.001);
    let counts: Vec<u32> = service.pushes().iter().map(|push| push.count()).collect();
    assert_eq!(counts, [6, 6]);
}

#[test]
fn what_comes_in_while_something_is_due_keeps_it_from_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    service.write_all();
    service.say(ORCHARD, "2");
    service.say(HALL, "3");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")), "what is in the store, and no more");
    service.reply(&push, Outcome::Delivered);
    service.assert_quiet("the others are not");
    let push = service.push_written();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
}

#[test]
fn what_comes_in_while_a_push_is_on_its_way_waits_for_the_store_too() {
    for outcome in [Outcome::Delivered, Outcome::Transient] {
        let mut service = juliet();
        service.say(ORCHARD, "1");
        let push = service.push_written();
        service.say(ORCHARD, "2");
        service.reply(&push, outcome);
        service.wait(20.0);
        service.assert_quiet("the second is not in the store");
        let push = service.push_written();
        assert_eq!((push.count(), push.body()), (2, Some("2")));
    }
}

#[test]
fn a_device_keeps_its_turn_however_much_comes_in() {
    let mut service = Journaled::new(Service::new(with_body()), with_body());
    for user in ["a@users.example", "b@users.example", "c@users.example"] {
        service.enable(user, user);
    }
    service.read(ORCHARD, &["a@users.example", "b@users.example", "c@users.example"], &[]);
    service.say(ORCHARD, "1");
    service.write_all();
    let mut told = Vec::new();
    for _ in 0..3 {
        service.say(ORCHARD, "more");
        let push = service.take_pushes(1, Scope::AllRooms).remove(0);
        service.wait(1.0);
        assert!(service.write());
        told.push(push);
    }
    assert_eq!(nodes(&told), ["a@users.example", "b@users.example", "c@users.example"], "each its turn");
    let counts: Vec<u32> = told.iter().map(|push| push.count()).collect();
    assert_eq!(counts, [1, 2, 3], "with all that is in the store by then");
}

#[test]
fn a_ping_is_in_the_store_before_it_is_pushed_and_not_after_it_was_answered() {
    let mut service = juliet();
    assert_eq!(service.handle_ping(JULIET), 1);
    service.assert_quiet("it is not in the store");
    let push = service.push_written();
    let mut killed = service.killed();
    let again = killed.push();
    assert_eq!(again.count(), 0);
    service.reply(&push, Outcome::Delivered);
    service.say(ORCHARD, "something that is written");
    let push = service.push_written();
    service.deliver(&push);
    service.killed_and_read(&[JULIET]).assert_quiet("both were answered");
}

#[test]
fn a_bounce_is_in_the_store_before_it_is_pushed_and_counts_after_a_kill() {
    let mut service = juliet();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    let message = groupchat(ORCHARD, "<body>1</body>");
    let now = service.now;
    let bounce = Bounce {
        room: ORCHARD,
        user: JULIET,
        gone_nick: Some("Juliet"),
        sender: Some(ROMEO),
        reply_author: None,
        message: Some(&message),
        message_key: "1",
        sent: Some(Instant::from_seconds(now)),
        privacy: PRIVATE,
        keep_original: false,
    };
    assert_eq!(service.handle_bounce(bounce), 1);
    assert_eq!(service.handle_bounce(bounce), 0, "from two sessions it counts once");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.assert_quiet("it is not in the store");
    let push = service.push_written();
    assert_eq!((push.count(), push.body()), (1, Some("1")));
    let again = service.killed_and_read(&[JULIET]).push();
    assert_eq!((again.count(), again.body()), (1, Some("1")));
}

#[test]
fn who_comes_back_has_read_it_before_the_batch_and_after_it() {
    for is_written in [false, true] {
        let mut service = juliet();
        service.say(HALL, "0");
        let push = service.push_written();
        service.deliver(&push);
        service.say(ORCHARD, "1");
        if is_written {
            service.write_all();
        }
        service.occupant_present(ORCHARD, JULIET, "Juliet");
        service.write_all();
        service.assert_quiet("she is there");
        let mut killed = service.killed();
        assert_eq!(killed.awaited_rooms(), [""; 0], "written: {is_written}");
        killed.read(ORCHARD, &[JULIET], &[]);
        killed.read(HALL, &[JULIET], &[]);
        killed.assert_quiet("it was read");
        killed.say(ORCHARD, "2");
        assert_eq!(killed.push_written().count(), 2, "the other room counts");
    }
}

#[test]
fn who_comes_back_while_the_batch_is_written_gets_no_push() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let batch = service.poll_batch().unwrap();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.stored.push(batch);
    service.batch_stored(0.001);
    service.assert_quiet("she has read it");
    service.write_all();
    service.killed_and_read(&[JULIET]).assert_quiet("and that is written");
}

#[test]
fn what_is_taken_back_or_corrected_is_so_after_a_kill() {
    let retraction = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>";
    let correction = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/><body>other</body>";
    for (revision, expected) in [(retraction, None), (correction, Some((2, "other")))] {
        for is_written in [false, true] {
            let mut service = juliet();
            service.say(ORCHARD, "told");
            let push = service.push_written();
            service.deliver(&push);
            service.say(ORCHARD, "text");
            if is_written {
                service.write_all();
            }
            service.broadcast(ORCHARD, Some(ROMEO), PRIVATE, revision);
            service.write_all();
            let mut killed = service.killed_and_read(&[JULIET]);
            let pushes = killed.pushes();
            let told: Vec<_> = pushes.iter().map(|push| (push.count(), push.body().unwrap())).collect();
            assert_eq!(told, Vec::from_iter(expected), "{revision}");
            pushes.iter().for_each(|push| drop(killed.reply(push, Outcome::Delivered)));
            killed.read(HALL, &[JULIET], &[]);
            killed.say(HALL, "in the hall");
            assert_eq!(killed.push_written().count(), if expected.is_some() { 3 } else { 2 });
        }
    }
}

#[test]
fn a_revision_of_what_waits_is_written_at_once() {
    let mut service = juliet();
    service.say(ORCHARD, "text");
    service.write_all();
    let retraction = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>";
    service.broadcast(ORCHARD, Some(ROMEO), PRIVATE, retraction);
    assert_eq!(entries(&service.poll_batch().unwrap()), [(ORCHARD, 0, 0)]);
}

#[test]
fn what_was_stopped_does_not_count_after_a_kill_and_what_was_put_off_does() {
    for is_stopped in [false, true] {
        let mut service = juliet();
        service.say(ORCHARD, "1");
        let push = service.push_written();
        if is_stopped {
            service.suppress(&push.id);
        } else {
            service.withdraw(&push.id);
        }
        service.write_all();
        let mut killed = service.killed();
        assert_eq!(killed.awaited_rooms(), [""; 0], "nothing waits");
        killed.read(ORCHARD, &[JULIET], &[]);
        killed.say(ORCHARD, "2");
        assert_eq!(killed.push_written().count(), if is_stopped { 1 } else { 2 });
    }
}
