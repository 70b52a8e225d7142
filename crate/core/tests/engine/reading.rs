//! Any message is read in a bounded time, and nothing makes that panic.

use std::fmt::Write;
use std::time::{Duration, Instant};

use minidom::Element;
use muc_cloud_notify_core::{KnownNicknames, Mentions, Message, Nickname};
use muc_cloud_notify_testing::names::{JULIET, ORCHARD};
use muc_cloud_notify_testing::seeds::config;
use muc_cloud_notify_testing::stanza::xml;
use proptest::prelude::*;

/// As long as a stanza may be.
const SIZE: usize = 256 * 1024;

/// What docs/clients.md states for the longest messages, and twenty times as much for a build without optimisation on a busy
/// machine.
const BUDGET: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 100 });

/// All that the engine asks of a message, in a room with a hundred absent members and as many nicknames as are kept.
fn read(element: &Element, nicks: &[Nickname], known: &KnownNicknames) -> usize {
    let message = Message::read(element, ORCHARD);
    let told = message.push_text(1024);
    assert!(told.is_none_or(|told| told.len() <= 1024 && !told.trim().is_empty()));
    let mentions = Mentions::read(&message, None, known);
    let mentioned = nicks.iter().filter(|nick| mentions.concern(JULIET, [*nick])).count();
    mentioned + usize::from(message.is_important())
}

fn nicknames() -> (Vec<Nickname>, KnownNicknames) {
    let nicks = ["a", "a a", "b", "é", "🎉", "田", "c", "x y", "a.b", "\u{301}"];
    let long = format!("{}b", "a ".repeat(120));
    let members = (0..100).map(|number| match nicks.get(number) {
        Some(nick) => Nickname::new(nick),
        None => Nickname::new(&long),
    });
    let mut known = KnownNicknames::default();
    for number in 0..1000 {
        known.add(&Nickname::new(&format!("a {}{number}", "a ".repeat(number % 120))));
    }
    (members.collect(), known)
}

fn with_body(body: &str) -> Element {
    let body = Element::builder("body", "jabber:client").append(body).build();
    Element::builder("message", "jabber:client").append(body).build()
}

fn many(begin: &str, count: usize, element: impl Fn(usize) -> String) -> Element {
    let mut children = begin.to_owned();
    for number in 0..count {
        let _ = write!(children, "{}", element(number));
    }
    xml(&format!("<message type='groupchat'>{children}</message>"))
}

#[test]
fn the_longest_messages_are_read_in_time() {
    let repeated = |text: &str| text.repeat(SIZE / text.len());
    let body = format!("<body>{}</body>", repeated("a é 🎉 "));
    let long_word = format!("<body>{}</body>", repeated("é"));
    let mut messages: Vec<(String, Element)> = [
        "a",
        "a ",
        "a a b ",
        "é",
        "\u{301}",
        "a\u{301}",
        "e\u{316}\u{301} ",
        "\u{200D}",
        "👩\u{200D}",
        "🎉",
        "🇩",
        "中",
        "ẞ",
        "\u{FDFA}",
        "\u{200B}",
        "a\u{200B}",
        "\u{1112}\u{1161}",
        "a,",
        "a@",
        "a@b,",
        "://",
        "a://b ",
        "a:",
        "a=",
        "a/",
        "a.",
        "a.b.c/",
        "?a",
        "?a=",
        "田@",
        "(",
        "a(",
        "https://a.b/(",
        "/a",
        "~/",
        "\\",
        "@a:b.c ",
        "\n",
        "\u{A0}",
        "\u{3000}a",
    ]
    .into_iter()
    .map(|text| (format!("{text:?} again and again"), with_body(&repeated(text))))
    .collect();
    let reference =
        |attributes: &str| format!("<reference xmlns='urn:xmpp:reference:0' type='mention' {attributes}/>");
    let part = |start: usize, end: usize| {
        format!("<fallback xmlns='urn:xmpp:fallback:0'><body start='{start}' end='{end}'/></fallback>")
    };
    messages.extend(
        [
            ("ranges", many(&body, 10_000, |n| reference(&format!("begin='{n}' end='{}'", n + 900)))),
            (
                "one long word",
                many(&long_word, 10_000, |n| reference(&format!("begin='{n}' end='{}'", n + 900))),
            ),
            (
                "links",
                many(&body, 10_000, |n| {
                    reference(&format!("begin='{n}' end='{}' uri='xmpp:user{n}@example.com'", n + 9))
                }),
            ),
            (
                "addresses",
                many(&body, 10_000, |n| reference(&format!("uri='xmpp:xn--{}{n}'", "a1".repeat(9)))),
            ),
            ("occupants", many(&body, 10_000, |n| reference(&format!("uri='xmpp:{ORCHARD}/é{n}'")))),
            (
                "replies",
                many(&body, 10_000, |n| format!("<reply xmlns='urn:xmpp:reply:0' to='{ORCHARD}/{n}'/>")),
            ),
            ("quotations", many(&body, 10_000, |n| part(n, n + 9000))),
            ("bodies", many("", 10_000, |n| format!("<body xml:lang='x-{n}'>a {n} é</body>"))),
            ("blank bodies", many("", 10_000, |n| format!("<body xml:lang='x-{n}'> </body>"))),
            (
                "long bodies",
                many("", 20, |n| {
                    format!("<body xml:lang='x-{n}'>{}</body>{}", "a ".repeat(6000), part(n, n + 9))
                }),
            ),
            ("empty elements", many(&body, 30_000, |_| "<a xmlns='b'/>".to_owned())),
        ]
        .map(|(name, message)| (name.to_owned(), message)),
    );
    let (nicks, known) = nicknames();
    for (name, message) in messages {
        let begun = Instant::now();
        read(&message, &nicks, &known);
        let taken = begun.elapsed();
        assert!(taken < BUDGET, "{name}: {taken:?}");
    }
}

