//! Messages that their authors or moderators take back while they wait.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Broadcast, Outcome};
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::{mention_of, xml};

use super::{IMPORTANT, NO_WAYS, RETRACT, WAYS, busy, next, restart, retract, revise, say, says, send};

#[test]
fn a_waiting_message_that_is_taken_back_is_not_told_and_does_not_count() {
    for (sender, content, id) in WAYS {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, sender, content, id);
        assert_eq!(next(&mut service, &push), None, "{sender:?} {content} {id}");
        say(&mut service, "new");
        assert_eq!(service.push().count(), 2, "what was told, and what is new: {content}");
    }
    for (sender, content, id) in NO_WAYS {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, sender, content, id);
        assert_eq!(next(&mut service, &push), says(2, Some("secret")), "{sender:?} {content} {id}");
    }
}

#[test]
fn so_does_one_that_has_not_left_the_queue() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    retract(&mut service, "secret");
    service.assert_quiet("it was taken back");
    assert_eq!(service.next_deadline(), None);
    assert_eq!((service.snapshot().devices, service.snapshot().messages), (vec![], vec![]));
}

#[test]
fn a_message_that_is_taken_back_while_its_push_is_in_flight_is_not_told_again() {
    for (sender, content, id) in WAYS {
        let mut service = Service::with_juliet(with_body());
        say(&mut service, "secret");
        let push = service.push();
        revise(&mut service, sender, content, id);
        assert!(!service.is_wanted(&push.id), "should it not have left yet");
        service.reply(&push, Outcome::Transient);
        service.wait(3600.0);
        service.assert_quiet("there is nothing to be told again");
        say(&mut service, "new");
        assert_eq!(service.push().count(), 1);
    }
    for (sender, content, id) in NO_WAYS {
        let mut service = Service::with_juliet(with_body());
        say(&mut service, "secret");
        let push = service.push();
        revise(&mut service, sender, content, id);
        assert!(service.is_wanted(&push.id));
        service.reply(&push, Outcome::Transient);
        service.wait(3600.0);
        assert_eq!(service.push().body(), Some("secret"), "{sender:?} {content} {id}");
    }
}

#[test]
fn a_message_that_was_told_still_counts() {
    let (mut service, push) = busy();
    service.reply(&push, Outcome::Delivered);
    retract(&mut service, "told");
    service.assert_quiet("there is nothing new");
    say(&mut service, "new");
    assert_eq!(service.push().count(), 2, "nobody can tell which messages an app server knows of");
}

#[test]
fn the_others_are_told_of_without_words_when_the_newest_is_taken_back() {
    let (mut service, push) = busy();
    say(&mut service, "1");
    say(&mut service, "2");
    say(&mut service, "secret");
    retract(&mut service, "secret");
    assert_eq!(next(&mut service, &push), says(3, IMPORTANT));
}

#[test]
fn without_words_there_is_no_sender_either() {
    let mut service = Service::with_juliet(Options { with_sender: true, ..with_body() });
    say(&mut service, "1");
    say(&mut service, "secret");
    retract(&mut service, "secret");
    let push = service.push();
    assert_eq!((push.summary.last_message_sender.as_deref(), push.body()), (None, IMPORTANT));
    assert_eq!(push.judged_by.map(|it| (it.room, it.original)), Some((ORCHARD.to_owned(), None)));
}

#[test]
fn an_earlier_one_only_leaves_the_count() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    say(&mut service, "1");
    say(&mut service, "2");
    retract(&mut service, "secret");
    assert_eq!(next(&mut service, &push), says(3, Some("2")));
}

#[test]
fn all_that_waits_can_be_taken_back_one_by_one() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [2, 1, 3]] {
        let (mut service, push) = busy();
        for text in 1..=3 {
            say(&mut service, &text.to_string());
        }
        for text in order {
            retract(&mut service, &text.to_string());
            retract(&mut service, &text.to_string());
        }
        assert_eq!(next(&mut service, &push), None, "{order:?}");
        say(&mut service, "new");
        assert_eq!(service.push().count(), 2, "{order:?}");
    }
}

#[test]
fn beyond_a_number_of_messages_the_oldest_only_count() {
    for (taken_back, left) in [("0", 42), ("7", 42), ("8", 41), ("38", 41)] {
        let (mut service, push) = busy();
        for text in 0..41 {
            say(&mut service, &text.to_string());
        }
        retract(&mut service, taken_back);
        assert_eq!(next(&mut service, &push), says(left, Some("40")), "{taken_back}");
    }
    let (mut service, push) = busy();
    for text in 0..41 {
        say(&mut service, &text.to_string());
    }
    for text in 0..41 {
        retract(&mut service, &text.to_string());
    }
    assert_eq!(next(&mut service, &push), says(9, IMPORTANT), "what was told, and the eight oldest");
}

