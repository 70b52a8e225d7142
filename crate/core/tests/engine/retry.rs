//! Transient errors and missing answers: the push is retried with back-off, merged with what is new, and dropped when
//! nothing is left to be said.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Handling, Outcome, Publish, Reason, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD, push_identifier};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};
use muc_cloud_notify_testing::stanza::enable_iq;

/// How long it takes until the next push leaves, and that push. The engine is called when it asks for it.
fn next_push(service: &mut Service) -> (f64, Publish) {
    let start = service.now;
    loop {
        service.wait_for_deadline();
        if let Some(push) = service.pushes().pop() {
            return (service.now - start, push);
        }
    }
}

/// The delays between so many pushes that all meet the same fate, and the one that follows.
fn delays(service: &mut Service, outcome: Outcome, retries: usize) -> (Vec<f64>, Publish) {
    service.say(ORCHARD, "But soft!");
    let mut push = service.push();
    let mut delays = Vec::new();
    for _ in 0..retries {
        assert_eq!(service.reply(&push, outcome), Handling::Taken);
        let (delay, next) = next_push(service);
        delays.push((delay * 1e6).round() / 1e6);
        push = next;
    }
    (delays, push)
}

#[test]
fn the_delay_doubles_up_to_a_limit_with_jitter() {
    const FULL: [f64; 11] = [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 2560.0, 3600.0, 3600.0];
    for (fraction, part) in [(0.0, 0.5), (0.5, 0.75), (1.0 - 1e-12, 1.0)] {
        let mut service = Service::with_juliet(Options::default());
        service.set_fraction(fraction);
        let expected = FULL.map(|delay| delay * part);
        assert_eq!(delays(&mut service, Outcome::Transient, FULL.len()).0, expected, "fraction {fraction}");
    }
}

#[test]
fn the_delay_is_what_the_operator_says() {
    let options = Options { retry_delay: 1.0, max_retry_delay: 3.0, ..Options::default() };
    let mut service = Service::with_juliet(options);
    assert_eq!(delays(&mut service, Outcome::Transient, 4).0, [0.5, 1.0, 1.5, 1.5]);
}

#[test]
fn the_delay_does_not_grow_while_nobody_is_there() {
    for (outcome, longest) in [(Outcome::Silent, 10.0), (Outcome::Transient, 1280.0)] {
        let mut service = Service::with_juliet(Options::default());
        service.acquaint(JULIET);
        let (_, push) = delays(&mut service, outcome, 8);
        service.reply(&push, Outcome::Transient);
        let (delay, _) = next_push(&mut service);
        assert!(delay <= longest && delay > longest / 4.0, "{outcome:?}: {delay}");
    }
}

#[test]
fn a_success_sets_the_delay_back() {
    let mut service = Service::with_juliet(Options::default());
    let (_, push) = delays(&mut service, Outcome::Transient, 3);
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Taken);
    assert_eq!(delays(&mut service, Outcome::Transient, 1).0, [5.0]);
}

#[test]
fn a_retry_says_what_was_not_pushed() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "1");
    let push = service.push();
    service.reply(&push, Outcome::Transient);
    let (_, retry) = next_push(&mut service);
    assert_ne!(retry.id, push.id);
    assert_eq!(retry.summary, push.summary);
    assert!(retry.mentioned);
}

#[test]
fn a_retry_merges_with_what_is_new() {
    for (case, while_in_flight, room) in [
        ("while it was in flight", true, ORCHARD),
        ("while it waited", false, ORCHARD),
        ("in another room, while it was in flight", true, HALL),
        ("in another room, while it waited", false, HALL),
    ] {
        let mut service = Service::with_juliet(with_body());
        service.mention(ORCHARD, JULIET, "1");
        let push = service.push();
        if while_in_flight {
            service.say(room, "2");
        }
        service.reply(&push, Outcome::Transient);
        if !while_in_flight {
            service.say(room, "2");
            service.assert_quiet(case);
        }
        let (_, retry) = next_push(&mut service);
        assert_eq!((retry.count(), retry.body()), (2, Some("2")), "{case}");
        assert!(retry.mentioned, "{case}: the mention was not pushed yet");
        service.reply(&retry, Outcome::Delivered);
        service.wait(1e6);
        service.assert_quiet(case);
    }
}

