//! The operator does not want app servers to know any more what was said, or by whom: what waits leaves without.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{Service, with_body};

fn told_all() -> Options {
    Options { with_sender: true, ..with_body() }
}

/// Options, and whether the text and the sender may be told with them.
fn cases() -> [(Options, bool, bool); 4] {
    [
        (told_all(), true, true),
        (Options { with_body: false, ..told_all() }, false, true),
        (Options { with_sender: false, ..told_all() }, true, false),
        (Options::default(), false, false),
    ]
}

/// What the next push says is no more than what is allowed.
fn assert_told(service: &mut Service, with_body: bool, with_sender: bool) {
    let push = service.push();
    let body = if with_body { "But soft!" } else { "New Message!" };
    assert_eq!(push.body(), Some(body));
    assert_eq!(push.summary.last_message_sender.is_some(), with_sender);
}

#[test]
fn what_waits_leaves_without() {
    for (options, with_body, with_sender) in cases() {
        let mut service = Service::with_juliet(told_all());
        service.say(ORCHARD, "But soft!");
        service.configure(options);
        assert_told(&mut service, with_body, with_sender);
    }
}

#[test]
fn what_has_failed_leaves_without() {
    for (options, with_body, with_sender) in cases() {
        let mut service = Service::with_juliet(told_all());
        service.say(ORCHARD, "But soft!");
        let push = service.push();
        service.configure(options);
        service.reply(&push, Outcome::Transient);
        service.wait_for_deadline();
        assert_told(&mut service, with_body, with_sender);
    }
}

#[test]
fn what_is_in_the_store_leaves_without() {
    for (options, with_body, with_sender) in cases() {
        let mut service = Service::with_juliet(told_all());
        service.say(ORCHARD, "But soft!");
        let snapshot = service.snapshot();
        let mut restarted = Service::restarted(5.0, options, service.store.clone());
        restarted.restore(&snapshot);
        let text = format!("{:?}", restarted.snapshot());
        assert_eq!((text.contains("But soft!"), text.contains("Romeo")), (with_body, with_sender));
        restarted.read(ORCHARD, &[JULIET], &[]);
        assert_told(&mut restarted, with_body, with_sender);
    }
}

#[test]
fn what_waits_is_stored_without() {
    for (options, with_body, with_sender) in cases() {
        let mut service = Service::with_juliet(told_all());
        service.say(ORCHARD, "But soft!");
        service.configure(options);
        let text = format!("{:?}", service.snapshot());
        assert_eq!((text.contains("But soft!"), text.contains("/Romeo")), (with_body, with_sender));
    }
}
