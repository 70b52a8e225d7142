//! Text in which nicknames are looked for.

use std::ops::Range;

use stringprep::tables::commonly_mapped_to_nothing;
use unicode_segmentation::UnicodeSegmentation;

use super::budget::Budget;
use super::folding::{ZERO_WIDTH_JOINER, continues_word, fold, hash, words};
use super::nickname::Nickname;
use crate::work;

/// Divides words where there are no spaces, so it is not dropped from a text as it is from a nickname: `b\u{200B}ob` is what
/// somebody writes who does not want to mention `bob`.
const ZERO_WIDTH_SPACE: char = '\u{200B}';

/// How many bytes of a first word are compared at once: that it is the same is most likely, as its hash is.
const AT_ONCE: usize = 16;

/// The words of a text, folded, and where they are.
///
/// A nickname is found by its first word and compared from there on, so that one whose first word does not
/// occur costs a single look-up, however long the text is.
#[derive(Debug, Default)]
pub(super) struct Text {
    folded: String,
    /// Where the words begin: by their hashes, and then in the order of the text
    words: Vec<Word>,
    /// The offsets of all word boundaries, ascending
    boundaries: Vec<usize>,
    /// The offsets where a joiner has made one character of two, ascending
    joints: Vec<usize>,
    /// The offsets of punctuation that was wide before it was folded, ascending
    wide: Vec<usize>,
    /// The offsets of letters right after a dot that were capital before they were folded, ascending
    capitals: Vec<usize>,
}

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Word {
    hash: u32,
    start: usize,
}

impl Text {
    /// The text that `parts` make together. Nothing of one part touches the next: they are lines.
    pub(super) fn new<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut text = Self::default();
        for part in parts {
            text.push(part);
            text.folded.push('\n');
        }
        let folded = text.folded.as_str();
        work::count(folded.len());
        let words = words(folded).filter(|(_, word)| !word.trim().is_empty());
        text.words = words.map(|(start, word)| Word { hash: hash(word), start }).collect();
        text.words.sort_unstable();
        text.boundaries = folded.split_word_bound_indices().map(|(offset, _)| offset).collect();
        text
    }

    /// Folds space by space: nothing that folding changes reaches over one, and most words are of ASCII alone.
    fn push(&mut self, part: &str) {
        for word in part.split_inclusive(' ') {
            if word.is_ascii() {
                self.push_ascii(word);
                continue;
            }
            for (index, piece) in word.split(ZERO_WIDTH_SPACE).enumerate() {
                if index > 0 {
                    self.folded.push(ZERO_WIDTH_SPACE);
                }
                self.push_word(piece);
            }
        }
    }

    fn push_ascii(&mut self, word: &str) {
        let start = self.folded.len();
        self.folded.push_str(word);
        if let Some(pushed) = self.folded.get_mut(start..) {
            pushed.make_ascii_lowercase();
        }
        if word.contains('.') {
            let pairs = word.as_bytes().windows(2).enumerate();
            let capitals = pairs.filter(|(_, pair)| matches!(pair, [b'.', b'A'..=b'Z']));
            self.capitals.extend(capitals.map(|(index, _)| start + index + 1));
        }
    }

    /// A joiner is dropped, but the emoji on both sides of it stay one.
    fn push_word(&mut self, word: &str) {
        let mut begin = 0;
        for (index, joiner) in word.match_indices(ZERO_WIDTH_JOINER) {
            let (before, after) = (word.get(begin..index), word.get(index + joiner.len()..));
            let (Some(before), Some(after)) = (before, after) else { continue };
            if joins(before.chars().rev()) && joins(after.chars()) {
                self.push_folded(before);
                self.joints.push(self.folded.len());
                begin = index + joiner.len();
            }
        }
        self.push_folded(word.get(begin..).unwrap_or_default());
    }

    /// Folds, and keeps what folding takes away from what addresses are told by. Nothing that folding changes reaches back over
    /// the beginning of wide punctuation, or of a letter after a dot.
    fn push_folded(&mut self, text: &str) {
        let mut begin = 0;
        let mut previous = None;
        for (index, c) in text.char_indices() {
            let is_wide = is_wide_punctuation(c);
            if is_wide || (previous == Some('.') && c.is_uppercase()) {
                self.folded.push_str(&fold(text.get(begin..index).unwrap_or_default()));
                let offsets = if is_wide { &mut self.wide } else { &mut self.capitals };
                offsets.push(self.folded.len());
                begin = index;
            }
            previous = Some(c);
        }
        self.folded.push_str(&fold(text.get(begin..).unwrap_or_default()));
    }

    /// How much memory it takes, in bytes, with what may yet be read of it: what of it does not name those whose nicknames are inside.
    pub(super) fn bytes(&self) -> usize {
        let offsets = [&self.boundaries, &self.joints, &self.wide, &self.capitals];
        let offsets: usize = offsets.into_iter().map(Vec::capacity).sum();
        let covered = self.words.len() * 3 * size_of::<usize>();
        self.folded.capacity()
            + self.words.capacity() * size_of::<Word>()
            + offsets * size_of::<usize>()
            + covered
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.folded
    }

    /// The offsets of punctuation that was wide as it was written, ascending: each of one character.
    pub(super) fn wide_punctuation(&self) -> &[usize] {
        &self.wide
    }

    /// Whether a letter in a range was written as a capital right after a dot.
    pub(super) fn has_capital_after_dot(&self, range: &Range<usize>) -> bool {
        let next = self.capitals.partition_point(|&capital| capital < range.start);
        self.capitals.get(next).is_some_and(|&capital| capital < range.end)
    }

    /// The words of the same hash, which are nearly always the same: every hash that there is.
    pub(super) fn words(&self) -> impl Iterator<Item = (u32, &[Word])> {
        let groups = self.words.chunk_by(|one, other| one.hash == other.hash);
        groups.filter_map(|group| Some((group.first()?.hash, group)))
    }

    /// Where a nickname stands in the text as a whole word, or as several.
    pub(super) fn find_nickname<'a>(
        &'a self,
        nickname: &'a Nickname,
        budget: &'a Budget,
    ) -> impl Iterator<Item = Range<usize>> {
        let hash = nickname.hash();
        let begin = self.words.partition_point(|word| word.hash < hash);
        let rest = self.words.get(begin..).unwrap_or_default();
        let words = rest.iter().take_while(move |word| word.hash == hash);
        self.find(words, nickname.folded(), nickname.first_word(), budget)
    }

    /// Where `nick` stands in the text as a whole word, or as several: its first word, of `first_word` bytes, has the hash of
    /// these words.
    pub(super) fn find<'a>(
        &'a self,
        words: impl IntoIterator<Item = &'a Word>,
        nick: &'a str,
        first_word: usize,
        budget: &'a Budget,
    ) -> impl Iterator<Item = Range<usize>> {
        let stands_at = move |word: &Word| {
            let (first, rest) = nick.split_at_checked(first_word)?;
            let text = self.folded.get(word.start..)?.strip_prefix(first);
            let equal = text.map_or(0, |text| common_prefix(text, rest));
            let is_within_budget = budget.take(first_word / AT_ONCE + equal + 1);
            let found = word.start..word.start + nick.len();
            (is_within_budget && text.is_some() && equal == rest.len() && self.is_whole(&found))
                .then_some(found)
        };
        words.into_iter().take_while(|_| !budget.is_used_up()).filter_map(stands_at)
    }

    /// Whether a range is whole words, and whole emoji.
    fn is_whole(&self, range: &Range<usize>) -> bool {
        let before = self.folded.get(..range.start).and_then(|text| text.chars().next_back());
        let after = self.folded.get(range.end..).and_then(|text| text.chars().next());
        self.ends_word(range.start, before) && self.ends_word(range.end, after)
    }

    /// Whether there is a word boundary at `offset` (UAX #29), or a neighbour that is not part of any word.
    ///
    /// The first alone would not do: `bob's` is one word. The second alone would not do either: there are
    /// scripts without spaces.
    fn ends_word(&self, offset: usize, neighbour: Option<char>) -> bool {
        (neighbour.is_none_or(|c| !continues_word(c)) || self.boundaries.binary_search(&offset).is_ok())
            && self.joints.binary_search(&offset).is_err()
    }
}

