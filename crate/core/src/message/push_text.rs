//! The text of a message for an app server that may know it.

use unicode_segmentation::GraphemeCursor;

use super::{Message, outside};
use crate::work;

/// What stands for the rest of a text.
const ELLIPSIS: char = '…';

impl Message<'_> {
    /// The text of the message, without quotations and the like, in at most `max_bytes` bytes. `None` where it has none that
    /// anybody could read: it is encrypted, a file, or nothing but a quotation.
    pub fn push_text(&self, max_bytes: usize) -> Option<String> {
        let body = self.main_body()?;
        work::count(body.as_str().len());
        let said: String = outside(body.as_str(), self.fallback_parts(body)).collect();
        shorten(said.trim(), max_bytes)
    }
}

/// A text in at most `max_bytes` bytes: the characters that people see stay whole. `None` where nothing is left.
fn shorten(text: &str, max_bytes: usize) -> Option<String> {
    if text.len() <= max_bytes {
        return Some(text.to_owned()).filter(|text| !text.is_empty());
    }
    let limit = max_bytes.checked_sub(ELLIPSIS.len_utf8())?;
    let kept = text.get(..grapheme_boundary(text, limit)).map_or("", str::trim_end);
    (!kept.is_empty()).then(|| format!("{kept}{ELLIPSIS}"))
}

/// The last boundary of graphemes (UAX #29) that is not beyond `limit`.
fn grapheme_boundary(text: &str, limit: usize) -> usize {
    let limit = text.floor_char_boundary(limit);
    let mut cursor = GraphemeCursor::new(limit, text.len(), true);
    if cursor.is_boundary(text, 0) == Ok(true) {
        return limit;
    }
    cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_cut_between_the_characters_that_people_see() {
        for (text, max_bytes, expected) in [
            ("", 16, None),
            ("0123456789abcdef", 16, Some("0123456789abcdef")),
            ("0123456789abcdefg", 16, Some("0123456789abc…")),
            ("ééééééééé", 16, Some("éééééé…")),
            ("12345678 9abc defg", 16, Some("12345678 9abc…")),
            ("12345678 9ab  cdefg", 16, Some("12345678 9ab…")),
            // neither a mark, nor a flag, nor a family is taken apart
            ("0123456789abe\u{301}\u{301}", 16, Some("0123456789ab…")),
            ("0123456\u{1F1E9}\u{1F1EA}0123", 16, Some("0123456…")),
            ("👩\u{200D}👩\u{200D}👧\u{200D}👦", 16, None),
            ("hi 👩\u{200D}👩\u{200D}👧\u{200D}👦", 16, Some("hi…")),
            ("a\r\n0123456789abcdef", 5, Some("a…")),
        ] {
            assert_eq!(shorten(text, max_bytes).as_deref(), expected, "{text:?}");
        }
        let marks = format!("a{}", "\u{301}".repeat(1000));
        assert_eq!(shorten(&marks, 1024), None);
    }

    proptest! {
        #[test]
        fn a_text_that_was_cut_is_the_beginning_of_it(text in "[a é🇩👩\u{200D}\u{301}\r\n한]{0,60}", max_bytes in 0..80_usize) {
            let Some(kept_text) = shorten(&text, max_bytes) else { return Ok(()) };
            prop_assert!(kept_text.len() <= max_bytes);
            if kept_text != text {
                let kept = kept_text.strip_suffix(ELLIPSIS).expect("an ellipsis");
                prop_assert!(text.starts_with(kept));
            }
        }
    }
}
