//! Words that are kept for an app server of this very process, whatever the options say. All others are told what the options
//! say, and no more.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};

fn keeping(options: Options) -> Service {
    let mut service = Service::with_juliet(options);
    service.keep_words(true);
    service
}

/// Options, and whether app servers in general are told the text and the sender with them.
fn cases() -> [(Options, bool, bool); 4] {
    let all = Options { with_sender: true, ..with_body() };
    [
        (Options::default(), false, false),
        (Options { with_body: false, ..all.clone() }, false, true),
        (Options { with_sender: false, ..all.clone() }, true, false),
        (all, true, true),
    ]
}

/// What is told to app servers in general.
fn assert_told(push: &Publish, body: &str, (with_body, with_sender): (bool, bool)) {
    assert_eq!(push.body(), Some(if with_body { body } else { "New Message!" }));
    assert_eq!(push.summary.last_message_sender.is_some(), with_sender);
}

/// The author's nickname and the text that are kept of a push.
fn kept(service: &Service, push: &Publish) -> (Option<String>, Option<String>, bool) {
    let (sender, body, is_mention) =
        service.words(&push.id).unwrap_or((Some("/not on its way"), None, false));
    let nick = sender.and_then(|sender| Some(sender.split_once('/')?.1.to_owned()));
    (nick, body.map(str::to_owned), is_mention)
}

fn romeo(body: &str, is_mention: bool) -> (Option<String>, Option<String>, bool) {
    (Some("Romeo".to_owned()), Some(body.to_owned()), is_mention)
}

const NOTHING: (Option<String>, Option<String>, bool) = (None, None, false);

#[test]
fn they_are_there_and_all_others_are_told_what_the_options_say() {
    for (options, with_body, with_sender) in cases() {
        let mut service = keeping(options);
        service.say(ORCHARD, "But soft!");
        let push = service.push();
        assert_told(&push, "But soft!", (with_body, with_sender));
        assert_eq!(kept(&service, &push), romeo("But soft!", false));
        service.reply(&push, Outcome::Delivered);
        assert_eq!(service.words(&push.id), None, "it is not on its way any more");
        service.mention(ORCHARD, JULIET, "Juliet!");
        let push = service.push();
        assert_told(&push, "Juliet!", (with_body, with_sender));
        assert_eq!(kept(&service, &push), romeo("Juliet!", true));
    }
}

#[test]
fn where_nobody_asks_none_are_kept() {
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "But soft!");
    let push = service.push();
    assert_eq!(kept(&service, &push), NOTHING);
    service.reply(&push, Outcome::Delivered);

    let mut service = keeping(Options::default());
    service.keep_words(false);
    service.say(ORCHARD, "But soft!");
    let push = service.push();
    assert_eq!(kept(&service, &push), NOTHING);

    // Nor after the options were read again, unless somebody asks again.
    service.reply(&push, Outcome::Delivered);
    service.keep_words(true);
    service.configure(Options::default());
    service.say(ORCHARD, "What light?");
    let push = service.push();
    assert_eq!(kept(&service, &push), NOTHING);
}

#[test]
fn of_merged_messages_they_are_those_of_the_newest() {
    for (options, with_body, with_sender) in cases() {
        let mut service = keeping(options);
        service.say(ORCHARD, "1");
        let push = service.push();
        service.mention(ORCHARD, JULIET, "2");
        service.say(HALL, "3");
        service.reply(&push, Outcome::Transient);
        service.wait_for_deadline();
        let push = service.push();
        assert_eq!(push.count(), 3);
        assert_told(&push, "3", (with_body, with_sender));
        assert_eq!(kept(&service, &push), romeo("3", true));
    }
}

#[test]
fn none_of_them_are_stored_that_the_options_do_not_allow() {
    for (options, with_body, with_sender) in cases() {
        let mut service = keeping(options.clone());
        service.say(ORCHARD, "But soft!");
        let snapshot = service.snapshot();
        let text = format!("{snapshot:?}");
        assert_eq!((text.contains("But soft!"), text.contains("/Romeo")), (with_body, with_sender));

        let mut restarted = Service::restarted(5.0, options, service.store.clone());
        restarted.keep_words(true);
        restarted.restore(&snapshot);
        restarted.read(ORCHARD, &[JULIET], &[]);
        let push = restarted.push();
        assert_told(&push, "But soft!", (with_body, with_sender));
        let (nick, body, _) = kept(&restarted, &push);
        assert_eq!((nick.is_some(), body.is_some()), (with_sender, with_body));
    }
}

#[test]
fn nor_are_they_in_the_journal() {
    for (options, with_body, with_sender) in cases() {
        let mut service = Service::with_juliet(options.clone());
        service.configure_journal(Options { journal: true, ..options });
        service.keep_words(true);
        service.say(ORCHARD, "But soft!");
        let batches: Vec<_> = std::iter::from_fn(|| {
            let batch = service.finish_batch()?;
            service.batch_stored(0.0);
            Some(format!("{batch:?}"))
        })
        .take(100)
        .collect();
        let text = batches.concat();
        assert!(text.contains(ORCHARD), "{text}");
        assert_eq!((text.contains("But soft!"), text.contains("/Romeo")), (with_body, with_sender));
        let push = service.push();
        assert_told(&push, "But soft!", (with_body, with_sender));
        assert_eq!(kept(&service, &push), romeo("But soft!", false));
    }
}

#[test]
fn who_has_not_consented_to_a_membership_hears_none() {
    let mut service = Service::new(Options::default());
    service.keep_words(true);
    service.enable(JULIET, "juliet");
    service.set_members_without_consent(ORCHARD, [(JULIET, None)], [JULIET]);
    service.set_occupants(ORCHARD, []);
    service.mention(ORCHARD, JULIET, "Buy this!");
    let push = service.push();
    let (nick, body, _) = kept(&service, &push);
    assert_eq!((nick, body), (None, None));
}

#[test]
fn a_push_that_is_none_has_none() {
    let mut service = keeping(Options::default());
    service.handle_ping(JULIET);
    let push = service.push();
    assert_eq!(kept(&service, &push), NOTHING);
    for id in ["", "x", "another", &push.id[1..]] {
        assert_eq!(service.words(id), None);
    }
    assert!(service.take_pushes(ALL, Scope::AllRooms).is_empty());
}