fn any_message() -> impl Strategy<Value = Element> {
    let text = prop_oneof!["[abo @:/.?=,()'_\u{301}\u{200D}\u{200B}🎉田ßﷺ\\-]{0,40}", any::<String>()];
    let number = prop_oneof![
        (0..40_u64).prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        "[ -~é]{0,4}"
    ];
    let child = (0..9_u8, text, number.clone(), number, prop::option::of("de|en|")).prop_map(
        |(kind, text, begin, end, lang)| {
            let attribute = |name: &str| name.try_into().expect("a name");
            match kind {
                0..3 => {
                    let body = Element::builder("body", "jabber:client");
                    body.attr_ns(rxml::Namespace::XML, attribute("lang"), lang).append(text).build()
                }
                3 => Element::builder("fallback", "urn:xmpp:fallback:0")
                    .append(
                        Element::builder("body", "urn:xmpp:fallback:0")
                            .attr(attribute("start"), begin)
                            .attr(attribute("end"), end),
                    )
                    .build(),
                4 => Element::builder("reply", "urn:xmpp:reply:0").attr(attribute("to"), text).build(),
                5 => Element::builder("x", "jabber:x:oob")
                    .append(Element::builder("url", "jabber:x:oob").append(text))
                    .build(),
                6 => Element::builder("encryption", "urn:xmpp:eme:0").build(),
                _ => Element::builder("reference", "urn:xmpp:reference:0")
                    .attr(attribute("type"), "mention")
                    .attr(attribute("begin"), begin)
                    .attr(attribute("end"), end)
                    .attr(attribute("uri"), (kind == 7).then(|| format!("xmpp:{ORCHARD}/{text}")))
                    .build(),
            }
        },
    );
    (prop::collection::vec(child, 0..8), prop::option::of("de|en|")).prop_map(|(children, lang)| {
        let attribute = |name: &str| name.try_into().expect("a name");
        let message = Element::builder("message", "jabber:client").attr(attribute("type"), "groupchat");
        let message = message.attr_ns(rxml::Namespace::XML, attribute("lang"), lang);
        message.append_all(children).build()
    })
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn any_message_is_read(message in any_message(), nick in "\\PC{0,8}", longer in "\\PC{0,8}", max_bytes in 0..64_usize) {
        let mut known = KnownNicknames::default();
        known.add(&Nickname::new(&format!("{nick}{longer}")));
        let (nick, read) = (Nickname::new(&nick), Message::read(&message, ORCHARD));
        let told = read.push_text(max_bytes);
        prop_assert!(told.as_ref().is_none_or(|told| told.len() <= max_bytes && !told.trim().is_empty()));
        prop_assert!(told.is_none() || read.is_important());
        let nothing = KnownNicknames::default();
        let without = Mentions::read(&read, None, &nothing);
        let with = Mentions::read(&read, None, &known);
        // A longer nickname only ever takes mentions away.
        prop_assert!(without.concern(JULIET, [&nick]) || !with.concern(JULIET, [&nick]));
        let author = Mentions::read(&read, Some(JULIET), &known);
        prop_assert!(author.concern(JULIET, []));
    }
}
