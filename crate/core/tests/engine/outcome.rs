//! The answers of app servers: persistent errors are counted, and what answers nothing of ours is ignored.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Disabled, Handling, Outcome, Publish, Reason};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD, PUSHER, push_identifier};
use muc_cloud_notify_testing::service::Service;

/// A push for a new message.
fn next(service: &mut Service) -> Publish {
    service.say(ORCHARD, "But soft!");
    service.push()
}

/// So many pushes are rejected, and the device is still there.
fn reject(service: &mut Service, times: u32) {
    for _ in 0..times {
        let push = next(service);
        assert_eq!(service.reply(&push, Outcome::Rejected), Handling::Taken);
    }
}

#[test]
fn a_rejected_push_is_not_retried() {
    let mut service = Service::with_juliet(Options::default());
    reject(&mut service, 1);
    service.wait(1e6);
    service.assert_quiet("it was rejected");
    assert_eq!(next(&mut service).count(), 2, "but the next message is pushed, and the count is right");
}

#[test]
fn what_came_in_meanwhile_follows_a_rejection_at_once() {
    let mut service = Service::with_juliet(Options::default());
    let push = next(&mut service);
    service.say(ORCHARD, "Ay me!");
    service.reply(&push, Outcome::Rejected);
    assert_eq!(service.push().count(), 2);
}

#[test]
fn what_is_pushed_to_has_ended_where_an_app_server_that_may_be_believed_says_so() {
    let mut service = Service::with_juliet(Options::default());
    service.acquaint(JULIET);
    let push = next(&mut service);
    let from = push.app_server.as_str();
    assert_eq!(service.handle_ended(&push.id, "evil.example"), Handling::Unknown, "only whoever was asked");
    assert!(service.is_registered(JULIET));
    let Handling::Disabled(disabled) = service.handle_ended(&push.id, from) else {
        panic!("the device is disabled")
    };
    let of_juliet = Disabled {
        user: JULIET.into(),
        push_identifier: push_identifier("phone"),
        app_server: push.app_server.clone(),
        reason: Reason::Ended,
    };
    assert_eq!(disabled, of_juliet);
    assert!(!service.is_registered(JULIET));
    assert_eq!(service.handle_ended(&push.id, from), Handling::Unknown, "it is reported once");
    assert_eq!(service.say(ORCHARD, "But soft!"), 0);
}

#[test]
fn what_is_pushed_to_has_ended_once_where_that_is_one_error_too_many_as_well() {
    let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
    service.acquaint(JULIET);
    let push = next(&mut service);
    let handling = service.handle_ended(&push.id, push.app_server.as_str());
    assert!(
        matches!(handling, Handling::Disabled(Disabled { reason: Reason::Rejected(1), .. })),
        "{handling:?}"
    );
}

#[test]
fn as_many_persistent_errors_in_a_row_as_are_allowed_disable_the_device_once() {
    for max_errors in [1, 2, 16] {
        let mut service = Service::with_juliet(Options { max_errors, ..Options::default() });
        service.acquaint(JULIET);
        reject(&mut service, max_errors - 1);
        let push = next(&mut service);
        let expected = Disabled {
            user: JULIET.into(),
            push_identifier: push_identifier("phone"),
            app_server: push.app_server.clone(),
            reason: Reason::Rejected(max_errors),
        };
        assert_eq!(service.reply_disables(&push, Outcome::Rejected), expected);
        assert_eq!(service.reply(&push, Outcome::Rejected), Handling::Unknown, "it is reported once");
        assert!(!service.is_registered(JULIET));
        assert_eq!(service.say(ORCHARD, "But soft!"), 0);
        assert_eq!(service.stats().devices, 0);
    }
    assert_eq!(Options::default().max_errors, 16);
}

#[test]
fn other_devices_are_not_concerned() {
    let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "1");
    let pushes = service.pushes();
    for push in &pushes {
        match push.node.as_deref() {
            Some("phone") => {
                assert_eq!(
                    service.reply_disables(push, Outcome::Rejected).push_identifier,
                    push_identifier("phone")
                )
            }
            _ => assert_eq!(service.reply(push, Outcome::Delivered), Handling::Taken),
        }
    }
    assert!(service.is_registered(JULIET));
    assert_eq!(next(&mut service).node.as_deref(), Some("tablet"));
}

#[test]
fn a_success_sets_the_errors_back() {
    let mut service = Service::with_juliet(Options { max_errors: 3, ..Options::default() });
    for _ in 0..3 {
        reject(&mut service, 2);
        let push = next(&mut service);
        assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Taken);
    }
}

