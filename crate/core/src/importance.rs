//! Is a groupchat message worth a push?

use minidom::Element;

use crate::ns;

/// Whether a broadcast `<message type='groupchat'/>` of `room` (its bare JID) says something that an absent
/// member would want to hear of.
///
/// It does when it has a body, or is encrypted and so may have one inside. It does not when it is about
/// another message, about the room, about nothing but a state, or asks not to be kept.
pub fn is_important(message: &Element, room: &str) -> bool {
    if message.attr("type") != Some("groupchat") {
        return false;
    }
    let body = message.get_child("body", ns::CLIENT).map(Element::text);
    let says_something = body.is_some_and(|body| !body.trim().is_empty()) || is_encrypted(message);
    says_something
        && !message.children().any(|child| speaks_against(child, room))
        && !is_subject_change(message)
}

/// Whether a child makes its message not worth a push.
fn speaks_against(child: &Element, room: &str) -> bool {
    match child.name() {
        "replace" => child.has_ns(ns::MESSAGE_CORRECT),
        "reactions" => child.has_ns(ns::REACTIONS),
        "retract" => ns::RETRACT.iter().any(|namespace| child.has_ns(*namespace)),
        "moderated" => ns::MODERATE.iter().any(|namespace| child.has_ns(*namespace)),
        // Early retractions and moderations came wrapped in an <apply-to/>.
        "apply-to" => child.has_ns(ns::FASTEN),
        "no-store" | "no-permanent-store" => child.has_ns(ns::HINTS),
        // A message that the room has already delivered once; other delays are the sender's own.
        "delay" => child.has_ns(ns::DELAY) && child.attr("from") == Some(room),
        _ => false,
    }
}

/// A `<subject/>` without a `<body/>` or a `<thread/>` changes the subject (XEP-0045, section 8.1).
fn is_subject_change(message: &Element) -> bool {
    message.has_child("subject", ns::CLIENT)
        && !message.has_child("body", ns::CLIENT)
        && !message.has_child("thread", ns::CLIENT)
}

/// Whether a message may carry its text encrypted. An OMEMO element without a payload only transports
/// keys, whatever else marks the message as encrypted.
fn is_encrypted(message: &Element) -> bool {
    let mut omemo = message
        .children()
        .filter(|child| {
            child.name() == "encrypted" && ns::OMEMO.iter().any(|namespace| child.has_ns(*namespace))
        })
        .peekable();
    if omemo.peek().is_some() {
        return omemo.any(|encrypted| encrypted.children().any(|child| child.name() == "payload"));
    }
    message.has_child("encryption", ns::EME)
        || message.has_child("x", ns::LEGACY_OPENPGP)
        || message.has_child("openpgp", ns::OPENPGP)
}
