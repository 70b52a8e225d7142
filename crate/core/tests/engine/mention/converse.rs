//! What Converse.js 14.0.0 sends.

use super::*;

#[test]
fn converse_mentions_an_occupant_twice() {
    let children = "<body>Hello bob, can you look at this? Thanks bob!</body>\
        <active xmlns='http://jabber.org/protocol/chatstates'/>\
        <reference begin='6' end='9' type='mention' uri='xmpp:den@conference.localhost/bob' xmlns='urn:xmpp:reference:0'/>\
        <reference begin='40' end='43' type='mention' uri='xmpp:den@conference.localhost/bob' xmlns='urn:xmpp:reference:0'/>\
        <origin-id id='1e08' xmlns='urn:xmpp:sid:0'/>";
    assert!(names(children, "bob"));
    assert!(!names(children, "alice"));
}

#[test]
fn converse_encodes_a_nickname() {
    let xml = "<message xmlns='jabber:client' type='groupchat'><body>xx</body><reference begin='0' end='5' \
        type='mention' uri='xmpp:u@semi.localhost/Bob%20%C3%96' xmlns='urn:xmpp:reference:0'/></message>";
    let message: Element = xml.parse().expect("well-formed XML");
    let nickname = Nickname::new("Bob Ö");
    assert!(mentions_of(&message, "u@semi.localhost").concern(SOMEBODY, [&nickname]));
    assert!(!mentions_of(&message, "v@semi.localhost").concern(SOMEBODY, [&nickname]));
}

#[test]
fn converse_mentions_a_real_address_in_a_room_that_is_not_anonymous() {
    let children = reference("xmpp:alice-15@localhost");
    assert!(addresses(&children, "alice-15@localhost"));
    assert!(!addresses(&children, "alice-1@localhost"));
}

#[test]
fn converse_counts_utf_16_units() {
    let children = "<body>🎉🎉 hi @bobx</body><reference xmlns='urn:xmpp:reference:0' type='mention' begin='8' end='12'/>";
    assert!(names(children, "bob"));
    assert!(!names(children, "alice"));
}

/// `:smile: hi @Bob`: the range is that of the text before the shortname was replaced.
#[test]
fn converse_sends_a_wrong_range_with_a_right_uri() {
    let children = "<body>😄 hi xBob</body><reference xmlns='urn:xmpp:reference:0' type='mention' \
        begin='11' end='16' uri='xmpp:den@conference.localhost/Bob'/>";
    assert!(names(children, "Bob"));
    let pointing_at_another = "<body>xalicex</body><reference xmlns='urn:xmpp:reference:0' type='mention' \
        begin='1' end='6' uri='xmpp:den@conference.localhost/Bob'/>";
    assert!(names(pointing_at_another, "Bob"));
    assert!(!names(pointing_at_another, "alice"));
}

/// Where Converse does not know the nickname there is no reference, only `@bob`.
#[test]
fn converse_mentions_somebody_it_does_not_know() {
    assert!(names("<body>Hello @bob, are you there?</body>", "bob"));
    assert!(!names("<body>Hello @bobby, are you there?</body>", "bob"));
}
