//! What a message changes of an earlier one, and the ids by which messages refer to each other.

use std::fmt;
use std::num::NonZeroU64;

use minidom::Element;
use smallvec::{SmallVec, smallvec};

use crate::ns;
use crate::work;

/// An id of a message, in eight bytes: ids are of any length, and only ever compared. It is stored, so it must not depend on
/// the version of a library: FNV-1a. That two ids of one author have the same can be brought about by that author alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdHash(NonZeroU64);

impl IdHash {
    fn of(id: &str) -> Self {
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        IdHash(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN))
    }

    /// The hash that is written so.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().and_then(NonZeroU64::new).map(IdHash)
    }
}

impl fmt::Display for IdHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// The ids of one stanza.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StanzaIds {
    /// What the room has called it (XEP-0359, section 3.1), if it has an archive.
    pub(crate) stanza_id: Option<IdHash>,
    /// What its author has called it (XEP-0359, section 3.2).
    pub(crate) origin_id: Option<IdHash>,
    /// Its `id` attribute.
    pub(crate) id: Option<IdHash>,
}

impl StanzaIds {
    fn read(message: &Element, room: &str) -> Self {
        let ids = |name| {
            let children = message.children().inspect(|_| work::count(1));
            children.filter(move |child| child.is(name, ns::STANZA_ID))
        };
        let hash = |element: &Element| element.attr("id").map(IdHash::of);
        StanzaIds {
            stanza_id: ids("stanza-id").filter(|id| id.attr("by") == Some(room)).find_map(hash),
            origin_id: ids("origin-id").find_map(hash),
            id: hash(message),
        }
    }

    fn contains(&self, id: IdHash) -> bool {
        [self.stanza_id, self.origin_id, self.id].contains(&Some(id))
    }
}

/// What identifies a message to those that come after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MessageIds {
    /// The bare JID of its author; `None` where it is the room itself, or not known.
    pub(crate) author: Option<Box<str>>,
    /// The occupant JID that it is from.
    pub(crate) from: Option<IdHash>,
    /// Its ids, and those of its last correction: clients show the two as one.
    pub(crate) stanzas: SmallVec<[StanzaIds; 1]>,
}

impl MessageIds {
    /// Those of a message of `room` (its bare JID).
    pub(crate) fn read(message: &Element, room: &str, author: Option<&str>) -> Self {
        MessageIds {
            author: author.map(Into::into),
            from: message.attr("from").map(IdHash::of),
            stanzas: smallvec![StanzaIds::read(message, room)],
        }
    }

    /// The same after a correction.
    pub(crate) fn corrected(&self, correction: &MessageIds) -> Self {
        let original = self.stanzas.iter().take(1);
        let stanzas = original.chain(correction.stanzas.iter().take(1)).copied().collect();
        MessageIds { author: self.author.clone(), from: self.from, stanzas }
    }
}

/// A message that is about an earlier one, which it takes back or replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revision<'a> {
    kind: Kind,
    /// Whose message it is about; `None`: anybody's, in the name of the room.
    author: Option<&'a str>,
    /// Which one.
    id: IdHash,
}

/// A revision that is kept.
#[derive(Debug, Clone)]
pub(crate) struct OwnedRevision {
    kind: Kind,
    author: Option<Box<str>>,
    id: IdHash,
}

impl OwnedRevision {
    /// That of somebody who wants to hear of nothing that was said under this occupant JID: for them all of it is taken back.
    pub(crate) fn of_blocked(occupant: &str) -> Self {
        OwnedRevision { kind: Kind::Blocked, author: None, id: IdHash::of(occupant) }
    }

    /// Whose message it is about, and whose it is; `None`: it is the room's.
    pub(crate) fn author(&self) -> Option<&str> {
        self.author.as_deref()
    }
}

impl From<Revision<'_>> for OwnedRevision {
    fn from(Revision { kind, author, id }: Revision<'_>) -> Self {
        OwnedRevision { kind, author: author.map(Into::into), id }
    }
}

