//! Stanzas out of text.

use minidom::Element;

use crate::names::HOST;

/// Reads XML as it stands on a client's stream: what has no namespace is `jabber:client`.
pub fn xml(text: &str) -> Element {
    Element::from_reader_with_prefixes(text.as_bytes(), "jabber:client".to_owned()).unwrap()
}

/// A groupchat message with this content, as a room sends it.
pub fn groupchat(room: &str, content: &str) -> Element {
    xml(&format!("<message type='groupchat' from='{room}/Romeo' id='1'>{content}</message>"))
}

/// The element that mentions a user.
pub fn mention_of(user: &str) -> String {
    format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{user}'/>")
}

/// An IQ around a payload.
pub fn iq(payload: &str) -> Element {
    xml(&format!("<iq type='set' id='x43' to='{HOST}'>{payload}</iq>"))
}

/// An IQ that registers a node.
pub fn enable_iq(jid: &str, node: &str) -> Element {
    iq(&format!("<enable xmlns='urn:xmpp:push:0' jid='{jid}' node='{node}'/>"))
}
