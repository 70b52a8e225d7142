//! Elements out of choices: a small grammar of what means something to the engine, and of shapes that are hard on a reader.

use minidom::{Element, Node};
use rxml::{Namespace, NcName};

use crate::choices::Choices;

/// The largest stanza that Prosody takes from another server, in bytes (`s2s_stanza_size_limit`).
pub const STANZA_MAX: usize = 512 * 1024;

/// How deep elements are nested here.
const DEPTH_MAX: usize = 24;

/// Names with the namespaces that they mean something in.
const KNOWN: [(&str, &str); 33] = [
    ("body", "jabber:client"),
    ("subject", "jabber:client"),
    ("thread", "jabber:client"),
    ("reference", "urn:xmpp:reference:0"),
    ("reply", "urn:xmpp:reply:0"),
    ("fallback", "urn:xmpp:fallback:0"),
    ("fallback", "urn:xmpp:feature-fallback:0"),
    ("body", "urn:xmpp:fallback:0"),
    ("replace", "urn:xmpp:message-correct:0"),
    ("retract", "urn:xmpp:message-retract:1"),
    ("retract", "urn:xmpp:message-retract:0"),
    ("moderated", "urn:xmpp:message-moderate:1"),
    ("moderated", "urn:xmpp:message-moderate:0"),
    ("apply-to", "urn:xmpp:fasten:0"),
    ("stanza-id", "urn:xmpp:sid:0"),
    ("origin-id", "urn:xmpp:sid:0"),
    ("encrypted", "urn:xmpp:omemo:2"),
    ("encrypted", "eu.siacs.conversations.axolotl"),
    ("payload", "urn:xmpp:omemo:2"),
    ("encryption", "urn:xmpp:eme:0"),
    ("openpgp", "urn:xmpp:openpgp:0"),
    ("x", "jabber:x:oob"),
    ("url", "jabber:x:oob"),
    ("x", "jabber:x:data"),
    ("field", "jabber:x:data"),
    ("value", "jabber:x:data"),
    ("file-sharing", "urn:xmpp:sfs:0"),
    ("media-sharing", "urn:xmpp:sims:1"),
    ("reactions", "urn:xmpp:reactions:0"),
    ("delay", "urn:xmpp:delay"),
    ("no-store", "urn:xmpp:hints"),
    ("enable", "urn:xmpp:push:0"),
    ("a", "urn:example"),
];

const ATTRIBUTES: [&str; 18] = [
    "id",
    "to",
    "from",
    "by",
    "type",
    "uri",
    "begin",
    "end",
    "start",
    "jid",
    "node",
    "var",
    "for",
    "anchor",
    "label",
    "stamp",
    "include_payload",
    "a",
];

/// Values that mean something.
const VALUES: [&str; 12] = [
    "mention",
    "submit",
    "hidden",
    "FORM_TYPE",
    "http://jabber.org/protocol/pubsub#publish-options",
    "push.example",
    "juliet@capulet.example",
    "orchard@conference.example",
    "orchard@conference.example/Romeo",
    "xmpp:juliet@capulet.example",
    "xmpp:orchard@conference.example/bob",
    "1",
];

/// An element as one that means something, with children to a depth.
pub fn element(choices: &mut Choices<'_>) -> Element {
    let (name, namespace) = known(choices);
    nested(choices, name, namespace, 0)
}

/// An element with this name around whatever it may hold, repeated children among it, of about `limit` bytes at most.
pub fn around(choices: &mut Choices<'_>, name: &str, namespace: &str, limit: usize) -> Element {
    let mut element = Element::bare(name, namespace);
    choices.set_room(limit);
    for _ in 0..choices.below(10) {
        let child = self::element(choices);
        let copies = choices.copies(16 * 1024, size(&child));
        for _ in 0..copies {
            element.append_child(child.clone());
        }
        element.append_child(child);
    }
    element
}

fn known(choices: &mut Choices<'_>) -> (&'static str, &'static str) {
    let place = choices.below(KNOWN.len());
    let (name, namespace) = KNOWN.get(place).copied().expect("there is one");
    // Now and then in a namespace where it means nothing.
    if choices.one_in(16) { (name, "urn:example") } else { (name, namespace) }
}

fn nested(choices: &mut Choices<'_>, name: &str, namespace: &str, depth: usize) -> Element {
    let mut element = Element::bare(name, namespace);
    set_attributes(choices, &mut element);
    for _ in 0..choices.below(4) {
        match choices.below(3) {
            0 if depth < DEPTH_MAX => {
                let (name, namespace) = known(choices);
                let child = nested(choices, name, namespace, depth + 1);
                let limit = if depth == 0 { 4096 } else { 4 };
                let copies = choices.copies(limit, size(&child));
                for _ in 0..copies {
                    element.append_child(child.clone());
                }
                element.append_child(child);
            }
            1 => element.append_text_node(choices.text(256 * 1024)),
            _ => element.append_text_node(choices.text(64)),
        }
    }
    element
}

/// Gives an element attributes, most often such as mean something.
pub fn set_attributes(choices: &mut Choices<'_>, element: &mut Element) {
    for _ in 0..choices.below(5) {
        let name = choices.pick(&ATTRIBUTES);
        let value = match choices.below(4) {
            0 => choices.text(1024),
            1 => choices.number(),
            _ => choices.pick(&VALUES).to_owned(),
        };
        set(element, name, &value);
    }
    if choices.one_in(6) {
        let language = choices.pick(&["", "en", "en-US", "de", "-", "x"]);
        element.set_attr(Namespace::XML, NcName::try_from("lang").expect("a name"), language);
    }
}

/// Sets an attribute.
pub fn set(element: &mut Element, name: &str, value: &str) {
    element.set_attr(Namespace::NONE, NcName::try_from(name).expect("a name"), value);
}

/// How long an element is as it is sent, in bytes. It is not written for that: what cannot be in XML cannot be written.
pub fn size(element: &Element) -> usize {
    let attributes = element.attrs().iter();
    let attributes =
        attributes.map(|((ns, name), value)| " =''".len() + ns.len() + name.len() + escaped_size(value));
    let nodes = element.nodes().map(|node| match node {
        Node::Element(child) if child.ns() == element.ns() => size(child) - namespace_size(child),
        Node::Element(child) => size(child),
        Node::Text(text) => escaped_size(text),
    });
    let tags = 2 * element.name().len() + "<></>".len() + namespace_size(element);
    tags + attributes.sum::<usize>() + nodes.sum::<usize>()
}

fn namespace_size(element: &Element) -> usize {
    " xmlns=''".len() + element.ns().len()
}

fn escaped_size(text: &str) -> usize {
    text.len() + 4 * text.matches(['<', '>', '&', '"', '\'']).count()
}
