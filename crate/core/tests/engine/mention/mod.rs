//! Whom a message mentions: XML in, and who is meant by it.

mod any_input;
mod converse;
mod encrypted;
mod fallback;
mod language;
mod link;
mod longer;
mod nickname;
mod prepared;
mod range;
mod reply;
mod uri;
mod work;

use std::sync::LazyLock;

use minidom::Element;
use muc_cloud_notify_core::{KnownNicknames, Mentions, Message, Nickname};

const ROOM: &str = "den@conference.localhost";
const BOB: &str = "bob@example.com";
/// A member whose address is never mentioned: only the nickname can tell
const SOMEBODY: &str = "somebody@example.com";

/// A room in which no nickname is known that another could be inside of.
static NO_NICKNAMES: LazyLock<KnownNicknames> = LazyLock::new(KnownNicknames::default);

fn mentions_of(message: &Element, room: &str) -> Mentions<'static> {
    Mentions::read(&Message::read(message, room), None, &NO_NICKNAMES)
}

fn message(children: &str) -> Element {
    let xml = format!("<message xmlns='jabber:client' type='groupchat'>{children}</message>");
    xml.parse().expect("well-formed XML")
}

fn read(children: &str) -> Mentions<'static> {
    mentions_of(&message(children), ROOM)
}

/// Whether a message with these children mentions the member with this nickname.
fn names(children: &str, nick: &str) -> bool {
    read(children).concern(SOMEBODY, [&Nickname::new(nick)])
}

/// Whether a message with these children mentions the user with this bare JID.
fn addresses(children: &str, member: &str) -> bool {
    read(children).concern(member, [])
}

fn with_body(body: &str) -> Element {
    let body = Element::builder("body", "jabber:client").append(body);
    Element::builder("message", "jabber:client").append(body).build()
}

fn body_names(body: &str, nick: &str) -> bool {
    mentions_of(&with_body(body), ROOM).concern(SOMEBODY, [&Nickname::new(nick)])
}

fn reference(uri: &str) -> String {
    format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='{uri}'/>")
}

fn range(begin: &str, end: &str) -> String {
    format!("<reference xmlns='urn:xmpp:reference:0' type='mention' begin='{begin}' end='{end}'/>")
}

fn reply(to: &str) -> String {
    format!("<reply xmlns='urn:xmpp:reply:0' to='{to}' id='1'/>")
}

fn fallback(children: &str) -> String {
    format!("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{children}</fallback>")
}

#[test]
fn every_body_in_the_namespace_of_the_message_counts() {
    assert!(names("<body>bob</body><body xml:lang='de'>alice</body>", "bob"));
    assert!(names("<body>bob</body><body xml:lang='de'>alice</body>", "alice"));
    assert!(!names("<body>bob</body><body xml:lang='de'>alice</body>", "carol"));
    assert!(!names("<body xmlns='urn:example'>bob</body>", "bob"));
    assert!(!names("<subject>bob</subject>", "bob"));
    let component: Element = "<message xmlns='jabber:component:accept'><body>bob</body></message>"
        .parse()
        .expect("well-formed XML");
    assert!(mentions_of(&component, ROOM).concern(SOMEBODY, [&Nickname::new("bob")]));
}

#[test]
fn a_message_that_names_nobody_is_empty() {
    for (children, expected) in [
        ("", true),
        ("<body/>", true),
        ("<body> \n </body>", true),
        ("<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>Ym9i</payload></encrypted>", true),
        ("<reference xmlns='urn:xmpp:reference:0' type='mention' begin='0' end='1'/>", true),
        ("<body>a</body><fallback xmlns='urn:xmpp:fallback:0'/>", true),
        ("<body>a</body>", false),
        ("<body>!</body>", false),
        ("<reply xmlns='urn:xmpp:reply:0' to='bob@example.com' id='1'/>", false),
        ("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:bob@example.com'/>", false),
        (
            "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:den@conference.localhost/bob'/>",
            false,
        ),
    ] {
        assert_eq!(read(children).is_empty(), expected, "{children}");
    }
}

#[test]
fn an_encrypted_message_can_still_mention() {
    let encrypted = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>Ym9i</payload></encrypted>";
    assert!(addresses(&format!("{encrypted}{}", reference("xmpp:bob@example.com")), BOB));
    assert!(names(&format!("{encrypted}{}", reply("den@conference.localhost/bob")), "bob"));
    assert!(!names(encrypted, "bob"));
}

#[test]
fn a_nickname_stays_as_it_is_given() {
    for nick in ["bob", "Bob Ö", " bob ", "", "STRASSE"] {
        assert_eq!(Nickname::new(nick).as_str(), nick);
    }
}
