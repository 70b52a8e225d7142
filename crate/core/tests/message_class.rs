//! Is a message worth a push? Not every message says something that an absent member wants to hear.

mod common;

use common::{ORCHARD, PRIVATE, Service, xml};
use muc_cloud_notify_core::importance::is_important;

/// Whether a groupchat message with this content is worth a push.
fn is_worth(content: &str) -> bool {
    let message = format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='1'>{content}</message>");
    is_important(&xml(&message), ORCHARD)
}

fn assert_table(table: &[(&str, bool, &str)]) {
    for (case, expected, content) in table {
        assert_eq!(is_worth(content), *expected, "{case}: {content}");
    }
}

const BODY: &str = "<body>But soft!</body>";

#[test]
fn a_body() {
    assert_table(&[
        ("body", true, BODY),
        ("no body", false, ""),
        ("empty body", false, "<body/>"),
        ("blank body", false, "<body> \n\t </body>"),
        ("body of another namespace", false, "<body xmlns='http://www.w3.org/1999/xhtml'>But soft!</body>"),
        ("body with a thread", true, "<body>But soft!</body><thread>1</thread>"),
        ("body among unknown elements", true, "<a xmlns='urn:a'/><body>But soft!</body><b xmlns='urn:b'/>"),
        ("a reply", true, "<body>But soft!</body><reply xmlns='urn:xmpp:reply:0' id='0'/>"),
    ]);
}

#[test]
fn a_subject() {
    assert_table(&[
        ("subject change", false, "<subject>Balcony</subject>"),
        ("subject removed", false, "<subject/>"),
        ("subject with a thread", false, "<subject>Balcony</subject><thread>1</thread>"),
        ("subject of a message", true, "<subject>Balcony</subject><body>But soft!</body>"),
    ]);
}

