//! XEP-0372: a reference by its range.

use super::*;

#[test]
fn a_range_is_counted_in_code_points_or_utf_16_units() {
    // Nothing but the range can find `bob` in here.
    for (body, begin, end, expected) in [
        ("xbobx", "1", "4", true),
        ("x@bobx", "1", "5", true),
        ("x@bobx", "2", "5", true),
        ("x BOB x", "1", "6", true),
        ("bobx", "0", "3", true),
        ("xbob", "1", "4", true),
        ("🎉🎉xbobx", "3", "6", true),
        ("🎉🎉xbobx", "5", "8", true),
        ("éxbobx", "2", "5", true),
        ("xbobx", "+1", "04", true),
        ("xbobx", " 1 ", "4", true),
        ("xbobx", "1", "5", false),
        ("xbobx", "0", "4", false),
        ("xbobx", "4", "1", false),
        ("xbobx", "1", "1", false),
        ("xbobx", "-1", "4", false),
        ("xbobx", "1", "99", false),
        ("xbobx", "98", "99", false),
        ("xbobx", "1", "99999999999999999999999999", false),
        ("xbobx", "18446744073709551615", "18446744073709551615", false),
        ("xbobx", "1.0", "4.0", false),
        ("xbobx", "", "", false),
        ("🎉bobx", "1", "5", false),
        ("x@@bobx", "1", "6", false),
    ] {
        let children = format!("<body>{body}</body>{}", range(begin, end));
        assert_eq!(names(&children, "bob"), expected, "{body:?} [{begin}, {end})");
    }
}

#[test]
fn a_range_needs_both_ends_and_a_body() {
    for children in [
        "<body>xbobx</body><reference xmlns='urn:xmpp:reference:0' type='mention'/>",
        "<body>xbobx</body><reference xmlns='urn:xmpp:reference:0' type='mention' begin='1'/>",
        "<body>xbobx</body><reference xmlns='urn:xmpp:reference:0' type='mention' end='4'/>",
        "<body>xbobx</body><reference xmlns='urn:xmpp:reference:0' type='data' begin='1' end='4'/>",
        "<body>xbobx</body><reference xmlns='urn:xmpp:reference:0' type='mention' begin='1' end='4' anchor='xmpp:den@conference.localhost?id=1'/>",
        "<reference xmlns='urn:xmpp:reference:0' type='mention' begin='1' end='4'/>",
        "<body/><reference xmlns='urn:xmpp:reference:0' type='mention' begin='0' end='0'/>",
    ] {
        assert!(!names(children, "bob"), "{children}");
    }
}

/// The earlier module cut `Éva` to `\x89va`.
#[test]
fn a_range_begins_with_a_letter_that_is_not_ascii() {
    let children = format!("<body>xÉvax</body>{}", range("1", "4"));
    assert!(names(&children, "Éva"));
    assert!(names(&children, "éva"));
    assert!(names(&children, "E\u{301}va"));
    assert!(!names(&children, "va"));
}

#[test]
fn a_range_does_not_begin_inside_of_a_surrogate_pair() {
    let children = |begin, end| format!("<body>x🎉bobx</body>{}", range(begin, end));
    assert!(names(&children("1", "6"), "🎉bob"));
    assert!(!names(&children("2", "6"), "🎉bob"));
}

#[test]
fn a_range_longer_than_any_nickname_is_ignored() {
    let children = |end: &str| {
        format!("<body>{}bobx</body>{}{}", "x".repeat(70_000), range("0", end), range("70000", "70003"))
    };
    assert!(names(&children("70000"), "bob"));
    assert!(!names(&children("256"), &"x".repeat(256)));
    assert!(names(&children("255"), &"x".repeat(255)));
}

/// A stanza has room for thousands of long ranges, all of which would have to be folded.
#[test]
fn the_ranges_of_a_message_are_read_up_to_64_kib() {
    let children = |count| {
        format!(
            "<body>{}bobx</body>{}{}",
            "x".repeat(2000),
            range("0", "2000").repeat(count),
            range("2000", "2003")
        )
    };
    assert!(names(&children(32), "bob"));
    assert!(!names(&children(33), "bob"));
}

#[test]
fn a_range_can_be_a_nickname_that_begins_with_an_at_sign() {
    let children = format!("<body>x@bobx</body>{}", range("1", "5"));
    assert!(names(&children, "@bob"));
    assert!(names(&children, "bob"));
    assert!(!names(&children, "@@bob"));
}

#[test]
fn a_range_is_looked_at_only_without_a_usable_uri() {
    for (uri, expected) in [
        ("xmpp:alice@example.com", false),
        ("xmpp:other@conference.localhost/bob", false),
        ("xmpp:alice@ab--cd.example.com", false),
        ("https://example.com/bob", true),
        ("bob", true),
        ("", true),
        ("xmpp:", true),
        ("xmpp:?message", true),
        ("xmpp:@example.com", true),
        ("xmpp:a@b@c", true),
        ("xmpp:den@conference.localhost/", true),
        ("xmpp:den@conference.localhost/%FF", true),
        (&format!("xmpp:{}@example.com", "a".repeat(3072)), true),
    ] {
        let children = format!(
            "<body>xbobx</body><reference xmlns='urn:xmpp:reference:0' type='mention' begin='1' end='4' uri='{uri}'/>"
        );
        assert_eq!(names(&children, "bob"), expected, "{uri:?}");
    }
}

#[test]
fn a_range_refers_to_the_body_as_sent() {
    let children =
        format!("<body>> alice\nxbobx</body>{}{}", range("9", "12"), fallback("<body start='0' end='8'/>"));
    assert!(names(&children, "bob"));
    assert!(!names(&children, "alice"));
}
