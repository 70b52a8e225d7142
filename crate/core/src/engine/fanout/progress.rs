//! How far a fan-out has come among the absent members of its room.

use std::ops::Range;

use crate::options::Options;
use crate::room::{Member, Members};

/// How far a fan-out has come: its places are gone through from the last to the first.
#[derive(Debug)]
pub(in crate::engine) struct Progress {
    /// Its number in its room; `None` where one step does for all.
    number: Option<u32>,
    /// How many of the first places are left.
    left: usize,
}

impl Progress {
    /// A fan-out begins. Where it has to wait for others it is told from them by a number, even if one step would do.
    pub(in crate::engine) fn begin(members: &mut Members, options: &Options, has_to_wait: bool) -> Self {
        let left = members.absent_len();
        let has_number = has_to_wait || left > options.members_at_once;
        Progress { number: has_number.then(|| members.begin_fan_out()), left }
    }

    /// The places of the next step.
    pub(in crate::engine) fn step(&mut self, members: &Members, options: &Options) -> Range<usize> {
        // Some may have come back meanwhile.
        let end = self.left.min(members.absent_len());
        self.left = end.saturating_sub(options.members_at_once);
        self.left..end
    }

    /// Whether everybody was told.
    pub(in crate::engine) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Whether a member has yet to be told, which they then are.
    pub(in crate::engine) fn tell(&self, member: &mut Member) -> bool {
        let Some(number) = self.number else { return true };
        let has_yet_to_hear = member.has_yet_to_hear_of(number);
        if has_yet_to_hear {
            member.hear_of(number);
        }
        has_yet_to_hear
    }
}
