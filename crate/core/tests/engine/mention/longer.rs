//! The longest nickname wins.

use super::*;

fn known(nicks: &[&str]) -> KnownNicknames {
    let mut known = KnownNicknames::default();
    nicks.iter().for_each(|nick| known.add(&Nickname::new(nick)));
    known
}

/// Which of the nicknames a message with these children mentions in a room that has all of them.
fn named<'a>(children: &str, nicks: &[&'a str]) -> Vec<&'a str> {
    let known = known(nicks);
    let message = message(children);
    let mentions = Mentions::read(&Message::read(&message, ROOM), None, &known);
    let named = nicks.iter().filter(|nick| mentions.concern(SOMEBODY, [&Nickname::new(nick)]));
    named.copied().collect()
}

#[test]
fn a_nickname_inside_of_a_longer_one_is_no_mention() {
    for (body, nicks, expected) in [
        ("John Doe: ping", &["John", "John Doe"][..], &["John Doe"][..]),
        ("JOHN DOE: ping", &["John", "John Doe"], &["John Doe"]),
        ("@John Doe, ping", &["John", "John Doe"], &["John Doe"]),
        ("John: ping", &["John", "John Doe"], &["John"]),
        ("John  Doe: ping", &["John", "John Doe"], &["John"]),
        ("John Does: ping", &["John", "John Doe"], &["John"]),
        ("John Doe and John: ping", &["John", "John Doe"], &["John", "John Doe"]),
        ("John, John Doe: ping", &["John", "John Doe"], &["John", "John Doe"]),
        ("foobar[home]: hi", &["foobar", "foobar[home]"], &["foobar[home]"]),
        ("foobar: hi", &["foobar", "foobar[home]"], &["foobar"]),
        ("ann|away hi", &["ann", "ann|away"], &["ann|away"]),
        ("ann-marie hi", &["ann", "marie", "ann-marie"], &["ann-marie"]),
        ("C++: hi", &["C", "C++"], &["C++"]),
        ("John 🎉: hi", &["John", "John 🎉"], &["John 🎉"]),
        // inside, and at the end
        ("hi Big John Doe", &["John", "Doe", "John Doe", "Big John Doe"], &["Big John Doe"]),
        ("hi John Doe", &["John", "Doe", "John Doe", "Big John Doe"], &["John Doe"]),
        // neither is inside of the other
        ("John Doe Smith", &["John Doe", "Doe Smith", "Doe"], &["John Doe", "Doe Smith"]),
        // as Prosody prepares it
        ("Ｊｏｈｎ Ｄｏｅ", &["John", "John Doe"], &["John Doe"]),
        ("علی\u{200C}رضا پور", &["علی", "علیرضا", "علیرضا پور"], &["علیرضا پور"]),
        // punctuation makes no nickname longer: nobody can keep others from being mentioned
        ("bob: hi", &["bob", "bob:"], &["bob", "bob:"]),
        ("@bob hi", &["bob", "@bob"], &["bob", "@bob"]),
        ("(bob)", &["bob", "(bob)"], &["bob", "(bob)"]),
        ("...", &["...", "...!"], &["..."]),
    ] {
        assert_eq!(named(&format!("<body>{body}</body>"), nicks), expected, "{body:?} {nicks:?}");
    }
}

#[test]
fn a_nickname_of_the_same_member_may_be_inside_of_the_other() {
    let known = known(&["John Doe"]);
    let message = message("<body>John Doe: ping</body>");
    let mentions = Mentions::read(&Message::read(&message, ROOM), None, &known);
    let [registered, last] = [Nickname::new("John"), Nickname::new("John Doe")];
    assert!(mentions.concern(SOMEBODY, [&registered, &last]));
    assert!(!mentions.concern(SOMEBODY, [&registered]));
}

