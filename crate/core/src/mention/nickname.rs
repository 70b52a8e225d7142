//! A nickname in a room.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::folding;

/// The nickname of an occupant, the resource of the occupant JID ([XEP-0045 §4.1]), with what is needed to
/// find it in a text.
///
/// In an address it is compared as it is, in a text without regard to case. A nickname of nothing but white
/// space is never mentioned.
///
/// [XEP-0045 §4.1]: https://xmpp.org/extensions/xep-0045.html#terms-general
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nickname {
    nick: Box<str>,
    /// Folded and trimmed; nothing if that is the same as `nick`
    folded: Option<Box<str>>,
    /// How many octets of the folded form are its first word
    first_word: usize,
}

impl Nickname {
    /// The nickname `nick`, as Prosody prepared it.
    pub fn new(nick: &str) -> Self {
        let folded = folding::fold(nick.trim());
        let first_word = folding::words(&folded).next().map_or(0, |(_, word)| word.len());
        Self { nick: nick.into(), folded: (folded != nick).then(|| folded.into()), first_word }
    }

    /// The nickname as it was given.
    pub fn as_str(&self) -> &str {
        &self.nick
    }

    pub(super) fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.nick)
    }

    pub(super) fn first_word(&self) -> &str {
        self.folded().get(..self.first_word).unwrap_or_default()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.folded().is_empty()
    }

    /// The nickname in NFC.
    pub(super) fn composed(&self) -> Cow<'_, str> {
        match is_nfc_quick(self.nick.chars()) {
            IsNormalized::Yes => Cow::Borrowed(&self.nick),
            _ => Cow::Owned(self.nick.nfc().collect()),
        }
    }
}
