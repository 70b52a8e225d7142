//! The nicknames of a room in which shorter ones can be.

use std::collections::HashMap;
use std::ops::Range;

use super::budget::Budget;
use super::folding;
use super::link::trim_punctuation;
use super::nickname::Nickname;
use super::text::Text;

/// The nicknames of several words that are known in a room: registered, last used, or those of occupants.
///
/// Where one of them stands in a text, a shorter nickname inside of it is not mentioned: `John Doe: hi` is not for `John`.
/// Nicknames of one word have no other nickname inside. Punctuation around a nickname makes it no longer: an occupant called
/// `bob:` does not keep anybody from mentioning `bob`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KnownNicknames {
    /// By the hash of their first word
    by_first_word: HashMap<u32, Vec<Known>>,
    kept: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    folded: Box<str>,
    first_word: usize,
    /// The part of it without the punctuation around.
    core: Range<usize>,
    /// How many have it.
    holders: u32,
}

impl KnownNicknames {
    /// How many are kept for one room.
    pub(crate) const KEPT: usize = 1000;

    /// Whether a nickname is one that others can be inside of.
    pub(crate) fn keeps(nickname: &Nickname) -> bool {
        core(nickname).is_some()
    }

    /// Somebody has a nickname.
    pub fn add(&mut self, nickname: &Nickname) {
        let Some(core) = core(nickname) else { return };
        if let Some(known) = self.find_mut(nickname) {
            known.holders = known.holders.saturating_add(1);
        } else if self.kept < Self::KEPT {
            self.kept += 1;
            let (folded, first_word) = (nickname.folded().into(), nickname.first_word());
            let known = Known { folded, first_word, core, holders: 1 };
            self.by_first_word.entry(nickname.hash()).or_default().push(known);
        }
    }

    /// Somebody has a nickname no more.
    pub fn remove(&mut self, nickname: &Nickname) {
        let Some(known) = self.find_mut(nickname) else { return };
        known.holders -= 1;
        if known.holders > 0 {
            return;
        }
        self.kept -= 1;
        if let Some(known) = self.by_first_word.get_mut(&nickname.hash()) {
            known.retain(|known| known.holders > 0);
            if known.is_empty() {
                self.by_first_word.remove(&nickname.hash());
            }
        }
    }

    /// Each of them with how many have it.
    #[cfg(test)]
    pub(crate) fn sorted(&self) -> Vec<(&str, u32)> {
        let known = self.by_first_word.values().flatten();
        let mut known: Vec<_> = known.map(|known| (&*known.folded, known.holders)).collect();
        known.sort_unstable();
        known
    }

    fn find_mut(&mut self, nickname: &Nickname) -> Option<&mut Known> {
        let known = self.by_first_word.get_mut(&nickname.hash())?;
        known.iter_mut().find(|known| *known.folded == *nickname.folded())
    }

    /// Finds where they stand in a text.
    pub(super) fn find(&self, text: &Text, budget: &Budget, mut found: impl FnMut(Range<usize>)) {
        if self.kept == 0 {
            return;
        }
        for (hash, words) in text.words() {
            for known in self.by_first_word.get(&hash).into_iter().flatten() {
                if budget.is_used_up() {
                    return;
                }
                for range in text.find(words, &known.folded, known.first_word, budget) {
                    found(range.start + known.core.start..range.start + known.core.end);
                }
            }
        }
    }
}

/// What of a nickname makes it longer than others: nothing where that is a single word.
fn core(nickname: &Nickname) -> Option<Range<usize>> {
    if !nickname.is_looked_for() || nickname.first_word() == nickname.folded().len() {
        return None;
    }
    let core = trim_punctuation(nickname.folded());
    let words = folding::words(nickname.folded().get(core.clone())?);
    (words.take(2).count() == 2).then_some(core)
}
