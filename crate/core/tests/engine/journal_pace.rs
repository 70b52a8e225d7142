//! How often a batch is written, and what becomes of one that cannot be.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD};
use muc_cloud_notify_testing::service::with_body;

fn juliet() -> Journaled {
    Journaled::with_juliet(with_body())
}

/// How many batches are written in so many seconds, in which she has a message every hundredth of a second.
fn batches_in(service: &mut Journaled, seconds: f64, writing: f64) -> usize {
    let end = service.now + seconds;
    let mut batches = 0;
    while service.now < end {
        service.say(ORCHARD, "text");
        if service.poll_batch().is_some() {
            service.wait(writing);
            service.batch_stored(writing);
            batches += 1;
        }
        service.wait(0.01);
    }
    batches
}

#[test]
fn a_few_are_written_at_once_and_then_a_few_a_second() {
    let mut service = juliet();
    let batches = batches_in(&mut service, 10.0, 0.0);
    assert!((40..=44).contains(&batches), "{batches}");
    service.wait(10.0);
    let batches = batches_in(&mut service, 0.2, 0.0);
    assert_eq!(batches, 3, "after a pause a few at once");
}

#[test]
fn what_was_read_is_written_at_once_where_that_holds_nothing_up() {
    let mut service = juliet();
    service.say(ORCHARD, "text");
    assert!(service.write());
    service.wait(10.0);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    assert!(service.write(), "nothing else waits");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "more");
    service.wait(0.1); // the store is left alone
    assert!(service.write());
    let mut killed = service.killed_and_read(&[JULIET]);
    assert_eq!(killed.push().count(), 1);
}

#[test]
fn what_was_read_leaves_a_batch_for_what_is_said() {
    let mut service = juliet();
    let mut batches = 0;
    for _ in 0..1000 {
        service.say(ORCHARD, "text");
        assert!(service.write(), "after {batches}");
        service.wait(0.2);
        service.occupant_present(ORCHARD, JULIET, "Juliet");
        batches += usize::from(service.write());
        service.occupant_gone(ORCHARD, JULIET, "Juliet");
        service.wait(0.1);
    }
    assert!(batches > 100, "{batches}");
}

#[test]
fn a_slow_store_is_left_alone_for_ten_times_as_long() {
    let mut service = juliet();
    let batches = batches_in(&mut service, 100.0, 0.2);
    assert!((44..=46).contains(&batches), "{batches}");
}

#[test]
fn pushes_do_not_wait_long_for_a_very_slow_store_and_yet_two_thirds_of_the_time_are_left() {
    for (writing, expected) in [(0.5, 3.0), (1.0, 3.5), (3.0, 9.0)] {
        let mut service = juliet();
        let batches = batches_in(&mut service, 900.0, writing);
        let one = 900.0 / f64::from(u32::try_from(batches).unwrap());
        assert!((expected..expected + 0.1).contains(&one), "{writing} s each: one in {one} s");
    }
}

#[test]
fn the_deadline_says_when_one_is_due() {
    let mut service = juliet();
    for _ in 0..20 {
        service.say(ORCHARD, "text");
        for push in service.pushes() {
            service.reply(&push, Outcome::Delivered);
        }
        while service.poll_batch().is_none() {
            let before = service.now;
            service.wait_for_deadline();
            assert!(service.now > before, "it says the truth");
        }
        service.batch_stored(0.1);
    }
}

#[test]
fn what_cannot_be_written_is_pushed_and_written_later() {
    for failures in [1, 10] {
        let mut service = juliet();
        service.say(ORCHARD, "1");
        for failure in 0..failures {
            while service.poll_batch().is_none() {
                service.wait_for_deadline();
                service.assert_quiet("all is told");
            }
            service.batch_failed();
            if failure == 0 {
                let push = service.push();
                assert_eq!(push.count(), 1, "it is not held any longer");
                service.reply(&push, Outcome::Delivered);
            }
            service.say(ORCHARD, "more");
            let push = service.push();
            assert_eq!(push.count(), failure + 2, "and nothing is, as long as the store fails");
            service.reply(&push, Outcome::Delivered);
            assert_eq!(service.poll_batch(), None, "it is not asked at once");
        }
        let mut waited = 0.0;
        while !service.write() {
            let before = service.now;
            service.wait_for_deadline();
            service.assert_quiet("all is told");
            waited += service.now - before;
        }
        assert!((0.9..=60.0).contains(&waited), "{waited} s after {failures}");
        service.say(ORCHARD, "last");
        service.assert_quiet("what is new is held again");
        service.write_all();
        let mut killed = service.killed_and_read(&[JULIET]);
        assert_eq!(killed.push().count(), failures + 2);
    }
}

#[test]
fn a_store_that_fails_is_asked_less_and_less_often() {
    let mut service = juliet();
    let tell = |service: &mut Journaled| {
        for push in service.pushes() {
            service.reply(&push, Outcome::Delivered);
        }
    };
    let (mut asked, end) = (0, service.now + 3600.0);
    while service.now < end {
        service.say(ORCHARD, "text");
        tell(&mut service);
        while service.poll_batch().is_none() {
            service.wait_for_deadline();
            tell(&mut service);
        }
        asked += 1;
        service.batch_failed();
        tell(&mut service);
    }
    assert!((60..70).contains(&asked), "{asked} times in an hour: once a minute in the end");
}

#[test]
fn a_device_is_written_once_however_long_the_store_fails() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    assert!(service.poll_batch().is_some());
    service.batch_failed();
    for _ in 0..1000 {
        service.say(ORCHARD, "more");
    }
    service.wait(100.0);
    let batch = service.poll_batch().unwrap();
    assert_eq!(batch.unread.len(), 1);
    assert_eq!((batch.unread[0].count, batch.unread[0].devices.len()), (1001, 16));
}

#[test]
fn a_journal_that_is_switched_off_holds_nothing_up() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    service.configure_journal(Options { journal: false, ..with_body() });
    assert_eq!(service.poll_batch(), None);
    assert_eq!(service.push().count(), 1);
    service.configure_journal(with_body());
    service.say(ORCHARD, "2");
    service.assert_quiet("it is on again");
    assert!(service.write());
}

#[test]
fn a_stop_writes_all_whatever_the_pace() {
    let mut service = juliet();
    for _ in 0..5 {
        service.say(ORCHARD, "text");
        service.finish();
    }
    let mut killed = service.killed_and_read(&[JULIET]);
    assert_eq!(killed.push().count(), 5);
    let written = service.stored.len();
    service.finish();
    let parts = &service.stored[written..];
    assert!(
        parts.iter().all(|part| part.unread.is_empty() && part.devices.is_empty()),
        "all is in the store"
    );
}
