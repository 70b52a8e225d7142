//! A message has one body for each language (RFC 6121).

use super::*;

fn in_german(children: &str) -> Element {
    format!("<message xmlns='jabber:client' type='groupchat' xml:lang='de'>{children}</message>")
        .parse()
        .expect("well-formed XML")
}

fn german_names(children: &str, nick: &str) -> bool {
    mentions_of(&in_german(children), ROOM).concern(SOMEBODY, [&Nickname::new(nick)])
}

#[test]
fn a_nickname_counts_in_any_language() {
    let bodies = "<body>alice</body><body xml:lang='de'>bob</body><body xml:lang='en'/><body xml:lang='fr'>carol</body>";
    for nick in ["alice", "bob", "carol"] {
        assert!(names(bodies, nick), "{nick}");
        assert!(german_names(bodies, nick), "{nick}");
    }
    assert!(!names(bodies, "dan"));
    assert!(!names("<body>bo</body><body xml:lang='de'>b</body>", "bob"));
    assert!(!names("<body>John</body><body xml:lang='de'>Doe</body>", "John Doe"));
}

#[test]
fn positions_are_counted_in_the_language_of_the_message() {
    let bodies = "<body xml:lang='en'>xalicex</body><body xml:lang='de'>xbobx</body>";
    let children = format!("{bodies}{}", range("1", "4"));
    assert!(german_names(&children, "bob"));
    assert!(!names(&children, "bob"));
    let children = format!("{bodies}{}", range("1", "6"));
    assert!(names(&children, "alice"));
    assert!(!german_names(&children, "alice"));
    // a blank one has no positions
    let blank = format!("<body xml:lang='de'> </body><body>xbobx</body>{}", range("1", "4"));
    assert!(german_names(&blank, "bob"));
}

#[test]
fn positions_are_counted_in_the_nearest_language() {
    let names_at_1 = |language: &str, bodies: &str| {
        let message = format!(
            "<message xmlns='jabber:client' xml:lang='{language}'>{bodies}{}</message>",
            range("1", "4")
        );
        mentions_of(&message.parse().expect("well-formed XML"), ROOM)
            .concern(SOMEBODY, [&Nickname::new("bob")])
    };
    let german_first =
        |other: &str| format!("<body xml:lang='de'>xannx</body><body xml:lang='{other}'>xbobx</body>");
    assert!(names_at_1("en-US", &german_first("en")));
    assert!(names_at_1("en", &german_first("en-GB")));
    assert!(!names_at_1("en-US", &german_first("fr")));
    assert!(!names_at_1("en", &german_first("eng")));
}

#[test]
fn a_quotation_is_in_each_language_that_begins_with_it() {
    let quoting = |start: &str, end: &str| fallback(&format!("<body start='{start}' end='{end}'/>"));
    let bodies = "<body>&gt; bob\nyes</body><body xml:lang='fr'>&gt; bob\noui</body>";
    assert!(names(bodies, "bob"));
    assert!(!names(&format!("{bodies}{}", quoting("0", "6")), "bob"));
    let others = "<body>&gt; ann\nyes</body><body xml:lang='fr'>bob, oui</body>";
    assert!(names(&format!("{others}{}", quoting("0", "6")), "bob"));
    assert!(!names(&format!("{others}{}", quoting("0", "6")), "ann"));
    assert!(!names(&format!("{bodies}{}", fallback("")), "bob"));
}

/// There is no end of languages, but of what is read of them.
#[test]
fn sixteen_languages_are_read() {
    let bodies = |count: usize| {
        let others: String =
            (0..count).map(|number| format!("<body xml:lang='x-{number}'>x</body>")).collect();
        format!("{others}<body xml:lang='de'>bob</body>")
    };
    assert!(names(&bodies(15), "bob"));
    assert!(!names(&bodies(16), "bob"));
    assert!(german_names(&bodies(16), "bob"));
}

#[test]
fn sixteen_kib_of_text_are_read() {
    let body = |length: usize| format!("{} bob", "x ".repeat(length / 2));
    assert!(body_names(&body(16 * 1024 - 4), "bob"));
    assert!(!body_names(&body(16 * 1024), "bob"));
    let bodies = format!("<body>{}</body><body xml:lang='de'>bob</body>", "x".repeat(16 * 1024 - 3));
    assert!(names(&bodies, "bob"));
    let bodies = format!("<body>{}</body><body xml:lang='de'>bob</body>", "x".repeat(16 * 1024 - 2));
    assert!(!names(&bodies, "bob"));
}