#[test]
fn transient_errors_neither_count_nor_set_the_errors_back() {
    for outcome in [Outcome::Transient, Outcome::Silent] {
        let mut service = Service::with_juliet(Options { max_errors: 3, ..Options::default() });
        reject(&mut service, 2);
        for _ in 0..4 {
            let push = next(&mut service);
            assert_eq!(service.reply(&push, outcome), Handling::Taken);
            service.wait(3600.0);
            let push = service.push();
            assert_eq!(service.reply(&push, outcome), Handling::Taken);
            service.occupant_present(ORCHARD, JULIET, "Juliet");
            service.occupant_gone(ORCHARD, JULIET, "Juliet");
            service.wait(3600.0);
            service.assert_quiet("she was there");
        }
        let push = next(&mut service);
        assert_eq!(service.reply_disables(&push, Outcome::Rejected).reason, Reason::Rejected(3));
    }
}

#[test]
fn registering_again_sets_the_errors_back() {
    let mut service = Service::with_juliet(Options { max_errors: 3, ..Options::default() });
    reject(&mut service, 2);
    service.enable(JULIET, "phone");
    reject(&mut service, 2);
}

#[test]
fn registering_another_device_does_not() {
    let mut service = Service::with_juliet(Options { max_errors: 3, ..Options::default() });
    reject(&mut service, 2);
    service.enable_at(JULIET, "other.example", "phone");
    service.say(ORCHARD, "1");
    let pushes = service.pushes();
    let push = pushes.iter().find(|push| push.app_server.as_str() == PUSHER).unwrap();
    assert_eq!(service.reply_disables(push, Outcome::Rejected).reason, Reason::Rejected(3));
}

#[test]
fn a_disabled_device_may_register_again() {
    let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
    let push = next(&mut service);
    service.reply_disables(&push, Outcome::Rejected);
    service.store.clear();
    assert!(service.enable(JULIET, "phone"), "she is in no room's index any more");
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(next(&mut service).count(), 1);
}

#[test]
fn what_answers_nothing_of_ours_changes_nothing() {
    for outcome in [Outcome::Delivered, Outcome::Transient, Outcome::Silent, Outcome::Rejected] {
        let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
        let push = next(&mut service);
        service.say(ORCHARD, "Ay me!");
        let id = push.id.clone();
        let unknown = format!("{}{}", &push.id[..16], "07".repeat(16));
        for (case, id, from) in [
            ("another id", "push-0", PUSHER),
            ("an unknown id of the same device", &*unknown, PUSHER),
            ("no id", "", PUSHER),
            ("somebody else", &*id, "evil.example"),
            ("a user of the app server", &*id, "evil@push.example"),
            ("a resource of the app server", &*id, "push.example/evil"),
            ("the user", &*id, JULIET),
            ("nobody", &*id, ""),
        ] {
            let handling = service.handle_reply(id, from, outcome);
            assert_eq!(handling, Handling::Unknown, "{case}");
            service.assert_quiet(case);
            assert_eq!(service.stats().in_flight, 1, "{case}");
        }
        assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Taken);
        assert_eq!(service.push().count(), 2);
    }
}

#[test]
fn a_second_answer_to_the_same_publish_changes_nothing() {
    let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
    let first = next(&mut service);
    assert_eq!(service.reply(&first, Outcome::Delivered), Handling::Taken);
    assert_eq!(service.reply(&first, Outcome::Rejected), Handling::Unknown);
    let second = next(&mut service);
    assert_eq!(service.reply(&first, Outcome::Rejected), Handling::Unknown);
    assert_eq!(service.reply(&second, Outcome::Delivered), Handling::Taken);
}

#[test]
fn an_answer_for_a_device_that_was_removed_changes_nothing() {
    let mut service = Service::with_juliet(Options { max_errors: 1, ..Options::default() });
    let push = next(&mut service);
    service.disable(JULIET, None);
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(service.reply(&push, Outcome::Rejected), Handling::Unknown);
    assert!(service.is_registered(JULIET), "the new registration has had no error");
    assert_eq!(next(&mut service).count(), 1);
}

#[test]
fn users_with_the_same_node_are_not_mixed_up() {
    let mut service = Service::new(Options { max_errors: 1, ..Options::default() });
    service.enable(JULIET, "phone");
    service.enable(NURSE, "phone");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    service.say(ORCHARD, "But soft!");
    let pushes = service.pushes();
    assert_eq!(pushes.len(), 2);
    assert_ne!(pushes[0].id, pushes[1].id);
    for push in &pushes {
        if &*push.user == NURSE {
            assert_eq!(&*service.reply_disables(push, Outcome::Rejected).user, NURSE);
        } else {
            assert_eq!(service.reply(push, Outcome::Delivered), Handling::Taken);
        }
    }
    assert!(service.is_registered(JULIET) && !service.is_registered(NURSE));
}