impl<'a> From<&'a OwnedRevision> for Revision<'a> {
    fn from(OwnedRevision { kind, author, id }: &'a OwnedRevision) -> Self {
        Revision { kind: *kind, author: author.as_deref(), id: *id }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Retraction,
    Correction,
    /// What an occupant has said is nothing to somebody.
    Blocked,
}

impl<'a> Revision<'a> {
    /// What a message of `room` (its bare JID) and `author` (a bare JID; `None` for the room itself) changes of an earlier
    /// one: it retracts it ([XEP-0424], as it is and as it was before version 0.4), the room does so for a moderator
    /// ([XEP-0425], the same), or it corrects it ([XEP-0308]).
    ///
    /// [XEP-0308]: https://xmpp.org/extensions/xep-0308.html
    /// [XEP-0424]: https://xmpp.org/extensions/xep-0424.html
    /// [XEP-0425]: https://xmpp.org/extensions/xep-0425.html
    pub(crate) fn read(message: &Element, room: &str, author: Option<&'a str>) -> Option<Self> {
        let is_of_room = author.is_none() && message.attr("from") == Some(room);
        if message.attr("type") != Some("groupchat") || (author.is_none() && !is_of_room) {
            return None;
        }
        let revision = |kind, id| Revision { kind, author, id: IdHash::of(id) };
        let retraction = || {
            let mut children = message.children().inspect(|_| work::count(1));
            children
                .find_map(|child| retracted_id(child, is_of_room))
                .map(|id| revision(Kind::Retraction, id))
        };
        let correction = || {
            let replace = message.get_child("replace", ns::MESSAGE_CORRECT).filter(|_| author.is_some())?;
            Some(revision(Kind::Correction, replace.attr("id")?))
        };
        retraction().or_else(correction)
    }

    /// Whose message it is about, and whose it is; `None`: it is the room's.
    pub(crate) fn author(&self) -> Option<&'a str> {
        self.author
    }

    /// Whether the earlier message is to be pushed no more; otherwise there is another text.
    pub(crate) fn is_retraction(&self) -> bool {
        self.kind != Kind::Correction
    }

    /// Whether it is about this message. Authors name their own by any of its ids, the room by the one it has given.
    pub(crate) fn is_about(&self, message: &MessageIds) -> bool {
        match self.author {
            _ if self.kind == Kind::Blocked => message.from == Some(self.id),
            Some(author) => {
                message.author.as_deref() == Some(author)
                    && message.stanzas.iter().any(|ids| ids.contains(self.id))
            }
            None => message.stanzas.iter().any(|ids| ids.stanza_id == Some(self.id)),
        }
    }
}

