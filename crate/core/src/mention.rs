//! Whom a groupchat message mentions.
//!
//! A message can name somebody in four ways, and any of them is enough:
//!
//! - a `<reference type='mention'/>` with a URI ([XEP-0372]): the member's real address, or that of an
//!   occupant of the room;
//! - a `<reference type='mention'/>` without a URI that says anything: the nickname in the range of the body;
//! - a `<reply/>` to a message of theirs ([XEP-0461]);
//! - their nickname as a word in the body, outside of what is only there for clients that know
//!   no better ([XEP-0428]).
//!
//! The message is read once, into sets and an index of words; each absent member then costs a few look-ups.
//!
//! [XEP-0372]: https://xmpp.org/extensions/xep-0372.html
//! [XEP-0428]: https://xmpp.org/extensions/xep-0428.html
//! [XEP-0461]: https://xmpp.org/extensions/xep-0461.html

mod address;
mod body;
mod fallback;
mod folding;
mod nickname;
mod reference;
mod text;

pub use nickname::Nickname;

use std::collections::HashSet;
use std::ops::Range;

use minidom::Element;

use crate::ns;
use address::Address;
use body::Body;
use fallback::Fallback;
use reference::Reference;
use text::Text;

/// What is compared of all ranges of one message together, in octets. It is far more than a message to
/// people needs, and keeps one that is made of nothing but long ranges from taking long.
const RANGES_MAX: usize = 64 * 1024;

/// The mentions in a groupchat message: references ([XEP-0372 §3.2]), the author replied to
/// ([XEP-0461 §3]) and the words of the body.
///
/// [XEP-0372 §3.2]: https://xmpp.org/extensions/xep-0372.html#usecase_mention
/// [XEP-0461 §3]: https://xmpp.org/extensions/xep-0461.html#usecases
#[derive(Debug)]
pub struct Mentions {
    /// Bare real JIDs, in every form that Prosody may know them by
    people: HashSet<String>,
    /// Nicknames out of occupant JIDs of this room, in NFC
    occupants: HashSet<String>,
    /// Folded texts that references without a usable URI point at
    ranges: HashSet<String>,
    /// What the body says, without fallbacks
    text: Text,
}

impl Mentions {
    /// Reads the mentions of a `<message/>` that the room with the bare JID `room` broadcasts.
    ///
    /// Whatever is malformed in it mentions nobody, and takes nothing away from the rest.
    pub fn read(message: &Element, room: &str) -> Self {
        let body = Body::read(message);
        let text = Text::new(Fallback::read(message, &body).outside(&body));
        let mut mentions =
            Self { people: HashSet::new(), occupants: HashSet::new(), ranges: HashSet::new(), text };
        let mut ranges = Vec::new();
        for child in message.children() {
            if child.is("reply", ns::REPLY) {
                mentions.add_addresses(child.attr("to"), room);
                continue;
            }
            match Reference::mention(child) {
                Some(Reference::Addresses(texts)) => {
                    mentions.add_addresses(texts.iter().map(AsRef::as_ref), room)
                }
                Some(Reference::Range(range)) => ranges.push(range),
                None => {}
            }
        }
        mentions.add_ranges(&ranges, &body);
        mentions
    }

    /// Whether nothing in the message could mention anybody: no reference, no reply, no word.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty() && self.occupants.is_empty() && self.ranges.is_empty() && self.text.is_empty()
    }

    /// Whether the message mentions a member of the room: by `member`, their bare JID as Prosody prepared
    /// it, or by one of the nicknames that they are known by in the room.
    pub fn concern<'a>(&self, member: &str, nicknames: impl IntoIterator<Item = &'a Nickname>) -> bool {
        self.people.contains(member) || nicknames.into_iter().any(|nickname| self.name(nickname))
    }

    fn name(&self, nickname: &Nickname) -> bool {
        !nickname.is_blank()
            && (self.ranges.contains(nickname.folded())
                || (!self.occupants.is_empty() && self.occupants.contains(nickname.composed().as_ref()))
                || self.text.contains(nickname))
    }

    fn add_addresses<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>, room: &str) {
        for address in texts.into_iter().filter_map(Address::parse) {
            let bare = address.bare_forms();
            if !bare.iter().any(|form| form == room) {
                self.people.extend(bare);
            } else if let Some(nicks) = address.resource_forms() {
                self.occupants.extend(nicks);
            }
        }
    }

    fn add_ranges(&mut self, ranges: &[Range<usize>], body: &Body) {
        let mut left = RANGES_MAX;
        for text in ranges.iter().flat_map(|range| body.at(range)) {
            let Some(rest) = left.checked_sub(text.len()) else {
                break;
            };
            left = rest;
            // A client may count the @ in front of a nickname in or out; and a nickname may begin with one.
            let nick = folding::fold(text.trim());
            let after_at = nick.strip_prefix('@').map(|after| after.trim().to_owned());
            self.ranges.extend([Some(nick), after_at].into_iter().flatten().filter(|nick| !nick.is_empty()));
        }
    }
}
