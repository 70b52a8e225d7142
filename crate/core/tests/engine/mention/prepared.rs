//! Nicknames as Prosody prepares them (Resourceprep): without joiners, in NFKC.

use super::*;

#[test]
fn a_nickname_is_found_with_and_without_its_joiners() {
    // As they are typed; the same as Prosody gives it; another one.
    for (typed, prepared, other) in [
        ("പ്രവീണ്\u{200D}", "പ്രവീണ്", "പ്രവീൺ"),
        ("علی\u{200C}رضا", "علیرضا", "علی"),
        ("bo\u{AD}b", "bob", "bo"),
        ("\u{FEFF}bob\u{2060}", "bob", "bobo"),
        ("Ｂｏｂ", "Bob", "Rob"),
        ("ﬁona", "fiona", "ona"),
        ("Bob\u{A0}Ö", "Bob Ö", "Bob O"),
        ("bob²", "bob2", "bob"),
        ("Ⅳ", "IV", "V"),
        ("❤\u{FE0F}", "❤", "♥"),
        ("👩\u{200D}💻", "👩💻", "💻"),
        ("한", "\u{1112}\u{1161}\u{11AB}", "하"),
    ] {
        for (text, nick, expected) in [
            (typed, typed, true),
            (typed, prepared, true),
            (prepared, typed, true),
            (prepared, prepared, true),
            (typed, other, false),
        ] {
            assert_eq!(body_names(&format!("hi {text}!"), nick), expected, "{text:?} {nick:?}");
            assert_eq!(body_names(text, nick), expected, "{text:?} {nick:?}");
            let end = 1 + text.chars().count();
            let by_range = format!("<body>x{text}x</body>{}", range("1", &end.to_string()));
            assert_eq!(names(&by_range, nick), expected, "{text:?} {nick:?} by range");
            let uri = format!("xmpp:den@conference.localhost/{text}");
            assert_eq!(names(&reference(&uri), nick), expected, "{text:?} {nick:?} by reference");
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let uri = format!("xmpp:den@conference.localhost/{encoded}");
            assert_eq!(names(&reference(&uri), nick), expected, "{text:?} {nick:?} by reference");
            let to = format!("den@conference.localhost/{text}");
            assert_eq!(names(&reply(&to), nick), expected, "{text:?} {nick:?} by reply");
        }
    }
}

/// The `jid` crate refuses what its tables do not know, and directions that are mixed.
#[test]
fn a_nickname_that_the_jid_crate_refuses_is_prepared_too() {
    for (typed, prepared) in [
        ("a\u{200D}\u{5D0}", "a\u{5D0}"),
        ("\u{AD}x\u{E000}", "x\u{E000}"),
        ("\u{FF21}\u{E0001}", "A\u{E0001}"),
    ] {
        assert!(jid::ResourcePart::new(typed).is_err(), "{typed:?}");
        for (text, nick) in [(typed, prepared), (prepared, typed)] {
            assert!(names(&reference(&format!("xmpp:den@conference.localhost/{text}")), nick), "{text:?}");
            assert!(names(&reply(&format!("den@conference.localhost/{text}")), nick), "{text:?}");
            let end = 1 + text.chars().count();
            assert!(
                names(&format!("<body>x{text}x</body>{}", range("1", &end.to_string())), nick),
                "{text:?}"
            );
        }
    }
}

#[test]
fn an_address_keeps_upper_and_lower_case_apart() {
    assert!(names(&reference("xmpp:den@conference.localhost/Ｂｏｂ"), "Bob"));
    assert!(!names(&reference("xmpp:den@conference.localhost/ｂｏｂ"), "Bob"));
}

#[test]
fn a_zero_width_space_divides_words() {
    assert!(body_names("สวัสดี\u{200B}bob\u{200B}ครับ", "bob"));
    assert!(body_names("hi\u{200B}bob", "bob"));
    // this is how bridges write a nickname that they do not want to mention
    assert!(!body_names("b\u{200B}ob: hi", "bob"));
    assert!(!body_names("hi\u{2060}bob", "bob"));
    assert!(!body_names("hi\u{200D}bob", "bob"));
}

#[test]
fn emoji_that_a_joiner_has_made_one_are_not_taken_apart() {
    for (body, nick, expected) in [
        ("👩\u{200D}💻", "👩", false),
        ("👩\u{200D}💻", "💻", false),
        ("❤\u{FE0F}\u{200D}🔥", "❤", false),
        ("❤\u{FE0F} 🔥", "❤", true),
        ("👩🏽\u{200D}💻 hi", "👩🏽\u{200D}💻", true),
        ("👩💻", "👩", true),
        ("👩\u{200D}", "👩", true),
        ("👩\u{200D} 💻", "👩", true),
        ("bob\u{200D}👩", "bob", true),
        ("\u{200D}\u{200D}bob\u{200D}\u{200D}", "bob", true),
    ] {
        assert_eq!(body_names(body, nick), expected, "{body:?} {nick:?}");
    }
}
