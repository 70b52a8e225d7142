//! The parts of a body that say again what another element says.

use std::ops::Range;

use minidom::Element;

use super::body::Body;
use crate::work;

/// How many parts of a body are looked at.
const PARTS_MAX: usize = 1000;

/// The parts of a body that `<fallback/>` elements mark ([XEP-0428 §2.2]), whatever they are a fallback for:
/// a quotation above a reply, for one.
///
/// [XEP-0428 §2.2]: https://xmpp.org/extensions/xep-0428.html#overview
#[derive(Debug, Default)]
pub(super) struct Fallback {
    marks_all: bool,
    /// In code points of the main body; so many that no quotation has more.
    parts: Vec<Range<usize>>,
}

impl Fallback {
    pub(super) fn add(&mut self, element: &Element) {
        if element.children().next().is_none() {
            self.marks_all = true;
        }
        let own_ns = element.ns();
        for region in element.children().filter(|child| child.is("body", own_ns.as_str())) {
            work::count(1);
            match positions(region) {
                Some(Range { start: 0, end: usize::MAX }) => self.marks_all = true,
                Some(part) if self.parts.len() < PARTS_MAX => self.parts.push(part),
                _ => {}
            }
        }
    }

    /// The marked parts of a body, in bytes. They are counted in the main one: in another they are marked if they are at its
    /// beginning and the same text stands there.
    pub(super) fn parts(&self, body: &Body<'_>, main: &Body<'_>) -> Vec<Range<usize>> {
        if self.marks_all {
            let all = 0..body.as_str().len();
            return vec![all];
        }
        if self.parts.is_empty() {
            return Vec::new();
        }
        let comparable =
            if std::ptr::eq(body, main) { body.as_str().len() } else { body.common_prefix(main) };
        work::count(self.parts.len());
        let parts = self.parts.iter().filter_map(|part| {
            let start = body.code_point(part.start)?;
            let end = body.code_point(part.end).unwrap_or(body.as_str().len());
            (start < end && end <= comparable).then_some(start..end)
        });
        parts.collect()
    }
}

/// The code points that a `<body start='…' end='…'/>` marks. Without an attribute it goes to that end of the body, and so it
/// does if it ends beyond; one that is no range marks nothing.
fn positions(region: &Element) -> Option<Range<usize>> {
    let position = |name: &str, default: usize| match region.attr(name) {
        Some(position) => position.trim().parse().ok(),
        None => Some(default),
    };
    Some(position("start", 0)?..position("end", usize::MAX)?)
}

/// What is left of a text: what is between the parts.
pub(crate) fn outside(text: &str, mut parts: Vec<Range<usize>>) -> impl Iterator<Item = &str> {
    work::count(parts.len());
    parts.sort_unstable_by_key(|part| part.start);
    let mut last = 0;
    parts
        .into_iter()
        .chain(std::iter::once(text.len()..text.len()))
        .filter_map(move |part| {
            let before = last..part.start;
            last = last.max(part.end);
            text.get(before)
        })
        .filter(|text| !text.is_empty())
}
