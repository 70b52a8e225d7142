//! What a message costs, however it is made: steps are counted, not time.

use std::fmt::Write;

use muc_cloud_notify_core::work_done;

use super::*;

/// The largest stanza that Prosody takes from another server (`s2s_stanza_size_limit`).
const SIZE: usize = 512 * 1024;

/// What is compared with nicknames at most, and prepared of addresses (64 kB each), and what of a text is looked at with the
/// longest that folding makes of it.
const BUDGETS: usize = 2 * 64 * 1024 + 12 * 16 * 1024;

/// How often a byte of a message may be looked at: for its children, its bodies, their ranges, their quotations.
const PASSES: usize = 4;

fn repeated(text: &str) -> String {
    text.repeat(SIZE / text.len())
}

/// As many elements as fit beside a body.
fn many(body: &str, element: &dyn Fn(usize) -> String) -> Element {
    let mut children = format!("<body>{body}</body>");
    let mut number = 0;
    while children.len() < SIZE {
        let _ = write!(children, "{}", element(number));
        number += 1;
    }
    format!("<message xmlns='jabber:client'>{children}</message>")
        .parse::<Element>()
        .expect("well-formed XML")
}

/// What it costs to ask whether a message concerns any of these.
fn work_for(message: &Element, nicknames: &[Nickname]) -> usize {
    let mut known = KnownNicknames::default();
    nicknames.iter().for_each(|nickname| known.add(nickname));
    let before = work_done();
    let message = Message::read(message, ROOM);
    let mentions = Mentions::read(&message, None, &known);
    for nickname in nicknames {
        mentions.concern(SOMEBODY, [nickname]);
    }
    message.push_text(1024);
    work_done() - before
}

fn assert_bounded(name: &str, message: &Element, nicknames: &[Nickname]) {
    let (size, work) = (String::from(message).len(), work_for(message, nicknames));
    let bound = PASSES * size + BUDGETS + nicknames.len();
    assert!(work <= bound, "{name}: {work} steps for {size} bytes and {} nicknames", nicknames.len());
}

/// The longest messages there are, each made to be hard to read.
#[test]
fn a_long_body_is_read_a_few_times() {
    let bodies = [
        ("a", repeated("a")),
        ("a a", repeated("a ")),
        ("aaaa", repeated("aaaaa ")),
        ("a a a a b", repeated("a ")),
        (&format!("{}b", "a ".repeat(120)), repeated("a ")),
        ("bob", repeated("bo b ")),
        ("a.a", repeated("a.")),
        ("a\u{301}", repeated("\u{301}")),
        ("e\u{316}\u{301}", repeated("\u{301}\u{316}")),
        ("a", format!("a:{}", repeated("\u{301}"))),
        ("a", repeated("a\u{200D}")),
        ("🐙", repeated("🎉")),
        ("🎉", repeated("🎉\u{200D}")),
        ("🇩🇪", repeated("🇩")),
        ("田", repeated("中")),
        ("ﷺ", repeated("ﷺ")),
        ("strasse", repeated("STRAẞ")),
        ("한", repeated("\u{1112}\u{1161}")),
        ("a", repeated("a.A，")),
        ("a", repeated("a.A.")),
        ("a", repeated("@a")),
        ("a", repeated("a@[1")),
        ("a", repeated("a?a=a,")),
        ("a", repeated("a?[a[")),
        ("a", repeated("a://(")),
        ("a", repeated("http:a=(")),
        ("a", repeated("a/a/a.a,")),
    ];
    for (nick, body) in bodies {
        let name = format!("{nick:?} in {:?}…", body.chars().take(8).collect::<String>());
        assert_bounded(&name, &with_body(&body), &[Nickname::new(nick)]);
    }
}

#[test]
fn many_elements_are_read_a_few_times() {
    let accented = "é".repeat(SIZE / 4);
    let language = |number: usize| format!("<body xml:lang='l{number}'>{}</body>", "é".repeat(20));
    let linked = |number: usize| {
        format!(
            "<reference xmlns='urn:xmpp:reference:0' type='mention' begin='{number}' end='{}' uri='xmpp:a@b'/>",
            number + 9
        )
    };
    for (name, message) in [
        ("ranges", many(&accented, &|number| range(&number.to_string(), &(number + 1000).to_string()))),
        ("linked ranges", many(&"a".repeat(SIZE / 2), &linked)),
        (
            "fallbacks",
            many(&accented, &|number| fallback(&format!("<body start='{number}' end='{}'/>", number + 9000))),
        ),
        ("languages", many(&"é".repeat(20), &language)),
        ("addresses", many("", &|number| reference(&format!("xmpp:{number}@b.example")))),
        ("domains", many("", &|number| reference(&format!("xmpp:xn--{}{number}", "a1b2".repeat(200))))),
        ("labels", many("", &|number| reference(&format!("xmpp:{}{number}", "ü.".repeat(400))))),
        ("locals", many("", &|number| reference(&format!("xmpp:{}{number}@localhost", "É".repeat(500))))),
        (
            "replies",
            many("", &|number| format!("<reply xmlns='urn:xmpp:reply:0' to='a{number}@b.example'/>")),
        ),
        ("nothing", many("a", &|_| "<a/>".to_owned())),
        ("empty bodies", many("a", &|_| "<body/>".to_owned())),
    ] {
        assert_bounded(name, &message, &[Nickname::new("é")]);
    }
}