#[test]
fn a_retry_is_dropped_when_nothing_is_left_to_be_said() {
    type Change = fn(&mut Service);
    let table: [(&str, Change); 4] = [
        ("she is there", |service| service.occupant_present(ORCHARD, JULIET, "Juliet")),
        ("she is no member", |service| service.affiliation_changed(ORCHARD, JULIET, false, None)),
        ("the room is gone", |service| service.room_destroyed(ORCHARD)),
        ("the device is gone", |service| assert_eq!(service.disable(JULIET, None), 1)),
    ];
    for (case, change) in table {
        for while_in_flight in [true, false] {
            let mut service = Service::with_juliet(Options::default());
            service.say(ORCHARD, "But soft!");
            let push = service.push();
            if while_in_flight {
                change(&mut service);
            }
            let is_there = service.is_registered(JULIET);
            let handling = if is_there { Handling::Taken } else { Handling::Unknown };
            assert_eq!(service.reply(&push, Outcome::Transient), handling, "{case}");
            if !while_in_flight {
                change(&mut service);
            }
            service.wait(1e6);
            service.assert_quiet(case);
            assert_eq!(service.stats().in_flight, 0, "{case}");
        }
    }
}

#[test]
fn no_answer_in_time_is_a_transient_error() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let push = service.push();
    assert_eq!(service.next_deadline(), Some(service.now + 120.0));
    service.wait(119.999);
    service.assert_quiet("there is still time");
    assert_eq!(service.stats().in_flight, 1);
    service.wait(0.001);
    service.assert_quiet("it is to be retried later");
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Unknown, "an answer that is too late");
    let (delay, retry) = next_push(&mut service);
    assert_eq!((delay, retry.body()), (5.0, Some("1")));
}

#[test]
fn an_answer_before_the_timeout_was_noticed_is_in_time() {
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "1");
    let push = service.push();
    service.wait(500.0);
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Taken);
    service.assert_quiet("it was delivered");
}

#[test]
fn each_publish_has_its_own_time_to_be_answered() {
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "1");
    let first = service.push();
    service.wait(100.0);
    service.say(ORCHARD, "2");
    service.reply(&first, Outcome::Delivered);
    service.push();
    for (seconds, in_flight) in [(20.0, 1), (99.0, 1), (1.0, 0)] {
        service.wait(seconds);
        service.assert_quiet("nothing is due");
        assert_eq!(service.stats().in_flight, in_flight);
    }
}

#[test]
fn what_could_not_be_sent_is_retried() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let push = service.push();
    assert_eq!(service.handle_send_failure(&push.id), None);
    assert_eq!(service.handle_send_failure("unknown"), None);
    let (delay, retry) = next_push(&mut service);
    assert_eq!((delay, retry.body()), (5.0, Some("1")));
}

#[test]
fn there_is_no_push_for_what_is_older_than_its_time_to_live() {
    for (age, is_pushed) in [(99.0, true), (100.0, true), (101.0, false)] {
        let options = Options { time_to_live: 100.0, retry_delay: 1.0, ..with_body() };
        let mut service = Service::with_juliet(options);
        service.say(ORCHARD, "1");
        let push = service.push();
        service.reply(&push, Outcome::Transient);
        service.wait(age);
        assert_eq!(service.pushes().len(), usize::from(is_pushed), "{age} s");
    }
}

#[test]
fn what_has_expired_still_counts() {
    let options = Options { time_to_live: 100.0, ..with_body() };
    let mut service = Service::with_juliet(options);
    service.say(ORCHARD, "1");
    let push = service.push();
    service.say(HALL, "2");
    service.reply(&push, Outcome::Transient);
    service.wait(101.0);
    service.assert_quiet("both have expired");
    service.say(HALL, "3");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
}

#[test]
fn a_device_with_nothing_but_transient_errors_is_given_up_after_a_time() {
    for outcome in [Outcome::Transient, Outcome::Silent] {
        let options = Options { give_up_after: 1000.0, max_errors: 3, ..Options::default() };
        let mut service = Service::with_juliet(options);
        service.say(ORCHARD, "But soft!");
        let mut push = service.push();
        let first_error = service.now;
        let disabled = loop {
            match service.reply(&push, outcome) {
                Handling::Disabled(disabled) => break disabled,
                handling => assert_eq!(handling, Handling::Taken, "{outcome:?}"),
            }
            assert!(service.now - first_error < 1000.0, "{outcome:?}");
            push = next_push(&mut service).1;
        };
        assert!(service.now - first_error >= 1000.0, "{outcome:?}");
        assert_eq!((&*disabled.user, disabled.reason), (JULIET, Reason::Unreachable), "{outcome:?}");
        assert!(!service.is_registered(JULIET), "{outcome:?}");
    }
}

#[test]
fn any_other_answer_begins_that_time_anew() {
    for outcome in [Outcome::Delivered, Outcome::Rejected] {
        let options = Options { give_up_after: 1000.0, ..Options::default() };
        let mut service = Service::with_juliet(options);
        service.acquaint(JULIET);
        for step in 0..10 {
            service.say(ORCHARD, "But soft!");
            let push = service.push();
            assert_eq!(service.reply(&push, Outcome::Transient), Handling::Taken, "{outcome:?}, {step}");
            service.wait(600.0);
            let push = service.push();
            assert_eq!(service.reply(&push, outcome), Handling::Taken, "{outcome:?}, {step}");
        }
    }
}

