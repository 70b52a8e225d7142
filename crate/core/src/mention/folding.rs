//! What two texts are compared by, and where the words in them are.

use std::borrow::Cow;

use caseless::Caseless;
use stringprep::tables::commonly_mapped_to_nothing;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

use crate::work;

pub(super) const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// `text` with the mappings of Resourceprep (RFC 6122, appendix B.3), which Prosody has applied to every nickname: without
/// joiners, soft hyphens and the like (RFC 3454, table B.1), in NFKC. What Resourceprep prohibits stays.
pub(super) fn prepare(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    work::count(text.len());
    text.chars().filter(|c| !commonly_mapped_to_nothing(*c)).nfkc().collect()
}

/// The compatibility case folding of `text` as Resourceprep maps it (The Unicode Standard, D146), in NFKC: texts are equal
/// without regard to case if these are equal.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    fold_quickly(text).unwrap_or_else(|| {
        let mapped = text.chars().filter(|c| !commonly_mapped_to_nothing(*c));
        mapped.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect()
    })
}

/// The same for most texts: those that nothing but letters' case changes.
fn fold_quickly(text: &str) -> Option<String> {
    let is_plain =
        is_nfkc_quick(text.chars()) == IsNormalized::Yes && !text.contains(commonly_mapped_to_nothing);
    let folded: String = is_plain.then(|| text.chars().default_case_fold().collect())?;
    (is_nfkc_quick(folded.chars()) == IsNormalized::Yes).then_some(folded)
}

/// A number for a word, the same for the same word: FNV-1a.
pub(super) fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The words of `text` with their offsets: divided at every word boundary of UAX #29 and around every
/// character that is not part of a word.
///
/// So wherever a nickname stands as a whole word, its own first word is a word of the text. For that a mark
/// that nothing comes before must be a word of its own: what it follows in the text is not in the nickname.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_word_bound_indices().flat_map(|(offset, segment)| {
        let mut rest = segment;
        std::iter::from_fn(move || {
            let first = rest.chars().next()?;
            let length = if stands_alone(first) {
                first.len_utf8()
            } else {
                rest.find(|c| !continues_word(c)).unwrap_or(rest.len())
            };
            let (word, after) = rest.split_at_checked(length)?;
            let start = offset + segment.len() - rest.len();
            rest = after;
            Some((start, word))
        })
    })
}

fn stands_alone(first: char) -> bool {
    !continues_word(first) || extends(first)
}

pub(super) fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || extends(c)
}

fn extends(c: char) -> bool {
    is_combining_mark(c) || c == ZERO_WIDTH_JOINER
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fold_thoroughly(text: &str) -> String {
        let mapped = text.chars().filter(|c| !commonly_mapped_to_nothing(*c));
        mapped.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect()
    }

    #[test]
    fn every_character_is_folded_quickly_as_thoroughly() {
        // The letters that have case, or are written in more than one way; but not the ten thousands of ideographs.
        let letters = ('\0'..='\u{2FFF}').chain('\u{A640}'..='\u{ABFF}').chain('\u{F900}'..='\u{FFFF}');
        for c in letters.chain('\u{10400}'..='\u{105FF}').chain('\u{1E900}'..='\u{1E95F}') {
            for text in [c.to_string(), format!("é{c}ι"), format!("α{c}\u{345}")] {
                if let Some(folded) = fold_quickly(&text) {
                    assert_eq!(folded, fold_thoroughly(&text), "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_is_folded_quickly_as_thoroughly(text in "\\PC{0,12}|[αΑάᾳᾼǰΐßẞİﬁé\u{345}\u{301}ιΣς가ᄀ]{0,6}") {
            prop_assert_eq!(fold(&text), fold_thoroughly(&text));
        }

        #[test]
        fn a_nickname_that_was_prepared_is_folded_as_if_it_was_not(nick in "\\PC{0,12}|[ßẞſŉǰΐıİﬃ㎐ªﷺ\u{345}\u{301}\u{AD}\u{200D}aA]{0,6}") {
            prop_assert_eq!(fold(&prepare(&nick)), fold(&nick));
            prop_assert_eq!(fold(&fold(&nick)), fold(&nick));
        }
    }

    #[test]
    fn words_are_divided_around_what_is_no_letter() {
        let cases: [(&str, &[&str]); 6] = [
            ("bob's", &["bob", "'", "s"]),
            ("bob_x", &["bob_x"]),
            ("田中さん", &["田", "中", "さ", "ん"]),
            ("a\u{301}b", &["a\u{301}b"]),
            ("!\u{301}b", &["!", "\u{301}", "b"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text).map(|(_, word)| word).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