/// A quotation that is marked in many parts, in a message in many languages.
#[test]
fn parts_of_many_bodies_are_looked_at_so_many_times() {
    let mut children = String::from("<body>hello all of you</body>");
    for language in 0..30 {
        let _ = write!(children, "<body xml:lang='l{language}'>hello all of {language}</body>");
    }
    let parts: String = (0..8000).map(|number| format!("<body start='{}' end='9'/>", number % 8)).collect();
    let message = message(&format!("{children}{}", fallback(&parts)));
    assert_bounded("parts", &message, &[Nickname::new("all")]);
}

#[test]
fn one_message_is_compared_with_any_number_of_nicknames_only_so_much() {
    let commas = ",".repeat(940);
    let numbered = |count: usize, begin: &str| -> Vec<Nickname> {
        (0..count).map(|number| Nickname::new(&format!("{begin}{number}"))).collect()
    };
    let long_word = "a".repeat(240);
    for (name, body, nicknames) in [
        ("commas", ",".repeat(500_000), numbered(1000, &commas)),
        ("commas that are looked for", ",".repeat(500_000), numbered(1000, &commas[..240])),
        ("letters", "a ".repeat(8000), numbered(1000, &"a ".repeat(125))),
        ("one word", "user ".repeat(3000), numbered(5000, "user ")),
        ("a long word", format!("{long_word} ").repeat(60), numbered(5000, &format!("{long_word} "))),
        ("marks", "\u{301}".repeat(8000), numbered(1000, &"\u{301}".repeat(100))),
        ("joiners", "🎉\u{200D}".repeat(2000), numbered(1000, &"🎉".repeat(50))),
    ] {
        assert_bounded(name, &with_body(&body), &nicknames);
    }
}

/// An address in a message means one occupant at most: the others' nicknames are as they are known.
#[test]
fn nicknames_are_not_prepared_anew_for_each_message() {
    let nicknames: Vec<_> =
        (0..1000).map(|number| Nickname::new(&format!("{}{number}", "é".repeat(350)))).collect();
    let message = message(&reference(&format!("xmpp:{ROOM}/nobody")));
    assert_bounded("nicknames", &message, &nicknames);
}

/// Whoever enters has any nickname they like.
#[test]
fn a_nickname_is_found_among_those_that_begin_the_same() {
    let begin = "a ".repeat(100);
    let nicknames: Vec<_> = (0..1000).map(|number| Nickname::new(&format!("{begin}{number}"))).collect();
    let before = work_done();
    let mut known = KnownNicknames::default();
    for _ in 0..2 {
        nicknames.iter().for_each(|nickname| known.add(nickname));
    }
    for _ in 0..2 {
        nicknames.iter().for_each(|nickname| known.remove(nickname));
    }
    assert_eq!(known, KnownNicknames::default());
    assert!(work_done() - before <= 4 * 1000 * 11, "{} comparisons", work_done() - before);
}

/// The bounds leave room for what people do.
#[test]
fn many_people_can_be_mentioned_in_a_great_room() {
    let nicknames: Vec<_> = (0..5000).map(|number| Nickname::new(&format!("user {number}"))).collect();
    let concerned = |message: &Element| {
        let mut known = KnownNicknames::default();
        nicknames.iter().for_each(|nickname| known.add(nickname));
        let message = Message::read(message, ROOM);
        let mentions = Mentions::read(&message, None, &known);
        nicknames.iter().filter(|nickname| mentions.concern(SOMEBODY, [*nickname])).count()
    };
    assert_eq!(concerned(&with_body("hello user 4999, and the others")), 1);
    let everybody: String = (0..300).map(|number| format!("user {number}, ")).collect();
    let one_word: Vec<_> = (0..300).map(|number| Nickname::new(&format!("user{number}"))).collect();
    let body = with_body(&everybody.replace("user ", "user"));
    let mentions = mentions_of(&body, ROOM);
    assert!(one_word.iter().all(|nickname| mentions.concern(SOMEBODY, [nickname])));
    let references: String =
        (0..1000).map(|number| reference(&format!("xmpp:user{number}@example.com"))).collect();
    let body = message(&references);
    let mentions = mentions_of(&body, ROOM);
    assert!((0..1000).all(|number| mentions.concern(&format!("user{number}@example.com"), [])));
}