#[test]
fn a_few_transient_errors_with_weeks_of_quiet_between_them_prove_nothing() {
    let mut service =
        Service::with_juliet(Options { give_up_after: 1000.0, max_errors: 3, ..Options::default() });
    for step in 0..2 {
        service.say(ORCHARD, "But soft!");
        let push = service.push();
        assert_eq!(service.reply(&push, Outcome::Transient), Handling::Taken, "{step}");
        service.occupant_present(ORCHARD, JULIET, "juliet");
        service.occupant_gone(ORCHARD, JULIET, "juliet");
        service.wait(5000.0);
        service.assert_quiet("there is nothing to push");
    }
    service.say(ORCHARD, "But soft!");
    let push = service.push();
    assert!(matches!(service.reply(&push, Outcome::Transient), Handling::Disabled(_)), "the third in a row");
}

#[test]
fn a_renewed_registration_waits_as_long_as_its_app_server_has_asked_for() {
    for outcome in [Outcome::Transient, Outcome::Silent] {
        let mut service = Service::with_juliet(Options::default());
        let mut delays = Vec::new();
        service.say(ORCHARD, "But soft!");
        let mut push = service.push();
        for _ in 0..4 {
            service.reply(&push, outcome);
            for _ in 0..100 {
                service.enable(JULIET, "phone");
                service.assert_quiet("the retry is not due");
            }
            let (delay, next) = next_push(&mut service);
            delays.push(delay);
            push = next;
        }
        assert_eq!(delays, [5.0, 10.0, 20.0, 40.0], "{outcome:?}");
        assert_eq!(push.count(), 1);
    }
}

#[test]
fn a_renewed_registration_has_its_errors_forgiven_and_is_not_given_up_soon() {
    let options = Options { give_up_after: 1000.0, max_errors: 3, ..Options::default() };
    let mut service = Service::with_juliet(options);
    for _ in 0..10 {
        service.say(ORCHARD, "But soft!");
        // An app server that has never taken a push is asked less and less often.
        let (_, push) = next_push(&mut service);
        assert_eq!(service.reply(&push, Outcome::Rejected), Handling::Taken);
        service.enable(JULIET, "phone");
    }
    service.say(ORCHARD, "But soft!");
    let (_, mut push) = next_push(&mut service);
    for _ in 0..10 {
        assert_eq!(service.reply(&push, Outcome::Transient), Handling::Taken);
        service.wait(900.0);
        service.enable(JULIET, "phone");
        push = next_push(&mut service).1;
    }
}

#[test]
fn a_device_registered_anew_elsewhere_does_not_wait_for_a_push_to_its_former_address() {
    let (before, after) = (("push.example/a", "b<c"), ("push.example/a<b", "c"));
    let enable = |service: &mut Service, (jid, node): (&str, &str)| {
        let (jid, node) = (jid.replace('<', "&lt;"), node.replace('<', "&lt;"));
        service.request_enable(JULIET, &enable_iq(&jid, &node)).expect("a request in order")
    };
    let mut service = Service::new(with_body());
    enable(&mut service, before);
    service.read(ORCHARD, &[JULIET], &[]);
    service.mention(ORCHARD, JULIET, "But soft!");
    let push = service.push();
    enable(&mut service, after);
    assert_eq!(service.store[JULIET].registrations.len(), 1, "the store has one place for both");
    assert_eq!(service.stats().devices, 1);
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Unknown);
    let again = service.push();
    assert_eq!((again.app_server.as_str(), again.node.as_deref()), (after.0, Some(after.1)));
    assert_eq!((again.body(), again.mentioned), (Some("But soft!"), true));
    assert_eq!(service.reply(&again, Outcome::Delivered), Handling::Taken);

    service.say(ORCHARD, "It is the east.");
    let push = service.push();
    enable(&mut service, after);
    service.assert_quiet("its push is on its way");
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Taken, "the same address");
}

#[test]
fn a_device_given_up_without_an_answer_is_among_what_is_due() {
    let mut service =
        Service::with_juliet(Options { give_up_after: 100.0, max_errors: 2, ..Options::default() });
    service.say(ORCHARD, "But soft!");
    service.push();
    service.wait(120.0);
    assert!(service.take_due(ALL, Scope::AllRooms).1.is_empty());
    service.wait(10.0);
    service.push();
    service.wait(120.0);
    let (pushes, disabled) = service.take_due(ALL, Scope::AllRooms);
    assert!(pushes.is_empty());
    let disabled: Vec<_> = disabled.iter().map(|it| (&*it.user, &*it.push_identifier, it.reason)).collect();
    assert_eq!(disabled, [(JULIET, &*push_identifier("phone"), Reason::Unreachable)]);
    assert_eq!(service.next_deadline(), None);
}
