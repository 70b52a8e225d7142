//! The body of a message, and positions in it.

use std::cell::OnceCell;
use std::ops::Range;

use minidom::Element;

/// The longest text that is compared with a nickname, in octets: the longest resource (RFC 7622 §3.4), and
/// as much again for white space and for letters that are not composed.
const NICK_MAX: usize = 2 * 1023;

/// The first `<body/>` of a message (RFC 6121 §5.2.3), as it was sent.
///
/// Positions in it are counted in Unicode code points ([XEP-0426 §2]), and by some clients in the UTF-16 code
/// units of their programming language. Both are looked up in tables that are made once, as a message can
/// hold thousands of positions.
///
/// [XEP-0426 §2]: https://xmpp.org/extensions/xep-0426.html#counting
#[derive(Debug, Default)]
pub(super) struct Body {
    text: String,
    code_points: OnceCell<Vec<usize>>,
    utf16_units: OnceCell<Vec<Option<usize>>>,
}

impl Body {
    pub(super) fn read(message: &Element) -> Self {
        let text = message.get_child("body", message.ns().as_str()).map(Element::text);
        Self { text: text.unwrap_or_default(), ..Self::default() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The offset in octets of a position counted in code points; nothing beyond the end.
    pub(super) fn code_point(&self, position: usize) -> Option<usize> {
        let offsets = self.code_points.get_or_init(|| {
            self.text.char_indices().map(|(offset, _)| offset).chain([self.text.len()]).collect()
        });
        offsets.get(position).copied()
    }

    /// The offset in octets of a position counted in UTF-16 code units; nothing inside of a surrogate pair.
    fn utf16_unit(&self, position: usize) -> Option<usize> {
        let offsets = self.utf16_units.get_or_init(|| {
            let characters = self.text.char_indices();
            characters
                .flat_map(|(offset, c)| [Some(offset), None].into_iter().take(c.len_utf16()))
                .chain([Some(self.text.len())])
                .collect()
        });
        offsets.get(position).copied().flatten()
    }

    /// The texts that a range can mean: in code points and in UTF-16 code units, if it lies inside the body
    /// and is not longer than a nickname.
    pub(super) fn at(&self, range: &Range<usize>) -> impl Iterator<Item = &str> {
        let code_points = self.code_point(range.start).zip(self.code_point(range.end));
        let utf16_units = self.utf16_unit(range.start).zip(self.utf16_unit(range.end));
        [code_points, utf16_units.filter(|units| Some(*units) != code_points)]
            .into_iter()
            .flatten()
            .filter_map(|(begin, end)| self.text.get(begin..end))
            .filter(|text| text.len() <= NICK_MAX)
    }
}
