//! The bodies of a message, and positions in them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use minidom::Element;
use rxml::Namespace;
use unicode_segmentation::UnicodeSegmentation;

use crate::work;

/// The longest text that is compared with a nickname, in bytes: the longest resource (RFC 7622 §3.4), and
/// as much again for white space and for letters that are not composed.
const NICK_MAX: usize = 2 * 1023;

/// How much of a body is divided into words for the sake of positions, in bytes. What lies beyond is not looked at for
/// nicknames either, unless nearly all before it is a quotation.
const DIVIDED_MAX: usize = 64 * 1024;

/// The `xml:lang` of an element; an empty one says that there is none.
pub(super) fn language(element: &Element) -> Option<&str> {
    element.attr_ns(&Namespace::XML, "lang").filter(|language| !language.is_empty())
}

/// How far a language is from the one that is asked for: 0 is that one; from 2 on follow the more general ones, `en` for
/// `en-US` (RFC 4647 §3.4), and then its other variants, such as `en-GB`.
fn distance(own: &str, asked: &str) -> usize {
    let primary = own.split('-').next().unwrap_or_default();
    if begins_with(asked, own) {
        match asked.len() - own.len() {
            0 => 0,
            cut => 1 + cut,
        }
    } else if begins_with(asked, primary) {
        usize::MAX - 1
    } else {
        usize::MAX
    }
}

/// Whether a language is `general`, or a variant of it.
fn begins_with(language: &str, general: &str) -> bool {
    language.split_at_checked(general.len()).is_some_and(|(begin, rest)| {
        begin.eq_ignore_ascii_case(general) && (rest.is_empty() || rest.starts_with('-'))
    })
}

/// The bodies of a message: one for each language (RFC 6121 §5.2.3).
#[derive(Debug, Default)]
pub(super) struct Bodies<'a> {
    all: Vec<Body<'a>>,
    main: Option<usize>,
}

impl<'a> Bodies<'a> {
    pub(super) fn add(&mut self, element: &'a Element) {
        self.all.push(Body::read(element));
    }

    /// Decides which one is the text of a message in `language`: the one in that language, or one that says none and so is in
    /// it too, or the nearest one, or the first. Blank ones say nothing.
    pub(super) fn choose(&mut self, language: Option<&str>) {
        work::count(self.all.len());
        let rank = |body: &Body<'_>| match (body.language, language) {
            (None, _) => 1,
            (Some(own), Some(language)) => distance(own, language),
            (Some(_), None) => usize::MAX,
        };
        let says_something = self.all.iter().enumerate().filter(|(_, body)| !body.is_blank());
        self.main = says_something.min_by_key(|(_, body)| rank(body)).map(|(index, _)| index);
    }

    /// Whether there is none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one that is the text of the message.
    pub(super) fn main(&self) -> Option<&Body<'a>> {
        self.all.get(self.main?)
    }

    /// All others that say something.
    pub(super) fn others(&self) -> impl Iterator<Item = &Body<'a>> {
        let others = self.all.iter().enumerate().filter(|(index, _)| Some(*index) != self.main);
        others.map(|(_, body)| body).filter(|body| !body.is_blank())
    }
}

/// A `<body/>`, as it was sent.
///
/// Positions in it are counted in Unicode code points ([XEP-0426 §2]), and by some clients in the UTF-16 code
/// units of their programming language. Both are looked up in tables that are made once, as a message can
/// hold thousands of positions.
///
/// [XEP-0426 §2]: https://xmpp.org/extensions/xep-0426.html#counting
#[derive(Debug)]
pub(crate) struct Body<'a> {
    language: Option<&'a str>,
    text: Cow<'a, str>,
    code_points: OnceCell<Vec<usize>>,
    utf16_units: OnceCell<Vec<Option<usize>>>,
    word_boundaries: OnceCell<Vec<usize>>,
}

impl<'a> Body<'a> {
    fn read(element: &'a Element) -> Self {
        let mut texts = element.texts();
        let text = match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(text), None) => Cow::Borrowed(text),
            (Some(_), Some(_)) => Cow::Owned(element.texts().collect()),
        };
        Body {
            language: language(element),
            text,
            code_points: OnceCell::new(),
            utf16_units: OnceCell::new(),
            word_boundaries: OnceCell::new(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn is_blank(&self) -> bool {
        self.text.trim_start().is_empty()
    }

    /// How many bytes two bodies have in common from the beginning.
    pub(super) fn common_prefix(&self, other: &Body<'_>) -> usize {
        let bytes = self.text.bytes().zip(other.text.bytes());
        let common = bytes.take_while(|(one, other)| one == other).count();
        work::count(common + 1);
        self.text.floor_char_boundary(common)
    }

    /// The offset in bytes of a position counted in code points; nothing beyond the end.
    pub(super) fn code_point(&self, position: usize) -> Option<usize> {
        let offsets = self.code_points.get_or_init(|| {
            work::count(self.text.len());
            self.text.char_indices().map(|(offset, _)| offset).chain([self.text.len()]).collect()
        });
        offsets.get(position).copied()
    }

    /// The offset in bytes of a position counted in UTF-16 code units; nothing inside of a surrogate pair.
    fn utf16_unit(&self, position: usize) -> Option<usize> {
        let offsets = self.utf16_units.get_or_init(|| {
            work::count(self.text.len());
            let characters = self.text.char_indices();
            characters
                .flat_map(|(offset, c)| [Some(offset), None].into_iter().take(c.len_utf16()))
                .chain([Some(self.text.len())])
                .collect()
        });
        offsets.get(position).copied().flatten()
    }

    /// What a range can mean, in bytes: in code points and in UTF-16 code units, if it lies inside the body
    /// and is not longer than a nickname.
    pub(crate) fn ranges(&self, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
        let code_points = self.code_point(range.start).zip(self.code_point(range.end));
        let utf16_units = self.utf16_unit(range.start).zip(self.utf16_unit(range.end));
        [code_points, utf16_units.filter(|units| Some(*units) != code_points)]
            .into_iter()
            .flatten()
            .filter(|(begin, end)| begin <= end && end - begin <= NICK_MAX)
            .map(|(begin, end)| begin..end)
    }

    /// Whether words begin or end here (UAX #29), in the part of the body that is divided into words.
    pub(crate) fn is_word_boundary(&self, offset: usize) -> bool {
        let boundaries = self.word_boundaries.get_or_init(|| {
            let divided = self.text.split_at(self.text.floor_char_boundary(DIVIDED_MAX)).0;
            work::count(divided.len());
            let words = divided.split_word_bound_indices().map(|(offset, _)| offset);
            // The end of what is divided need not be the end of a word.
            let end = (divided.len() == self.text.len()).then_some(divided.len());
            words.chain(end).collect()
        });
        boundaries.binary_search(&offset).is_ok()
    }
}