/// The id of the message that a child of another one retracts: for its author, or in the name of the room.
fn retracted_id(child: &Element, is_of_room: bool) -> Option<&str> {
    let is_retract =
        |element: &Element| element.name() == "retract" && ns::RETRACT.iter().any(|it| element.has_ns(*it));
    let is_moderated = |element: &Element| {
        element.name() == "moderated" && ns::MODERATE.iter().any(|it| element.has_ns(*it))
    };
    let retracts = if is_retract(child) {
        is_of_room || !child.children().any(is_moderated)
    } else if child.is("apply-to", ns::FASTEN) {
        child.children().any(is_retract) && !child.children().any(is_moderated)
            || is_of_room
                && child.children().filter(|it| is_moderated(it)).any(|it| it.children().any(is_retract))
    } else {
        false
    };
    child.attr("id").filter(|_| retracts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "den@muc.example";
    const BOB: &str = "bob@example";

    fn message(from: &str, content: &str) -> Element {
        let text = format!(
            "<message xmlns='jabber:client' type='groupchat' from='{from}' id='m'>{content}</message>"
        );
        text.parse().unwrap()
    }

    fn original() -> MessageIds {
        let content = format!(
            "<origin-id xmlns='urn:xmpp:sid:0' id='o'/><stanza-id xmlns='urn:xmpp:sid:0' by='{BOB}' id='forged'/>\
            <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s'/>"
        );
        MessageIds::read(&message("den@muc.example/bob", &content), ROOM, Some(BOB))
    }

    /// Whether content of an author, or of the room itself, is about the original; `None` if it is about no message.
    fn is_about(content: &str, author: Option<&str>) -> Option<bool> {
        let from = if author.is_some() { "den@muc.example/bob" } else { ROOM };
        Revision::read(&message(from, content), ROOM, author).map(|it| it.is_about(&original()))
    }

    const RETRACT: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='s'/>";
    const OLD_RETRACT: &str = "<apply-to xmlns='urn:xmpp:fasten:0' id='s'>\
        <retract xmlns='urn:xmpp:message-retract:0'/></apply-to>";
    const MODERATED: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='s'>\
        <moderated xmlns='urn:xmpp:message-moderate:1' by='den@muc.example/ann'/></retract>";
    const OLD_MODERATED: &str = "<apply-to xmlns='urn:xmpp:fasten:0' id='s'>\
        <moderated xmlns='urn:xmpp:message-moderate:0' by='den@muc.example/ann'>\
        <retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>";
    const CORRECTION: &str = "<replace xmlns='urn:xmpp:message-correct:0' id='m'/>";

    #[test]
    fn authors_revise_what_they_have_written() {
        for content in [RETRACT, OLD_RETRACT, CORRECTION] {
            assert_eq!(is_about(content, Some(BOB)), Some(true), "{content}");
            assert_eq!(is_about(content, Some("eve@example")), Some(false), "{content}");
        }
        for id in ["s", "o", "m"] {
            assert_eq!(is_about(&RETRACT.replace("'s'", &format!("'{id}'")), Some(BOB)), Some(true), "{id}");
        }
        for id in ["forged", "", "x"] {
            assert_eq!(is_about(&RETRACT.replace("'s'", &format!("'{id}'")), Some(BOB)), Some(false), "{id}");
        }
    }

    #[test]
    fn only_the_room_moderates() {
        for content in [MODERATED, OLD_MODERATED] {
            assert_eq!(is_about(content, None), Some(true), "{content}");
            assert_eq!(
                is_about(&content.replace("id='s'", "id='m'"), None),
                Some(false),
                "its own id: {content}"
            );
            assert_eq!(is_about(content, Some(BOB)), None, "{content}");
        }
        assert_eq!(is_about(CORRECTION, None), None);
        let of_nobody = message("den@muc.example/bob", RETRACT);
        assert_eq!(Revision::read(&of_nobody, ROOM, None), None, "the author is not known");
    }

    #[test]
    fn what_names_no_message_is_no_revision() {
        for content in [
            "<retract xmlns='urn:xmpp:message-retract:1'/>",
            "<retract xmlns='urn:example' id='s'/>",
            "<apply-to xmlns='urn:xmpp:fasten:0' id='s'/>",
            "<apply-to xmlns='urn:xmpp:fasten:0'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
            "<replace xmlns='urn:xmpp:message-correct:0'/>",
            "<replace xmlns='urn:example' id='m'/>",
            "<body>hello</body>",
        ] {
            assert_eq!(is_about(content, Some(BOB)), None, "{content}");
            assert_eq!(is_about(content, None), None, "{content}");
        }
    }

    #[test]
    fn a_corrected_message_is_named_by_its_ids_and_those_of_the_last_correction() {
        let correction = |id: &str| {
            let content = format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{id}'/>");
            MessageIds::read(&message("den@muc.example/bob", &content), ROOM, Some(BOB))
        };
        let ids = original().corrected(&correction("second")).corrected(&correction("third"));
        for (id, expected) in [("s", true), ("second", false), ("third", true)] {
            let moderation = message(ROOM, &MODERATED.replace("'s'", &format!("'{id}'")));
            let moderation = Revision::read(&moderation, ROOM, None).unwrap();
            assert_eq!(moderation.is_about(&ids), expected, "{id}");
        }
    }

    #[test]
    fn a_hash_is_read_as_it_was_written() {
        let hash = IdHash::of("m");
        assert_eq!(IdHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(
            IdHash::of("").to_string(),
            "cbf29ce484222325",
            "what is stored is found by a later version"
        );
        assert_eq!(IdHash::parse(""), None);
        assert_eq!(IdHash::parse("0"), None);
    }
}
