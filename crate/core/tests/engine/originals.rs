//! The messages that other modules see with each push: how much is kept of them, and for how long.

use minidom::Element;
use muc_cloud_notify_testing::driver::{Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{JULIET, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};

/// How many bytes all of them may weigh.
const LIMIT: usize = 8 * 1024 * 1024;

fn elements(element: &Element) -> usize {
    1 + element.children().map(elements).sum::<usize>()
}

/// The message that other modules see with the next push, which is delivered.
fn shown(service: &mut Service) -> Option<Element> {
    let pushes = service.take_pushes(1, Scope::OneRoom);
    let push: &Publish = pushes.first().expect("there is a push");
    service.reply(push, Outcome::Delivered);
    push.judged_by.as_ref()?.original.clone()
}

/// What is shown of a message with this content.
fn shown_of(content: &str) -> Element {
    let mut service = Service::with_juliet(with_body());
    service.broadcast(ORCHARD, Some(ROMEO), PRIVATE, content);
    shown(&mut service).expect("it was kept")
}

#[test]
fn a_usual_message_is_kept_as_it_is() {
    let list = |items: usize| {
        format!("<body>hello</body><list xmlns='urn:x'>{}</list>", "<a b='c'>d</a>".repeat(items))
    };
    for (items, expected) in [(0, 3), (10, 13), (497, 500), (498, 2), (60_000, 2)] {
        assert_eq!(elements(&shown_of(&list(items))), expected, "{items}");
    }
    let text = |bytes: usize| format!("<body>{}</body><x xmlns='urn:x'/>", "a".repeat(bytes));
    for (bytes, expected) in [(1, 3), (60_000, 3), (65_536, 2), (200_000, 2)] {
        assert_eq!(elements(&shown_of(&text(bytes))), expected, "{bytes}");
    }
}

#[test]
fn what_does_not_fit_takes_nothing_else_with_it() {
    let large = format!("<list xmlns='urn:x'>{}</list>", "<a/>".repeat(1_000));
    let message = shown_of(&format!("{large}<body>hello</body>{large}<y xmlns='urn:y'/>"));
    let names: Vec<&str> = message.children().map(Element::name).collect();
    assert_eq!(names, ["body", "y"]);
    assert_eq!(message.attr("type"), Some("groupchat"));
}

#[test]
fn many_that_wait_are_bounded_and_the_newest_are_kept() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "hello");
    let in_flight = service.take_pushes(1, Scope::OneRoom).remove(0);
    let (rooms, bytes) = (400, 50_000);
    for number in 0..rooms {
        let room = format!("room-{number}@conference.example");
        service.read(&room, &[JULIET], &[]);
        service.say(&room, &"a".repeat(bytes));
    }
    service.reply(&in_flight, Outcome::Delivered);
    let kept: Vec<bool> = (0..rooms).map(|_| shown(&mut service).is_some()).collect();
    let count = kept.iter().filter(|kept| **kept).count();
    assert!(count * bytes <= LIMIT && count * bytes > LIMIT / 2, "{count}");
    assert!(kept.is_sorted(), "it is the oldest that are not kept any more");
}

#[test]
fn those_that_were_pushed_are_in_nobodys_way() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "the first");
    let first = service.take_pushes(1, Scope::OneRoom).remove(0);
    service.enable(ROMEO, "romeo");
    service.read("hall@conference.example", &[ROMEO], &[]);
    for _ in 0..1_000 {
        service.say_as("hall@conference.example", Some(JULIET), &"a".repeat(50_000));
        assert!(shown(&mut service).is_some());
    }
    service.reply(&first, Outcome::Transient);
    service.wait_for_deadline();
    let again = shown(&mut service).expect("it has waited for long, but nobody else needed the space");
    assert!(again.children().any(|body| body.text() == "the first"));
}
