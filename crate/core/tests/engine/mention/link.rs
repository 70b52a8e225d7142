//! A word inside an address is no mention.

use super::*;

/// What nobody called "ann" is mentioned by.
const ADDRESSES: &[&str] = &[
    // of web pages
    "see https://example.org/@ann/1010",
    "https://ann.example/",
    "HTTPS://Example.ORG/ANN",
    "(https://example.org/ann)",
    "<https://example.org/ann>",
    "\"https://example.org/ann\"",
    "https://example.org/ann.",
    "https://example.org/x,ann",
    "https://en.wikipedia.org/wiki/Name_(ann)",
    "https://example.org/?q=(ann)&r=[ann]",
    "https://example.org/%20ann",
    "https://ann:secret@example.org/",
    "https://example.org/ann's",
    "[page](https://example.org/ann)",
    "page:https://example.org/ann",
    "https://[::1]/ann",
    "ftp://example.org/ann",
    "aesgcm://example.org/ann#0011",
    "matrix://example.org/ann",
    "web+ap://ann.example/x",
    "see\u{A0}https://example.org/ann",
    "https://example.org/\u{FF41}nn/ann",
    "見てhttps://example.org/ann、",
    "www.ann.example",
    "www.example/ann",
    "example.org/ann",
    "example.org/@ann",
    "example.org:8080/ann",
    "localhost:8080/ann",
    "ann.example.org",
    "irc.ann.example:6667",
    "sub.ann.example.",
    "(ann.example.org)",
    "**ann.example.org**",
    "www.example.org#ann",
    "www.example.org?ann",
    "en.example.org/?ann",
    "?by=ann#ann",
    "index.php?user=ann",
    "page?a[]=1&user=ann",
    // of people
    "mail@ann.example",
    "ann@example.org",
    "ann@localhost",
    "my.ann@example.org",
    "(ann@example.org)",
    "\"ann@example.org\",",
    "bob@example.org/ann",
    "git@host:ann/x",
    "user@ann:path",
    "@ann@mastodon.example",
    "@bob@ann.example",
    "@ann:matrix.example",
    "#ann:matrix.example",
    "ann@田中.example",
    "mailto:ann@example.org",
    "mailto:ann",
    "XMPP:ann@example.org?join",
    "xmpp:den@conference.example?join;nick=ann",
    "sip:ann@example.org",
    "tel:+49-ann",
    "irc:example,ann",
    "matrix:u/ann:example.org",
    "acct:ann@example.org",
    "urn:example:ann",
    "cid:ann@bob.example",
    "data:text/plain,ann",
    "geo:1,2;u=ann",
    "magnet:?xt=urn:ann",
    // of files
    "/home/ann/x",
    "/home/ann",
    "~/ann/x",
    "~ann/x",
    "$HOME/ann/x",
    "./ann",
    "../ann/x",
    "C:\\Users\\ann",
    "\\\\server\\ann",
    "path=/home/ann/x",
    "file:/home/ann",
    "docs/ann/notes.txt",
    "src/ann/main.rs:12",
    "(see:docs/ann/notes.txt)",
    "node_modules/@ann/x/index.js.",
    // with what nearly makes it none
    "www.Example.Ann",
    "192.168.0.1/ann",
    "192.168.0.1:8080/ann",
    "v1.example/ann",
    "example.org#ann",
    "example.org/#Ann",
    "ann@[127.0.0.1]",
    "(bob/ann@[127.0.0.1])",
    "ann@[IPv6:::1]",
    "/x?by=ann",
    "page?a=1&user=ann",
    "@cyd@bob@ann.example",
    "@bob@ann@carol.example",
    "https://example.org/x，https://example.org/ann",
    "，ann@example.org！",
    "https://example.org/\u{FF41}nn：",
];

