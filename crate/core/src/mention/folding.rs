//! What two texts are compared by, and where the words in them are.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// The canonical case folding of `text`, in NFC (The Unicode Standard, D145): texts are equal without
/// regard to case if these are equal.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.nfd().default_case_fold().nfc().collect() }
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
