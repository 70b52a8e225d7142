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
mod budget;
mod covered;
mod folding;
mod known;
mod link;
mod nickname;
mod reference;
mod text;

pub use known::KnownNicknames;
pub use nickname::Nickname;

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use crate::message::{Body, Message, outside};
use crate::ns;
use crate::work;
use address::Address;
use budget::Budget;
use covered::Covered;
use reference::Reference;
use text::Text;

/// How many references of a message are looked at.
const REFERENCES_MAX: usize = 1000;

/// How much text of a message is looked at, in bytes, all languages together.
const TEXT_MAX: usize = 16 * 1024;

/// The mentions in a groupchat message: references ([XEP-0372 §3.2]), the author replied to
/// ([XEP-0461 §3]) and the words of the text.
///
/// [XEP-0372 §3.2]: https://xmpp.org/extensions/xep-0372.html#usecase_mention
/// [XEP-0461 §3]: https://xmpp.org/extensions/xep-0461.html#usecases
#[derive(Debug)]
pub struct Mentions<'a> {
    /// Bare real JIDs, in every form that Prosody may know them by
    people: HashSet<String>,
    /// Nicknames out of occupant JIDs of this room, as Resourceprep maps them
    occupants: HashSet<String>,
    /// Folded texts that references without a usable URI point at
    ranges: HashSet<String>,
    /// What the bodies say, without fallbacks
    text: Text,
    /// The nicknames of the room in which others can be
    known: &'a KnownNicknames,
    /// What of the text does not name those whose nicknames are inside: read when a nickname was found
    covered: OnceCell<Covered>,
    /// For what is compared
    budget: Budget,
    /// For the addresses that are prepared
    addresses: Budget,
}

impl<'a> Mentions<'a> {
    /// Reads the mentions of a message. `reply_author` is the bare JID of the author of the message that it replies to, where
    /// that is known; otherwise the reply says whose it was. `known` are nicknames of the room.
    ///
    /// Whatever is malformed in it mentions nobody, and takes nothing away from the rest.
    pub fn read(message: &Message<'_>, reply_author: Option<&str>, known: &'a KnownNicknames) -> Self {
        let mut mentions = Self {
            people: reply_author.into_iter().map(str::to_owned).collect(),
            occupants: HashSet::new(),
            ranges: HashSet::new(),
            text: Text::default(),
            known,
            covered: OnceCell::new(),
            budget: Budget::new(),
            addresses: Budget::new(),
        };
        let body = message.main_body();
        if reply_author.is_none() {
            mentions.add_replies(message);
        }
        let linked = mentions.add_references(message, body);
        mentions.text = text(message, linked);
        mentions
    }