/// What somebody called "ann" is mentioned by.
const TWINS: &[&str] = &[
    "ann https://example.org/",
    "ann: https://example.org/",
    "https://example.org/ ann",
    "https://example.org/\nann",
    "https://example.org/ann ann",
    "ann:https://example.org/",
    "[ann](https://example.org/)",
    "(https://example.org/)ann",
    "<https://example.org/>ann",
    "\"https://example.org/\" (ann)",
    "@ann see www.example.org",
    "ann ?by=bob",
    "ann <ann@example.org>",
    "mail@bob.example, ann",
    "mail@bob.example,ann",
    "ann,mail@bob.example",
    "ann/bob@example.org",
    "ann/bob: hi",
    "bob/ann",
    "bob/carol/ann: hi",
    "@ann",
    "@ann/@bob",
    "@ann,@bob",
    "ann@",
    "Hi.Ann",
    "Hi.Ann.",
    "Hi.Ann?ok",
    "Hi.Ann#2",
    "ann,bob,carol: hi",
    "cc:ann,bob@example.org",
    "@bob:ann",
    "ann→https://example.org/",
    "ann—hi",
    "->ann",
    "$ann",
    "hi...ann",
    "hi..ann..bye",
    "wait…ann",
    "e.g. ann",
    "ann: hi",
    "ann:hi",
    "ann:5",
    "ann://",
    "ann :/",
    "hi ann :-/",
    "what?ann",
    "ann?",
    "ann? a=b",
    "24/7 ann",
    "s/bob/ann/",
    "/ann",
    "/ann/",
    "#ann",
    "~ann",
    "ann's",
    "ann\\bob",
    "data: ann",
    "tel: ann",
    "ann = bob",
    "a=ann",
    "*ann*",
    "`ann`",
    "来て@ann",
    "来て@annさん",
    "来て@ann.",
    "ann/bob/carol",
    "ann/bob/carol.",
    "ann/bob/carol.Hi",
    "ann/bob/bob@example.org",
    "docs/x/notes.txt,ann",
    "ann@[bob]",
    "ann@ [127.0.0.1]",
    "Hi.Ann#ok",
    "hi.ann#2",
    "z.B.Ann",
    "z.B.ann.",
    "Ja.Äh.Ann",
    "Yes.Ann.Please",
    "v1.2/ann",
    "3.5/ann",
    "1.2.3/ann",
    "what?ann=yes",
    "@ann@bob",
    "@bob@ann",
    "@ann@bob@carol.example",
    "https://example.org/x，ann",
    "https://example.org/x；ann",
    "https://example.org/x：ann",
    "https://example.org/x！ann",
    "https://example.org/x？ann",
    "https://example.org/x？ann=yes",
    "https://example.org/x（ann）",
    "https://example.org/x［ann］",
    "https://example.org/x｛ann｝",
    "https://example.org/x＜ann＞",
    "https://example.org/x，ＡＮＮ",
    "https://example.org/x،ann",
    "https://example.org/x؛ann",
    "https://example.org/x؟ann",
    "bob@example.org：ann",
    "bob@example.org，ann",
    "www.example.org，ann",
    "/home/bob/x，ann",
];

#[test]
fn a_word_inside_of_an_address_is_no_mention() {
    let wrong: Vec<_> = ADDRESSES.iter().filter(|body| body_names(body, "ann")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_word_beside_an_address_is_a_mention() {
    let wrong: Vec<_> = TWINS.iter().filter(|body| !body_names(body, "ann")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn punctuation_of_other_scripts_ends_an_address() {
    for (body, nick) in [
        ("看https://example.org/x，小明你觉得呢", "小明"),
        ("看 https://example.org/x？小明", "小明"),
        ("https://example.org/x،علي", "علي"),
        ("https://example.org/x؟ علي", "علي"),
    ] {
        assert!(body_names(body, nick), "{body:?} {nick:?}");
    }
    assert!(!body_names("看https://example.org/小明，你觉得呢", "小明"));
    assert!(!body_names("https://example.org/علي،", "علي"));
    // also where the nickname has some
    assert!(body_names("https://example.org/x，小：明", "小:明"));
    assert!(body_names("https://example.org/x，＜\u{338}ann", "≮ann"));
}

#[test]
fn a_nickname_may_look_like_an_address() {
    for (body, nick, expected) in [
        ("ann@home: hi", "ann@home", true),
        ("(ann@home)", "ann@home", true),
        ("@ann@home hi", "ann@home", true),
        ("@ann@home hi", "@ann@home", true),
        ("hi ann@home.example", "ann@home.example", true),
        ("hi ann@home.example's", "ann@home.example", true),
        ("hi ann.b.c", "ann.b.c", true),
        ("hi https://ann.example/", "https://ann.example/", true),
        ("hi https://ann.example.", "https://ann.example", true),
        ("@ann:matrix.example", "@ann:matrix.example", true),
        ("ann@home\u{200B}hi", "ann@home", true),
        ("the ann@home project", "the ann@home project", true),
        ("hi ann@home.example", "ann@home", false),
        ("hi https://ann.example/x", "https://ann.example", false),
        ("hi ann.b.c.d", "ann.b.c", false),
    ] {
        assert_eq!(body_names(body, nick), expected, "{body:?} {nick:?}");
    }
}

#[test]
fn an_explicit_reference_counts_also_inside_of_an_address() {
    let body = "<body>https://example.org/ann</body>";
    assert!(!names(body, "ann"));
    assert!(names(&format!("{body}{}", range("20", "23")), "ann"));
    assert!(names(&format!("{body}{}", reference("xmpp:den@conference.localhost/ann")), "ann"));
}
