//! The parts of a body that say again what another element says.

use std::ops::Range;

use minidom::Element;

use super::body::Body;
use crate::ns;

/// The parts of a body that `<fallback/>` elements mark ([XEP-0428 §2.2]), whatever they are a fallback for:
/// a quotation above a reply, for one.
///
/// [XEP-0428 §2.2]: https://xmpp.org/extensions/xep-0428.html#overview
#[derive(Debug)]
pub(super) struct Fallback {
    /// In octets, by their beginnings
    parts: Vec<Range<usize>>,
}

impl Fallback {
    pub(super) fn read(message: &Element, body: &Body) -> Self {
        let mut parts = Vec::new();
        for fallback in message.children().filter(|child| child.is("fallback", ns::FALLBACK)) {
            if fallback.children().next().is_none() {
                parts.push(0..body.as_str().len());
            }
            let regions = fallback.children().filter(|child| child.is("body", ns::FALLBACK));
            parts.extend(regions.filter_map(|region| part(region, body)));
        }
        parts.sort_by_key(|part| part.start);
        Self { parts }
    }

    /// What is left of the body: the texts between the marked parts.
    pub(super) fn outside<'a>(&self, body: &'a Body) -> impl Iterator<Item = &'a str> {
        let text = body.as_str();
        let end = text.len();
        let mut last = 0;
        self.parts
            .iter()
            .map(|part| (part.start, part.end))
            .chain([(end, end)])
            .filter_map(move |(begin, end)| {
                let before = last..begin;
                last = last.max(end);
                text.get(before)
            })
            .filter(|text| !text.is_empty())
    }
}

/// The octets that a `<body start='…' end='…'/>` marks. Without an attribute it goes to that end of the
/// body, and so it does if it ends beyond; one that is no range marks nothing.
fn part(region: &Element, body: &Body) -> Option<Range<usize>> {
    let length = body.as_str().len();
    let start = match region.attr("start") {
        Some(start) => body.code_point(start.trim().parse().ok()?)?,
        None => 0,
    };
    let end = match region.attr("end") {
        Some(end) => body.code_point(end.trim().parse().ok()?).unwrap_or(length),
        None => length,
    };
    (start < end).then_some(start..end)
}
