//! A nickname in a room.

use std::borrow::Cow;

use super::folding;
use crate::work;

/// The longest nickname that is looked for in a text, in bytes of its folded form.
const LOOKED_FOR_MAX: usize = 255;

/// The longest nickname that is folded, in bytes: folding makes none so much shorter.
const FOLDED_MAX: usize = 3 * LOOKED_FOR_MAX;

/// The nickname of an occupant, the resource of the occupant JID ([XEP-0045 §4.1]), with what is needed to
/// find it in a text.
///
/// In an address it is compared as Resourceprep maps it, in a text also without regard to case. A nickname of nothing but
/// white space is never mentioned, and one of more than 255 bytes is not looked for in texts.
///
/// [XEP-0045 §4.1]: https://xmpp.org/extensions/xep-0045.html#terms-general
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nickname {
    nick: Box<str>,
    /// Folded and trimmed; nothing if that is the same as `nick`
    folded: Option<Box<str>>,
    /// How many bytes of the folded form are its first word, and the hash of that
    first_word: u16,
    hash: u32,
    /// Whether Resourceprep maps it to itself
    is_prepared: bool,
}

impl Nickname {
    /// The nickname `nick`, as Prosody prepared it.
    pub fn new(nick: &str) -> Self {
        // What is much too long is not looked for, so that it need not be folded.
        if nick.len() > FOLDED_MAX {
            return Self { nick: nick.into(), folded: None, first_word: 0, hash: 0, is_prepared: true };
        }
        work::count(nick.len());
        let folded = folding::fold(nick);
        let folded = folded.trim();
        let first_word = folding::words(folded).next().map_or("", |(_, word)| word);
        Self {
            nick: nick.into(),
            folded: (folded != nick).then(|| folded.into()),
            first_word: first_word.len().try_into().unwrap_or(u16::MAX),
            hash: folding::hash(first_word),
            is_prepared: folding::prepare(nick) == nick,
        }
    }

    /// The nickname as it was given.
    pub fn as_str(&self) -> &str {
        &self.nick
    }

    pub(super) fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.nick)
    }

    /// The length of its first word, in bytes.
    pub(super) fn first_word(&self) -> usize {
        usize::from(self.first_word)
    }

    /// The hash of its first word.
    pub(super) fn hash(&self) -> u32 {
        self.hash
    }

    pub(super) fn is_blank(&self) -> bool {
        self.folded().is_empty()
    }

    /// Whether it is looked for in texts.
    pub(super) fn is_looked_for(&self) -> bool {
        (1..=LOOKED_FOR_MAX).contains(&self.folded().len())
    }

    /// The nickname as Resourceprep maps it.
    pub(super) fn prepared(&self) -> Cow<'_, str> {
        if self.is_prepared { Cow::Borrowed(&self.nick) } else { folding::prepare(&self.nick) }
    }
}