/// East Asian punctuation that folding makes the same as that of ASCII. An address has none of it.
fn is_wide_punctuation(c: char) -> bool {
    matches!(c, '，' | '；' | '：' | '！' | '？' | '（' | '）' | '［' | '］' | '｛' | '｝' | '＜' | '＞')
}

/// Whether the first of these characters that is not dropped is an emoji, or a sign like one. More than a few that are dropped
/// are not between two emoji.
fn joins(characters: impl Iterator<Item = char>) -> bool {
    let next = characters.take(4).find(|c| !commonly_mapped_to_nothing(*c));
    next.is_some_and(|c| !c.is_ascii() && !continues_word(c) && !c.is_whitespace())
}

/// How many bytes two texts have in common from the beginning.
fn common_prefix(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule without the index: the nickname anywhere, with a boundary on either side.
    fn find_by_scanning(text: &Text, nickname: &Nickname) -> Vec<Range<usize>> {
        let nick = nickname.folded();
        let starts = text.folded.char_indices().map(|(offset, _)| offset);
        let found =
            starts.filter(|&start| text.folded.get(start..).is_some_and(|rest| rest.starts_with(nick)));
        found.map(|start| start..start + nick.len()).filter(|range| text.is_whole(range)).collect()
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
            let found: Vec<_> = text.find_nickname(&nickname, &Budget::new()).collect();
            prop_assert_eq!(found, find_by_scanning(&text, &nickname));
        }

        #[test]
        fn what_is_kept_changes_no_folding(body in "[aAÄＡⅧ.．，：＜＞\u{301}\u{338}\u{AD}ßẞ한\u{1112}\u{1161}]{0,12}") {
            prop_assert_eq!(Text::new([body.as_str()].into_iter()).folded, format!("{}\n", fold(&body)));
        }
    }
}
