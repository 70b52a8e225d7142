//! A groupchat message, read once: all that the engine wants to know of it.

mod body;
mod fallback;
mod push_text;
mod revision;

use minidom::Element;

use crate::ns;
use crate::work;
use body::Bodies;
pub(crate) use body::Body;
use fallback::Fallback;
pub(crate) use fallback::outside;
pub(crate) use revision::{IdHash, MessageIds, OwnedRevision, Revision, StanzaIds};

/// How many bodies are looked at for mentions: a message has one for each language.
const BODIES_MAX: usize = 16;

/// A `<message/>` that a room broadcasts (XEP-0045, section 7.4): which of its bodies is its text and which part of that is
/// a quotation, whether it is encrypted, whether it holds anything else that people see, and whether it is about something
/// else than what it says.
///
/// It is read in one pass, and what is malformed in it takes nothing away from the rest.
#[derive(Debug)]
pub struct Message<'a> {
    element: &'a Element,
    room: &'a str,
    bodies: Bodies<'a>,
    fallback: Fallback,
    encryption: Encryption,
    has_file: bool,
    has_subject: bool,
    has_thread: bool,
    /// Whether a child makes it one that nobody is woken for.
    is_set_aside: bool,
}

/// What there is of encryption in a message.
#[derive(Debug, Default)]
struct Encryption {
    has_omemo: bool,
    has_omemo_payload: bool,
    has_other: bool,
}

impl Encryption {
    /// Whether anything is encrypted: a body beside it is a text for clients that cannot read the message.
    fn is_any(&self) -> bool {
        self.has_omemo || self.has_other
    }

    /// Whether a text may be inside. An OMEMO element without a payload only transports keys, whatever else marks the message
    /// as encrypted.
    fn has_content(&self) -> bool {
        if self.has_omemo { self.has_omemo_payload } else { self.has_other }
    }
}

impl<'a> Message<'a> {
    /// Reads a message of the room with the bare JID `room`.
    pub fn read(element: &'a Element, room: &'a str) -> Self {
        let mut message = Message {
            element,
            room,
            bodies: Bodies::default(),
            fallback: Fallback::default(),
            encryption: Encryption::default(),
            has_file: false,
            has_subject: false,
            has_thread: false,
            is_set_aside: false,
        };
        for child in element.children() {
            work::count(1);
            message.read_child(child);
        }
        message.bodies.choose(body::language(element));
        message
    }

    fn read_child(&mut self, child: &'a Element) {
        let is_own = child.has_ns(self.element.ns().as_str());
        match child.name() {
            "body" if is_own => self.bodies.add(child),
            "subject" if is_own => self.has_subject = true,
            "thread" if is_own => self.has_thread = true,
            "fallback" if ns::FALLBACK.iter().any(|namespace| child.has_ns(*namespace)) => {
                self.fallback.add(child)
            }
            "encrypted" if ns::OMEMO.iter().any(|namespace| child.has_ns(*namespace)) => {
                self.encryption.has_omemo = true;
                self.encryption.has_omemo_payload |= child.children().any(|part| part.name() == "payload");
            }
            "encryption" => self.encryption.has_other |= child.has_ns(ns::EME),
            "openpgp" => self.encryption.has_other |= child.has_ns(ns::OPENPGP),
            "x" if child.has_ns(ns::LEGACY_OPENPGP) => self.encryption.has_other = true,
            _ => {
                self.has_file |= is_file(child);
                self.is_set_aside |= is_set_aside_by(child, self.room);
            }
        }
    }

    /// Whether the message says something that an absent member would want to hear of.
    ///
    /// It does when it has a body or a file, or is encrypted and so may have one inside. It does not when it is about another
    /// message, about the room, about nothing but a state, or asks not to be kept.
    pub fn is_important(&self) -> bool {
        let says_something = self.bodies.main().is_some() || self.has_file || self.encryption.has_content();
        says_something
            && self.element.attr("type") == Some("groupchat")
            && !self.is_set_aside
            && !self.is_subject_change()
    }

    /// A `<subject/>` without a `<body/>` or a `<thread/>` changes the subject (XEP-0045, section 8.1).
    fn is_subject_change(&self) -> bool {
        self.has_subject && self.bodies.is_empty() && !self.has_thread
    }

    /// The message as it was sent.
    pub(crate) fn element(&self) -> &'a Element {
        self.element
    }

    /// The bare JID of its room.
    pub(crate) fn room(&self) -> &'a str {
        self.room
    }

    /// The body in the language of the message: positions are counted in it. Nothing where it is blank, or is there only for
    /// clients that cannot read what is encrypted.
    pub(crate) fn main_body(&self) -> Option<&Body<'a>> {
        self.bodies.main().filter(|_| !self.encryption.is_any())
    }

    /// The bodies that are texts of the message, one for each language: the main one first.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Body<'a>> {
        let main = self.main_body();
        main.into_iter().chain(main.into_iter().flat_map(|_| self.bodies.others())).take(BODIES_MAX)
    }

    /// The parts of a body that say again what another element says, in bytes.
    pub(crate) fn fallback_parts(&self, body: &Body<'_>) -> Vec<std::ops::Range<usize>> {
        self.bodies.main().map_or_else(Vec::new, |main| self.fallback.parts(body, main))
    }
}

/// Whether a child is a file, or says where there is one.
fn is_file(child: &Element) -> bool {
    match child.name() {
        "x" => {
            child.has_ns(ns::OOB)
                && child.get_child("url", ns::OOB).is_some_and(|url| !url.text().trim().is_empty())
        }
        "file-sharing" => child.has_ns(ns::FILE_SHARING),
        "reference" => child.has_ns(ns::REFERENCE) && child.has_child("media-sharing", ns::MEDIA_SHARING),
        _ => false,
    }
}

/// Whether a child makes its message one that nobody is woken for.
fn is_set_aside_by(child: &Element, room: &str) -> bool {
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