#[test]
fn a_state() {
    assert_table(&[
        ("composing", false, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
        (
            "active with a body",
            true,
            "<active xmlns='http://jabber.org/protocol/chatstates'/><body>Ay me!</body>",
        ),
        ("displayed", false, "<displayed xmlns='urn:xmpp:chat-markers:0' id='0'/>"),
        ("markable with a body", true, "<markable xmlns='urn:xmpp:chat-markers:0'/><body>Ay me!</body>"),
        ("receipt", false, "<received xmlns='urn:xmpp:receipts' id='0'/>"),
    ]);
}

#[test]
fn what_is_about_another_message() {
    const FALLBACK: &str = "<fallback xmlns='urn:xmpp:fallback:0'/><body>This was retracted.</body>";
    for (case, content) in [
        (
            "reaction",
            "<reactions xmlns='urn:xmpp:reactions:0' id='0'><reaction>\u{1f44b}</reaction></reactions>",
        ),
        ("correction", "<replace xmlns='urn:xmpp:message-correct:0' id='0'/>"),
        ("retraction", "<retract xmlns='urn:xmpp:message-retract:1' id='0'/>"),
        (
            "moderation",
            "<retract xmlns='urn:xmpp:message-retract:1' id='0'>\
            <moderated xmlns='urn:xmpp:message-moderate:1' by='orchard@conference.example/Nurse'/></retract>",
        ),
        (
            "early retraction",
            "<apply-to xmlns='urn:xmpp:fasten:0' id='0'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
        ),
        (
            "early moderation",
            "<apply-to xmlns='urn:xmpp:fasten:0' id='0'><moderated xmlns='urn:xmpp:message-moderate:0' \
            by='orchard@conference.example/Nurse'><retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>",
        ),
        ("moderated alone", "<moderated xmlns='urn:xmpp:message-moderate:1'/>"),
    ] {
        assert!(!is_worth(content), "{case}");
        assert!(!is_worth(&format!("{content}{BODY}")), "{case} with a body");
        assert!(!is_worth(&format!("{FALLBACK}{content}")), "{case} with a fallback");
        let elsewhere = content.replacen("urn:xmpp:", "urn:other:", 1);
        assert!(is_worth(&format!("{elsewhere}{BODY}")), "{case} in another namespace says nothing");
    }
    let encrypted = "<replace xmlns='urn:xmpp:message-correct:0' id='0'/>\
        <encrypted xmlns='eu.siacs.conversations.axolotl'><payload/></encrypted>";
    assert!(!is_worth(encrypted), "an encrypted correction");
}

#[test]
fn a_hint() {
    assert_table(&[
        ("no-store", false, "<body>Ay me!</body><no-store xmlns='urn:xmpp:hints'/>"),
        ("no-permanent-store", false, "<body>Ay me!</body><no-permanent-store xmlns='urn:xmpp:hints'/>"),
        ("store", true, "<body>Ay me!</body><store xmlns='urn:xmpp:hints'/>"),
        ("store alone", false, "<store xmlns='urn:xmpp:hints'/>"),
        ("no-copy", true, "<body>Ay me!</body><no-copy xmlns='urn:xmpp:hints'/>"),
        ("no-store of another namespace", true, "<body>Ay me!</body><no-store xmlns='urn:other'/>"),
    ]);
}

#[test]
fn omemo() {
    for namespace in
        ["eu.siacs.conversations.axolotl", "urn:xmpp:omemo:0", "urn:xmpp:omemo:1", "urn:xmpp:omemo:2"]
    {
        let message =
            format!("<encrypted xmlns='{namespace}'><header sid='1'/><payload>AAAA</payload></encrypted>");
        let keys = format!("<encrypted xmlns='{namespace}'><header sid='1'/></encrypted>");
        let marked = format!("{keys}<encryption xmlns='urn:xmpp:eme:0' namespace='{namespace}'/>");
        assert!(is_worth(&message), "{namespace}: a message");
        assert!(!is_worth(&keys), "{namespace}: keys");
        assert!(!is_worth(&marked), "{namespace}: keys marked as encrypted");
        assert!(
            !is_worth(&format!("{message}<no-store xmlns='urn:xmpp:hints'/>")),
            "{namespace}: not to be kept"
        );
    }
    assert!(!is_worth("<encrypted xmlns='urn:other'><payload/></encrypted>"));
}

#[test]
fn other_encryption() {
    assert_table(&[
        ("XEP-0380", true, "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:some:encryption'/>"),
        ("XEP-0380 elsewhere", false, "<encryption xmlns='urn:other' namespace='urn:some:encryption'/>"),
        ("XEP-0027", true, "<x xmlns='jabber:x:encrypted'>AAAA</x>"),
        ("a signature", false, "<x xmlns='jabber:x:signed'>AAAA</x>"),
        ("XEP-0373", true, "<openpgp xmlns='urn:xmpp:openpgp:0'>AAAA</openpgp>"),
        ("XEP-0373 elsewhere", false, "<openpgp xmlns='urn:other'>AAAA</openpgp>"),
        ("with an empty body", true, "<body/><x xmlns='jabber:x:encrypted'>AAAA</x>"),
        (
            "a subject change",
            false,
            "<subject/><encryption xmlns='urn:xmpp:eme:0' namespace='urn:some:encryption'/>",
        ),
    ]);
}

#[test]
fn a_delay() {
    let delay =
        |from: &str| format!("{BODY}<delay xmlns='urn:xmpp:delay' {from} stamp='2026-01-01T00:00:00Z'/>");
    for (case, expected, from) in [
        ("of the room: history", false, "from='orchard@conference.example'"),
        ("of the sender's server", true, "from='montague.example'"),
        ("of the sender", true, "from='orchard@conference.example/Romeo'"),
        ("of another room", true, "from='hall@conference.example'"),
        ("of nobody", true, ""),
    ] {
        assert_eq!(is_worth(&delay(from)), expected, "{case}");
    }
    let legacy = format!("{BODY}<x xmlns='jabber:x:delay' from='{ORCHARD}' stamp='20260101T00:00:00'/>");
    assert!(is_worth(&legacy), "XEP-0091 is of no account");
}

#[test]
fn a_type() {
    for (expected, attribute) in [
        (true, "type='groupchat'"),
        (false, "type='chat'"),
        (false, "type='normal'"),
        (false, "type='headline'"),
        (false, "type='error'"),
        (false, ""),
    ] {
        let message = xml(&format!("<message {attribute}>{BODY}</message>"));
        assert_eq!(is_important(&message, ORCHARD), expected, "{attribute}");
    }
}

#[test]
fn what_is_not_worth_a_push_is_not_counted_either() {
    let mut service = Service::with_juliet(common::with_body());
    let correction = "<body>But, soft!</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>";
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, correction), 0);
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, "<subject>Balcony</subject>"), 0);
    service.assert_quiet("neither is told");
    assert_eq!(service.say(ORCHARD, "But soft!"), 1);
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, correction), 0);
    let push = service.push();
    assert_eq!((common::count(&push), common::body(&push)), (1, Some("But soft!")));
}