#[test]
fn one_of_which_only_the_mention_is_known_is_taken_back_once() {
    for (mentions, left) in [(true, None), (false, says(2, IMPORTANT))] {
        let (mut service, push) = busy();
        let mention = if mentions { mention_of(JULIET) } else { String::new() };
        send(&mut service, ORCHARD, Some(ROMEO), "0", &format!("<body>0</body>{mention}"));
        for text in 1..=33 {
            say(&mut service, &text.to_string());
        }
        for text in (0..=33).rev() {
            retract(&mut service, &text.to_string());
        }
        retract(&mut service, "0");
        assert_eq!(next(&mut service, &push), left, "{mentions}");
        if left.is_none() {
            say(&mut service, "new");
            assert_eq!(service.push().count(), 2, "what was told still counts");
        }
    }
}

#[test]
fn the_same_id_in_another_room_is_another_message() {
    let (mut service, push) = busy();
    send(&mut service, HALL, Some(ROMEO), "secret", "<body>in the hall</body>");
    retract(&mut service, "secret");
    assert_eq!(next(&mut service, &push), says(2, Some("in the hall")));
}

#[test]
fn of_two_messages_with_one_id_the_newer_one_is_meant() {
    let mut service = Service::with_juliet(with_body());
    for text in ["1", "2"] {
        send(&mut service, ORCHARD, Some(ROMEO), "id", &format!("<body>{text}</body>"));
    }
    retract(&mut service, "id");
    assert_eq!(service.push().count(), 1);
}

#[test]
fn a_mention_that_is_taken_back_is_none() {
    for (mentions, taken_back, is_mention) in [
        (&["1"][..], "1", false),
        (&["1", "2"], "1", true),
        (&["1", "2"], "2", true),
        (&["1"], "2", true),
        (&["3"], "3", false),
        (&["1", "3"], "3", true),
        (&[], "1", false),
    ] {
        for is_restarted in [false, true] {
            let mut service = Service::with_juliet(with_body());
            for text in ["1", "2", "3"] {
                let mention = if mentions.contains(&text) { mention_of(JULIET) } else { String::new() };
                send(&mut service, ORCHARD, Some(ROMEO), text, &format!("<body>{text}</body>{mention}"));
            }
            let mut service = if is_restarted { restart(&service) } else { service };
            retract(&mut service, taken_back);
            let push = service.push();
            assert_eq!(push.mentioned, is_mention, "{mentions:?} without {taken_back}, {is_restarted}");
            assert_eq!(push.count(), 2);
            let shown = push.judged_by.and_then(|it| it.original).map(|original| original.text());
            assert_ne!(shown.as_deref(), Some(taken_back), "nor is it shown to other modules");
        }
    }
}

#[test]
fn the_age_of_what_is_left_is_its_own() {
    for (time_to_live, is_told) in [(100.0, true), (50.0, false)] {
        let options = Options { time_to_live, ..with_body() };
        let mut service = Service::with_juliet(options);
        say(&mut service, "told");
        let push = service.push();
        say(&mut service, "1");
        service.wait(60.0);
        say(&mut service, "2");
        retract(&mut service, "2");
        assert_eq!(next(&mut service, &push).is_some(), is_told, "{time_to_live}");
    }
}

#[test]
fn what_was_held_until_the_room_was_known_is_taken_back_in_turn() {
    for (present, is_retracted, left) in [(false, true, None), (false, false, Some(1)), (true, true, None)] {
        let mut service = Service::with_juliet(with_body());
        let present = if present { vec![JULIET.to_owned()] } else { Vec::new() };
        let held = |id: &str, content: &str| {
            xml(&format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='{id}'>{content}</message>"))
        };
        let mut messages = vec![held("secret", "<body>secret</body>")];
        let retraction = RETRACT.replace("{}", "secret");
        messages.extend(is_retracted.then(|| held("revision", &retraction)));
        for message in &messages {
            service.handle_message(Broadcast {
                room: ORCHARD,
                sender: Some(ROMEO),
                reply_author: None,
                message,
                privacy: PRIVATE,
                keep_original: false,
                present: &present,
            });
        }
        let told = service.pushes().first().map(|push| push.count());
        assert_eq!(told, left, "{present:?} {is_retracted}");
    }
}
