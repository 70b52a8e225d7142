//! What fan-outs weigh, in all rooms together: each is kept until it has come to everybody.

use crate::device::MessageDigest;

use super::Audience;

/// How much memory they may take, in bytes; less for messages than for what takes them back, and less for their words, which only
/// serve to find nicknames in them.
const MOST: usize = 8 << 20;
const MOST_OF_MESSAGES: usize = MOST / 4 * 3;
const MOST_WITH_WORDS: usize = MOST / 4;

/// How many a room may have without their words, as long as there is any space.
const IN_ANY_CASE: usize = 16;

/// What one takes besides what it says.
const EACH: usize = 512;

/// What all of them take.
#[derive(Debug, Default)]
pub(super) struct Weights {
    all: usize,
}

impl Weights {
    /// One is kept.
    pub(super) fn add(&mut self, weight: usize) {
        self.all = self.all.saturating_add(weight);
    }

    /// So much is not kept any more.
    pub(super) fn remove(&mut self, weight: usize) {
        self.all = self.all.saturating_sub(weight);
    }

    /// What they weigh.
    #[cfg(feature = "work-count")]
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// Whether a message of a room that has so many already, of so much weight, is kept: with its words, or without where there is no
    /// space for these.
    pub(super) fn admit(
        &self,
        of_room: (usize, usize),
        digest: &MessageDigest,
        audience: &mut Audience,
    ) -> bool {
        let (count, before) = of_room;
        if self.have_space(before, of_message(digest, audience), MOST_WITH_WORDS) {
            return true;
        }
        audience.forget_words();
        let weight = of_message(digest, audience);
        self.is_in_any_case(count, weight) || self.have_space(before, weight, MOST_OF_MESSAGES)
    }

    /// Whether what takes back or corrects a message is kept.
    pub(super) fn admit_revision(&self, of_room: (usize, usize), weight: usize) -> bool {
        self.is_in_any_case(of_room.0, weight) || self.have_space(of_room.1, weight, MOST)
    }

    /// The first of a room has come to some already.
    fn is_in_any_case(&self, count: usize, weight: usize) -> bool {
        count == 0 || count < IN_ANY_CASE && self.have_space(0, weight, MOST)
    }

    /// A room has no more than is left for others.
    fn have_space(&self, of_room: usize, weight: usize, most: usize) -> bool {
        of_room.saturating_add(weight) <= most.saturating_sub(self.all)
    }
}

/// What a message takes.
pub(super) fn of_message(digest: &MessageDigest, audience: &Audience) -> usize {
    EACH + digest.bytes() + audience.bytes()
}

/// What something takes that takes a message back or corrects it.
pub(super) fn of_revision(digest: &MessageDigest) -> usize {
    EACH + 2 * digest.bytes()
}
