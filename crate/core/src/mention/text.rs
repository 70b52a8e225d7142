//! Text in which nicknames are looked for.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use super::folding::{continues_word, fold, words};
use super::nickname::Nickname;

/// The words of a body, folded, and where they are.
///
/// A nickname is found by its first word and compared from there on, so that one whose first word does not
/// occur costs a single look-up, however long the body is.
#[derive(Debug)]
pub(super) struct Text {
    folded: String,
    /// The offsets at which each word begins
    words: HashMap<Box<str>, Vec<usize>>,
    /// The offsets of all word boundaries, ascending
    boundaries: Vec<usize>,
}

impl Text {
    /// The text that `parts` make together. Nothing of one part touches the next: they are lines.
    pub(super) fn new<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut folded = String::new();
        for part in parts {
            folded.push_str(&fold(part));
            folded.push('\n');
        }
        let mut indexed: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (start, word) in words(&folded).filter(|(_, word)| !word.trim().is_empty()) {
            match indexed.get_mut(word) {
                Some(starts) => starts.push(start),
                None => {
                    indexed.insert(word.into(), vec![start]);
                }
            }
        }
        let boundaries = folded.split_word_bound_indices().map(|(offset, _)| offset).collect();
        Self { words: indexed, boundaries, folded }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether the nickname stands somewhere in the text as a whole word, or as several.
    pub(super) fn contains(&self, nickname: &Nickname) -> bool {
        let starts = self.words.get(nickname.first_word());
        starts.is_some_and(|starts| starts.iter().any(|start| self.stands_at(*start, nickname.folded())))
    }

    fn stands_at(&self, start: usize, nick: &str) -> bool {
        let Some((before, rest)) = self.folded.split_at_checked(start) else {
            return false;
        };
        let Some(after) = rest.strip_prefix(nick) else {
            return false;
        };
        self.ends_word(start, before.chars().next_back())
            && self.ends_word(start + nick.len(), after.chars().next())
    }

    /// Whether there is a word boundary at `offset` (UAX #29), or a neighbour that is not part of any word.
    ///
    /// The first alone would not do: `bob's` is one word. The second alone would not do either: there are
    /// scripts without spaces.
    fn ends_word(&self, offset: usize, neighbour: Option<char>) -> bool {
        neighbour.is_none_or(|c| !continues_word(c)) || self.boundaries.binary_search(&offset).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule without the index: the nickname anywhere, with a boundary on either side.
    fn contains_by_scanning(text: &Text, nickname: &Nickname) -> bool {
        let mut offsets = text.folded.char_indices().map(|(offset, _)| offset);
        offsets.any(|offset| text.stands_at(offset, nickname.folded()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_index_finds_what_scanning_finds(
            body in "[ab_. :'\"1\u{301}\u{200D}\u{AD}\u{203F}ß田さサא한🎉🇩🇪\u{1F3FD}ℹ]{0,24}",
            nick in "[ab_. :'\"1\u{301}\u{200D}\u{AD}\u{203F}ß田さサא한🎉🇩🇪\u{1F3FD}ℹ]{1,3}",
        ) {
            let nickname = Nickname::new(&nick);
            prop_assume!(!nickname.is_blank());
            let text = Text::new([body.as_str()].into_iter());
            prop_assert_eq!(text.contains(&nickname), contains_by_scanning(&text, &nickname));
        }
    }
}