    /// The same with what is known of nicknames at another time.
    pub(crate) fn with_known<'k>(self, known: &'k KnownNicknames) -> Mentions<'k> {
        let Mentions { people, occupants, ranges, text, covered, budget, addresses, .. } = self;
        Mentions { people, occupants, ranges, text, known, covered, budget, addresses }
    }

    /// The same with no nickname known, until there is time to go on.
    pub(crate) fn set_aside(self) -> Mentions<'static> {
        static NOTHING: LazyLock<KnownNicknames> = LazyLock::new(KnownNicknames::default);
        self.with_known(&NOTHING)
    }

    /// The text is not needed any more: nobody is mentioned by the words of it.
    pub(crate) fn forget_text(&mut self) {
        (self.text, self.covered) = (Text::default(), OnceCell::new());
    }

    /// How much memory they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let sets = [&self.people, &self.occupants, &self.ranges];
        let of_sets = sets.into_iter().map(|set| {
            let texts: usize = set.iter().map(String::capacity).sum();
            texts + set.capacity() * 2 * size_of::<String>()
        });
        size_of::<Self>() + of_sets.sum::<usize>() + self.text.bytes()
    }

    /// Whether nothing in the message could mention anybody: no reference, no reply, no word.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty() && self.occupants.is_empty() && self.ranges.is_empty() && self.text.is_empty()
    }

    /// Whether the message mentions a member of the room: by `member`, their bare JID as Prosody prepared
    /// it, or by one of the nicknames that they are known by in the room.
    pub fn concern<'n>(&self, member: &str, nicknames: impl IntoIterator<Item = &'n Nickname>) -> bool {
        self.people.contains(member) || nicknames.into_iter().any(|nickname| self.name(nickname))
    }

    fn name(&self, nickname: &Nickname) -> bool {
        work::count(1);
        !nickname.is_blank()
            && ((!self.occupants.is_empty() && self.occupants.contains(nickname.prepared().as_ref()))
                || (nickname.is_looked_for()
                    && (self.ranges.contains(nickname.folded()) || self.text_names(nickname))))
    }

    /// Whether the nickname stands in the text, and not only inside of an address or of a longer nickname.
    fn text_names(&self, nickname: &Nickname) -> bool {
        let mut found = self.text.find_nickname(nickname, &self.budget);
        found.any(|range| {
            let covered = self.covered.get_or_init(|| Covered::read(&self.text, self.known, &self.budget));
            !covered.holds(&range)
        })
    }

    fn add_replies(&mut self, message: &Message<'_>) {
        let children = message.element().children().inspect(|_| work::count(1));
        let replies = children.filter(|child| child.is("reply", ns::REPLY));
        for to in replies.filter_map(|reply| reply.attr("to")).take(REFERENCES_MAX) {
            self.add_address(to, message.room());
        }
    }

    /// Returns the parts of the main body that are links to people.
    fn add_references(&mut self, message: &Message<'_>, body: Option<&Body<'_>>) -> Vec<Range<usize>> {
        let mut linked = Vec::new();
        let mut is_within_budget = true;
        let children = message.element().children().inspect(|_| work::count(1));
        for reference in children.filter_map(Reference::mention).take(REFERENCES_MAX) {
            for address in &reference.addresses {
                self.add_address(address, message.room());
            }
            let Some((body, range)) = body.zip(reference.range) else { continue };
            if !reference.addresses.is_empty() {
                linked.extend(body.ranges(&range).find(|range| is_of_words(body, range)));
            } else if is_within_budget {
                is_within_budget = self.add_ranges(body, &range);
            }
        }
        linked
    }

    fn add_address(&mut self, text: &str, room: &str) {
        let Some(address) = Address::parse(text).filter(|_| self.addresses.take(text.len())) else { return };
        let bare = address.bare_forms();
        if !bare.iter().any(|form| form == room) {
            self.people.extend(bare);
        } else if let Some(nick) = address.resource() {
            self.occupants.insert(nick.into_owned());
        }
    }

    /// Adds what is at a range of the body. Returns whether more may be added.
    fn add_ranges(&mut self, body: &Body<'_>, range: &Range<usize>) -> bool {
        for text in body.ranges(range).filter_map(|range| body.as_str().get(range)) {
            if !self.budget.take(text.len()) {
                return false;
            }
            // A client may count the @ in front of a nickname in or out; and a nickname may begin with one.
            let folded = folding::fold(text);
            let nick = folded.trim();
            let after_at = nick.strip_prefix('@').map(str::trim);
            let nicks = [Some(nick), after_at].into_iter().flatten().filter(|nick| !nick.is_empty());
            self.ranges.extend(nicks.map(str::to_owned));
        }
        true
    }
}

/// Whether a range begins and ends between words. One that does not is wrong: Converse.js counts its ranges before it
/// replaces emoji shortnames.
fn is_of_words(body: &Body<'_>, range: &Range<usize>) -> bool {
    let continues = |c: Option<char>| c.is_some_and(folding::continues_word);
    let is_boundary = |offset: usize| {
        let Some((before, after)) = body.as_str().split_at_checked(offset) else { return false };
        !continues(before.chars().next_back())
            || !continues(after.chars().next())
            || body.is_word_boundary(offset)
    };
    range.start < range.end && is_boundary(range.start) && is_boundary(range.end)
}

/// The text in which nicknames are looked for: the bodies without fallbacks, and without what is linked in the main one, as
/// that says already whom it means.
fn text(message: &Message<'_>, mut linked: Vec<Range<usize>>) -> Text {
    let mut left = TEXT_MAX;
    let texts = message.texts().flat_map(|body| {
        let mut parts = message.fallback_parts(body);
        // The first body is the main one.
        parts.append(&mut linked);
        outside(body.as_str(), parts)
    });
    Text::new(texts.map_while(|text| {
        let seen = text.get(..text.floor_char_boundary(left)).filter(|seen| !seen.is_empty())?;
        left -= seen.len();
        Some(seen)
    }))
}
