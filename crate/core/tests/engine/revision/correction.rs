//! Messages that get another text while they wait.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Scope};
use muc_cloud_notify_testing::names::{JULIET, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};

use super::{CORRECT, IMPORTANT, MODERATE, RETRACT, WAYS, busy, next, restart, retract, revise, say, says};

#[test]
fn a_corrected_message_tells_the_new_text_and_counts_once() {
    for id in ["secret", "o-secret", "s-secret"] {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, Some(ROMEO), CORRECT, id);
        assert_eq!(next(&mut service, &push), says(2, Some("corrected")), "{id}");
    }
}

#[test]
fn so_does_the_retry_of_a_push_in_flight() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    let push = service.push();
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    service.reply(&push, Outcome::Transient);
    service.wait(3600.0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("corrected")));
}

#[test]
fn a_second_correction_names_the_original() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    revise(&mut service, Some(ROMEO), &CORRECT.replace("corrected", "again"), "secret");
    assert_eq!(next(&mut service, &push), says(2, Some("again")));
}

#[test]
fn what_was_corrected_can_be_taken_back() {
    // Clients show both as one message, so moderators may mean either.
    for (sender, content, id) in
        WAYS.into_iter().chain([(None, MODERATE, "s-revision"), (Some(ROMEO), RETRACT, "s-revision")])
    {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, Some(ROMEO), CORRECT, "secret");
        let mut restarted = restart(&service);
        for service in [&mut service, &mut restarted] {
            revise(service, sender, content, id);
        }
        assert_eq!(next(&mut service, &push), None, "{content} {id}");
        assert_eq!(
            restarted.push().body(),
            IMPORTANT,
            "told again, as its answer was not there: {content} {id}"
        );
    }
}

#[test]
fn the_correction_of_an_earlier_message_changes_no_words() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    say(&mut service, "newest");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    assert_eq!(next(&mut service, &push), says(3, Some("newest")));
}

#[test]
fn a_message_whose_words_are_not_kept_has_words_again_when_it_is_corrected() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    say(&mut service, "newest");
    retract(&mut service, "newest");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    assert_eq!(next(&mut service, &push), says(2, Some("corrected")));
}

#[test]
fn the_new_text_is_told_as_any_text_is() {
    for (content, expected) in [
        ("<body>  </body>", IMPORTANT),
        (
            "<body>for others</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>",
            IMPORTANT,
        ),
        ("<body>a text that is far too long</body>", Some("a text that i…")),
    ] {
        let mut service = Service::with_juliet(Options { max_body_bytes: 16, ..with_body() });
        say(&mut service, "secret");
        let content = format!("<replace xmlns='urn:xmpp:message-correct:0' id='{{}}'/>{content}");
        revise(&mut service, Some(ROMEO), &content, "secret");
        assert_eq!(service.push().body(), expected, "{content}");
    }
}

#[test]
fn all_devices_share_a_correction() {
    let mut service = Service::with_juliet(with_body());
    service.enable(JULIET, "tablet");
    say(&mut service, "secret");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    let pushes = service.poll(10, Scope::AllRooms).pushes;
    assert_eq!(pushes.len(), 2);
    assert_eq!(pushes[0].summary, pushes[1].summary, "the same text, not an equal one");
    assert_eq!(service.publish(&pushes[0]).body(), Some("corrected"));
}

#[test]
fn a_correction_of_what_no_device_waits_for_is_not_pushed() {
    let mut service = Service::with_juliet(with_body());
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    service.assert_quiet("the original is not known");
}
