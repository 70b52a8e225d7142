//! The parts of a text that a nickname inside of them does not name.

use std::ops::Range;

use super::budget::Budget;
use super::known::KnownNicknames;
use super::link;
use super::text::Text;
use crate::work;

/// The addresses in a text, and where longer nicknames stand: a shorter one inside is part of them.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Where they begin, ascending, with the farthest end of those that begin there, and of those that begin before.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    start: usize,
    end: usize,
    end_before: usize,
}

impl Covered {
    pub(super) fn read(text: &Text, known: &KnownNicknames, budget: &Budget) -> Self {
        let mut ranges = link::links(text);
        known.find(text, budget, |range| ranges.push(range));
        Self::new(ranges)
    }

    fn new(mut ranges: Vec<Range<usize>>) -> Self {
        work::count(ranges.len());
        ranges.sort_unstable_by_key(|range| (range.start, range.end));
        let mut parts: Vec<Part> = Vec::with_capacity(ranges.len());
        for Range { start, end } in ranges {
            match parts.last_mut().filter(|part| part.start == start) {
                Some(part) => part.end = end,
                None => {
                    let end_before = parts.last().map_or(0, |part| part.end.max(part.end_before));
                    parts.push(Part { start, end, end_before });
                }
            }
        }
        Self { parts }
    }

    /// Whether a range is inside of one of the parts, and not all of it.
    pub(super) fn holds(&self, range: &Range<usize>) -> bool {
        let next = self.parts.partition_point(|part| part.start <= range.start);
        let Some(part) = next.checked_sub(1).and_then(|index| self.parts.get(index)) else { return false };
        if part.start == range.start {
            part.end > range.end || part.end_before >= range.end
        } else {
            part.end.max(part.end_before) >= range.end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_range_is_held_as_if_all_parts_were_looked_at(
            parts in prop::collection::vec((0..12_usize, 1..6_usize), 0..6), start in 0..12_usize, length in 1..6_usize,
        ) {
            let parts: Vec<_> = parts.into_iter().map(|(start, length)| start..start + length).collect();
            let range = start..start + length;
            let expected = parts.iter().any(|part| part.start <= range.start && range.end <= part.end && *part != range);
            prop_assert_eq!(Covered::new(parts).holds(&range), expected);
        }
    }
}
