//! The nicknames of a room in which shorter ones can be.

use std::collections::HashMap;
use std::ops::Range;

use super::budget::Budget;
use super::folding;
use super::link::trim_punctuation;
use super::nickname::Nickname;
use super::text::Text;
use crate::work;

/// The nicknames of several words that are known in a room: registered, last used, or those of occupants.
///
/// Where one of them stands in a text, a shorter nickname inside of it is not mentioned: `John Doe: hi` is not for `John`.
/// Nicknames of one word have no other nickname inside. Punctuation around a nickname makes it no longer: an occupant called
/// `bob:` does not keep anybody from mentioning `bob`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KnownNicknames {
    /// By the hash of their first word, and then in order: whoever comes has any nickname they like
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
        match self.place(nickname) {
            Ok(place) => {
                let known = self.by_first_word.get_mut(&nickname.hash()).and_then(|all| all.get_mut(place));
                if let Some(known) = known {
                    known.holders = known.holders.saturating_add(1);
                }
            }
            Err(place) if self.kept < Self::KEPT => {
                self.kept += 1;
                let (folded, first_word) = (nickname.folded().into(), nickname.first_word());
                let known = Known { folded, first_word, core, holders: 1 };
                self.by_first_word.entry(nickname.hash()).or_default().insert(place, known);
            }
            Err(_) => {}
        }
    }

    /// Somebody has a nickname no more.
    pub fn remove(&mut self, nickname: &Nickname) {
        let Ok(place) = self.place(nickname) else { return };
        let Some(all) = self.by_first_word.get_mut(&nickname.hash()) else { return };
        let Some(known) = all.get_mut(place) else { return };
        known.holders -= 1;
        if known.holders > 0 {
            return;
        }
        self.kept -= 1;
        all.remove(place);
        if all.is_empty() {
            self.by_first_word.remove(&nickname.hash());
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

    /// Where a nickname is among those of the same first word, or where it would be.
    fn place(&self, nickname: &Nickname) -> Result<usize, usize> {
        let all = self.by_first_word.get(&nickname.hash()).map_or(&[][..], Vec::as_slice);
        all.binary_search_by(|known| {
            work::count(1);
            (*known.folded).cmp(nickname.folded())
        })
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