#[test]
fn what_a_reference_covers_belongs_to_it() {
    let to = |uri: &str, begin, end| {
        format!(
            "<reference xmlns='urn:xmpp:reference:0' type='mention' begin='{begin}' end='{end}' uri='{uri}'/>"
        )
    };
    let doe = "xmpp:doe@example.com";
    for (children, expected) in [
        // by their address, by their nickname, by something else
        (format!("<body>John Doe: ping</body>{}", to(doe, 0, 8)), false),
        (format!("<body>John Doe: ping</body>{}", to("xmpp:den@conference.localhost/JD", 0, 8)), false),
        (format!("<body>hi @John</body>{}", to(doe, 3, 8)), false),
        (format!("<body>hi @John</body>{}", to(doe, 4, 8)), false),
        (format!("<body>🎉 @John</body>{}", to(doe, 2, 7)), false),
        (format!("<body>🎉 @John</body>{}", to(doe, 3, 8)), false),
        (format!("<body>hi @John's</body>{}", to(doe, 3, 8)), false),
        // John is there beside it
        (format!("<body>John Doe: ping John</body>{}", to(doe, 0, 8)), true),
        (format!("<body>John Doe: ping</body>{}", to(doe, 5, 8)), true),
        // a URI that says nothing
        (format!("<body>John Doe: ping</body>{}", to("https://example.org/", 0, 8)), true),
        (format!("<body>John Doe: ping</body>{}", to("", 0, 8)), true),
        // positions that cut words, or are none
        (format!("<body>hey @Doe John</body>{}", to(doe, 7, 12)), true),
        (format!("<body>John Doe: ping</body>{}", to(doe, 0, 99)), true),
        (format!("<body>John Doe: ping</body>{}", to(doe, 8, 0)), true),
        (format!("<body>John Doe: ping</body>{}", reference(doe)), true),
        (
            format!(
                "<body>John Doe: ping</body><reference xmlns='urn:xmpp:reference:0' type='data' begin='0' end='8' uri='{doe}'/>"
            ),
            true,
        ),
    ] {
        assert_eq!(names(&children, "John"), expected, "{children}");
    }
    let covered = format!("<body>John Doe: ping</body>{}", to(doe, 0, 8));
    assert!(addresses(&covered, "doe@example.com"));
}

#[test]
fn a_range_that_is_a_nickname_counts_inside_of_a_longer_one() {
    let children = format!("<body>John Doe: ping</body>{}", range("0", "4"));
    assert_eq!(named(&children, &["John", "John Doe"]), ["John", "John Doe"]);
    let children = format!("<body>John Doe: ping</body>{}", range("0", "8"));
    assert_eq!(named(&children, &["John", "John Doe"]), ["John Doe"]);
}

#[test]
fn a_nickname_is_known_as_long_as_anybody_has_it() {
    let mut known = KnownNicknames::default();
    let [john, doe] = [Nickname::new("John"), Nickname::new("John Doe")];
    let message = message("<body>John Doe: ping</body>");
    let mut is_john_named = |change: fn(&mut KnownNicknames, &Nickname)| {
        change(&mut known, &doe);
        Mentions::read(&Message::read(&message, ROOM), None, &known).concern(SOMEBODY, [&john])
    };
    assert!(!is_john_named(KnownNicknames::add));
    assert!(!is_john_named(KnownNicknames::add));
    assert!(!is_john_named(KnownNicknames::remove));
    assert!(is_john_named(KnownNicknames::remove));
    assert!(is_john_named(KnownNicknames::remove));
    assert!(!is_john_named(KnownNicknames::add));
    assert!(is_john_named(KnownNicknames::remove));
    assert_eq!(known, KnownNicknames::default());
}

#[test]
fn a_thousand_nicknames_are_known() {
    let mut known = KnownNicknames::default();
    for number in 0..1000 {
        known.add(&Nickname::new(&format!("user {number}")));
    }
    known.add(&Nickname::new("John Doe"));
    known.add(&Nickname::new(&format!("user {}", "x".repeat(300))));
    let message = message("<body>John Doe, user 999: ping</body>");
    let mentions = Mentions::read(&Message::read(&message, ROOM), None, &known);
    assert!(mentions.concern(SOMEBODY, [&Nickname::new("John")]));
    assert!(!mentions.concern(SOMEBODY, [&Nickname::new("user")]));
}
