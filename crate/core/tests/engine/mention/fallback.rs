//! XEP-0428: what is not looked at.

use super::*;

#[test]
fn a_fallback_says_nothing() {
    let cases = [
        ("no fallback", String::new(), true),
        ("the word", fallback("<body start='3' end='6'/>"), false),
        ("what comes before", fallback("<body start='0' end='3'/>"), true),
        ("what comes after", fallback("<body start='6' end='9'/>"), true),
        ("one of several parts", fallback("<body start='0' end='1'/><body start='2' end='7'/>"), false),
        (
            "overlapping parts",
            fallback("<body start='0' end='5'/><body start='1' end='2'/><body start='4' end='6'/>"),
            false,
        ),
        (
            "one of several fallbacks",
            fallback("<body start='0' end='1'/>") + &fallback("<body start='2' end='7'/>"),
            false,
        ),
        ("the whole body", fallback("<body/>"), false),
        ("the whole message", fallback(""), false),
        ("the whole message, with white space in it", fallback("\n  "), false),
        ("to the end", fallback("<body start='2'/>"), false),
        ("from the beginning", fallback("<body end='6'/>"), false),
        ("the subject", fallback("<subject/>"), true),
        ("the subject and a part", fallback("<subject/><body start='3' end='6'/>"), false),
        ("something unknown", fallback("<x xmlns='urn:example'/>"), true),
        ("a part of a part", fallback("<body start='0' end='9'/><body start='1' end='2'/>"), false),
        ("parts in no order", fallback("<body start='7' end='8'/><body start='3' end='6'/>"), false),
        ("beyond the end", fallback("<body start='3' end='99'/>"), false),
        ("all beyond the end", fallback("<body start='98' end='99'/>"), true),
        ("reversed", fallback("<body start='6' end='3'/>"), true),
        ("empty", fallback("<body start='4' end='4'/>"), true),
        ("negative", fallback("<body start='-3' end='6'/>"), true),
        ("no number", fallback("<body start='three' end='six'/>"), true),
        ("one number", fallback("<body start='0' end='six'/>"), true),
        ("another namespace", "<fallback xmlns='urn:example'><body/></fallback>".to_owned(), true),
        ("another purpose", "<fallback xmlns='urn:xmpp:fallback:0' for='urn:example'/>".to_owned(), false),
    ];
    for (name, fallback, expected) in cases {
        let children = format!("<body>ab bob cd</body>{fallback}");
        assert_eq!(names(&children, "bob"), expected, "{name}");
    }
}

#[test]
fn a_fallback_is_counted_in_code_points() {
    let children =
        |end: usize| format!("<body>🎉🎉é bob</body>{}", fallback(&format!("<body start='0' end='{end}'/>")));
    assert!(names(&children(4), "bob"));
    assert!(!names(&children(5), "bob"));
}

#[test]
fn what_a_fallback_leaves_is_not_put_together() {
    for (body, nick, expected) in [
        ("bo--b", "bob", false),
        ("bo--b", "bo", true),
        ("b --ob", "b ob", false),
        ("e--\u{301}", "é", false),
        ("bob--by", "bob", true),
    ] {
        let start = body.find("--").expect("a part to cut");
        let cut = fallback(&format!("<body start='{start}' end='{}'/>", start + 2));
        assert_eq!(names(&format!("<body>{body}</body>{cut}"), nick), expected, "{body:?} {nick:?}");
    }
}
