//! The nickname as a word in the body.

use super::*;

#[test]
fn a_nickname_is_a_whole_word() {
    for (body, nick, expected) in [
        ("bob", "bob", true),
        ("hi @bob", "bob", true),
        ("bob: hi", "bob", true),
        ("bob's", "bob", true),
        ("bob’s", "bob", true),
        ("(Bob)", "bob", true),
        ("*bob*, no?", "bob", true),
        ("hi\nbob\nhi", "bob", true),
        ("bobby and bob", "bob", true),
        ("bob.", "bob", true),
        ("bob.smith", "bob", true),
        ("bob-smith", "bob", true),
        ("xa a a", "a a", true),
        ("bobby", "bob", false),
        ("kabob", "bob", false),
        ("bob_x", "bob", false),
        ("x_bob", "bob", false),
        ("bob2", "bob", false),
        ("2bob", "bob", false),
        ("bo b", "bob", false),
        ("bob\u{301}", "bob", false),
        ("bobö", "bob", false),
        ("", "bob", false),
        // nicknames of several words, and of parts of words
        ("hello bob ö!", "Bob Ö", true),
        ("bob's dog", "bob's", true),
        ("hi a.b", "a.b", true),
        ("bob öl", "Bob Ö", false),
        ("bob", "Bob Ö", false),
        ("bob  ö", "Bob Ö", false),
        ("a.bc", "a.b", false),
        // somebody else's nickname is a prefix
        ("hi bobby tables", "bobby", true),
        ("hi bobby", "bobby tables", false),
        ("hi bobbytables", "bobby", false),
        // digits, underscores
        ("ping 007", "007", true),
        ("ping 0071", "007", false),
        ("ping _x_ now", "_x_", true),
        ("ping a_x_b now", "_x_", false),
        // a mark that nothing comes before
        ("b:\u{301}a", "\u{301}a", true),
        ("b\u{301}a", "\u{301}a", false),
    ] {
        assert_eq!(body_names(body, nick), expected, "{body:?} {nick:?}");
    }
}

#[test]
fn a_nickname_is_a_word_in_a_script_without_spaces() {
    for (body, nick, expected) in [
        ("私は田中です", "田中", true),
        ("田中さん、bobさん", "bob", true),
        ("你好bob你好", "bob", true),
        ("タロさん", "タロ", true),
        ("タロウさん", "タロ", false),
        ("私は田村です", "田中", false),
    ] {
        assert_eq!(body_names(body, nick), expected, "{body:?} {nick:?}");
    }
}

#[test]
fn a_nickname_of_no_letters_is_found_where_it_occurs() {
    for (body, nick, expected) in [
        ("hi 🐙!", "🐙", true),
        ("hi🐙there", "🐙", true),
        ("🎉🐙🎉", "🐙", true),
        ("👩\u{200D}💻", "👩\u{200D}💻", true),
        ("what ^_^ ?", "^_^", true),
        ("¯\\_(ツ)_/¯", "¯\\_(ツ)_/¯", true),
        ("ok ... then", "...", true),
        ("hi 🦑", "🐙", false),
        ("what ^-^ ?", "^_^", false),
        // part of another emoji
        ("👩\u{200D}💻", "👩", false),
    ] {
        assert_eq!(body_names(body, nick), expected, "{body:?} {nick:?}");
    }
}

#[test]
fn a_nickname_is_compared_without_regard_to_case() {
    for (body, nick, expected) in [
        ("BOB", "bob", true),
        ("STRASSE", "straße", true),
        ("straße", "STRASSE", true),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος", true),
        ("éva", "ÉVA", true),
        ("E\u{301}va", "Éva", true),
        ("Éva", "e\u{301}VA", true),
        ("ДИМА", "Дима", true),
        ("\u{212B}sa", "åsa", true),
        ("Eva", "Éva", false),
        ("Éva", "va", false),
    ] {
        assert_eq!(body_names(body, nick), expected, "{body:?} {nick:?}");
    }
}

#[test]
fn a_blank_nickname_is_never_mentioned() {
    for nick in ["", " ", "\t\n", "\u{3000}"] {
        for body in ["", " ", "a b", "\u{3000}"] {
            assert!(!body_names(body, nick), "{body:?} {nick:?}");
        }
        assert!(!names(&format!("<body>a b</body>{}", range("1", "2")), nick), "{nick:?}");
    }
}
