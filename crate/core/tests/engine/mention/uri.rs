//! XEP-0372: a reference with a URI.

use super::*;

#[test]
fn a_uri_is_an_xmpp_uri_of_the_member() {
    for (uri, expected) in [
        ("xmpp:bob@example.com", true),
        ("XMPP:bob@example.com", true),
        (" xmpp:bob@example.com\n", true),
        ("xmpp://alice@example.org/bob@example.com", true),
        ("xmpp:///bob@example.com", true),
        ("xmpp:bob@example.com?message;body=hi", true),
        ("xmpp:bob@example.com#fragment", true),
        ("xmpp:bob@example.com/phone", true),
        ("xmpp:%62ob%40example.com", true),
        ("xmpp:BOB@Example.COM", true),
        ("xmpp:bob@example.com.", true),
        ("xmpp:alice@example.com", false),
        ("xmpp:bob@example.com.evil.example", false),
        ("xmpp:bobby@example.com", false),
        ("xmpp:example.com", false),
        ("xmpp://bob@example.com/alice@example.org", false),
        ("xmpp:alice@example.org?message;body=bob@example.com", false),
        ("xmpp:alice@example.org/bob@example.com", false),
        ("mailto:bob@example.com", false),
        ("bob@example.com", false),
        ("xmpp:", false),
        ("", false),
    ] {
        assert_eq!(addresses(&reference(uri), BOB), expected, "{uri:?}");
    }
}

#[test]
fn only_a_reference_of_the_type_mention_is_a_mention() {
    for (element, expected) in [
        ("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:bob@example.com'/>", true),
        ("<reference xmlns='urn:xmpp:reference:0' type='data' uri='xmpp:bob@example.com'/>", false),
        ("<reference xmlns='urn:xmpp:reference:0' uri='xmpp:bob@example.com'/>", false),
        ("<reference xmlns='urn:example' type='mention' uri='xmpp:bob@example.com'/>", false),
        ("<mention xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:bob@example.com'/>", false),
        (
            "<x xmlns='urn:example'><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:bob@example.com'/></x>",
            false,
        ),
    ] {
        assert_eq!(addresses(element, BOB), expected, "{element}");
    }
}

#[test]
fn a_uri_is_an_occupant_of_this_room() {
    for (uri, nick, expected) in [
        ("xmpp:den@conference.localhost/bob", "bob", true),
        ("xmpp:den@conference.localhost/Bob%20%C3%96", "Bob Ö", true),
        ("xmpp:den@conference.localhost/Bob Ö", "Bob Ö", true),
        ("xmpp:DEN@Conference.Localhost/bob", "bob", true),
        ("xmpp:den@conference.localhost/a%2Fb", "a/b", true),
        ("xmpp:den@conference.localhost/a/b", "a/b", true),
        ("xmpp:den@conference.localhost/bob@home", "bob@home", true),
        ("xmpp:den@conference.localhost/100%", "100%", true),
        ("xmpp:den@conference.localhost/%F0%9F%90%99", "🐙", true),
        ("xmpp:den@conference.localhost/bob?join", "bob", true),
        // encodeURI() leaves ? and # as they are
        ("xmpp:den@conference.localhost/who?", "who?", true),
        ("xmpp:den@conference.localhost/#1%20fan", "#1 fan", true),
        // composed and decomposed
        ("xmpp:den@conference.localhost/%C3%89va", "E\u{301}va", true),
        ("xmpp:den@conference.localhost/E%CC%81va", "Éva", true),
        // what Resourceprep makes of it
        ("xmpp:den@conference.localhost/%EF%BC%A2ob", "Bob", true),
        // a nickname is not without regard to case in an address
        ("xmpp:den@conference.localhost/BOB", "bob", false),
        ("xmpp:den@conference.localhost/Bo", "Bob", false),
        ("xmpp:den@conference.localhost/Bob Ö", "Bob", false),
        ("xmpp:den@conference.localhost", "bob", false),
        ("xmpp:den@conference.localhost/", "", false),
        ("xmpp:den@conference.localhost/%20", " ", false),
        ("xmpp:den@conference.localhost/%FF", "\u{FFFD}", false),
        ("xmpp:other@conference.localhost/bob", "bob", false),
        ("xmpp:conference.localhost/bob", "bob", false),
    ] {
        assert_eq!(names(&reference(uri), nick), expected, "{uri:?} {nick:?}");
    }
}

#[test]
fn an_occupant_is_not_the_user_of_the_same_address() {
    let mentions = read(&reference("xmpp:den@conference.localhost/bob"));
    assert!(!mentions.concern(BOB, []));
    assert!(!mentions.concern(ROOM, []));
}

#[test]
fn every_name_a_member_is_known_by_counts() {
    let mentions = read(&reference("xmpp:den@conference.localhost/bobby"));
    let [registered, last] = [Nickname::new("bob"), Nickname::new("bobby")];
    assert!(mentions.concern(BOB, [&registered, &last]));
    assert!(!mentions.concern(BOB, [&registered]));
    assert!(!mentions.concern(BOB, []));
}

/// The `jid` crate refuses some addresses that are fine for Prosody.
#[test]
fn an_address_that_the_jid_crate_refuses_is_an_address() {
    assert!("bob@ab--cd.example.com".parse::<jid::Jid>().is_err());
    for (uri, member, expected) in [
        ("xmpp:bob@ab--cd.example.com", "bob@ab--cd.example.com", true),
        ("xmpp:Bob@AB--cd.example.com/phone", "bob@ab--cd.example.com", true),
        ("xmpp:bob@under_score.example.com", "bob@under_score.example.com", true),
        ("xmpp:%F0%9F%90%99@example.com", "🐙@example.com", true),
        ("xmpp:bob@ab--cd.example.com.", "bob@ab--cd.example.com", true),
        // a letter that Prosody's tables do not know, and newer ones fold
        ("xmpp:\u{1C90}@example.com", "\u{1C90}@example.com", true),
        ("xmpp:bob@stra%C3%9Fe.example", "bob@strasse.example", true),
        ("xmpp:bob@ab--cd.example.com", "bob@ab--ce.example.com", false),
        ("xmpp:bob@ab--cd.example.com", "alice@ab--cd.example.com", false),
    ] {
        assert_eq!(addresses(&reference(uri), member), expected, "{uri}");
    }
    let occupant: Element =
        format!("<message xmlns='jabber:client'>{}</message>", reference("xmpp:den@ab--cd.example.com/bob"))
            .parse()
            .expect("well-formed XML");
    let mentions = mentions_of(&occupant, "den@ab--cd.example.com");
    assert!(mentions.concern(BOB, [&Nickname::new("bob")]));
    assert!(!mentions.concern(BOB, [&Nickname::new("alice")]));
}

/// The earlier module told only the first.
#[test]
fn all_references_count() {
    let children = [
        reference("xmpp:nobody@example.com"),
        reference("xmpp:%FF"),
        reference("xmpp:alice@example.com"),
        reference("xmpp:den@conference.localhost/carol"),
        range("6", "10"),
    ];
    let mentions = read(&format!("<body>Hello @dan!</body>{}", children.concat()));
    assert!(mentions.concern("alice@example.com", []));
    assert!(mentions.concern(SOMEBODY, [&Nickname::new("carol")]));
    assert!(mentions.concern(SOMEBODY, [&Nickname::new("dan")]));
    assert!(!mentions.concern(BOB, [&Nickname::new("bob")]));
}
