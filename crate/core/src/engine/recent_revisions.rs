//! What was taken back or corrected lately: a session that was gone gives a message back after that.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::device::MessageDigest;
use crate::message::{OwnedRevision, Revision};

/// How many of a room are kept.
const KEPT: usize = 32;

/// The newest revisions of a room, the newest last.
#[derive(Debug, Default)]
pub(super) struct RecentRevisions(VecDeque<Recent>);

/// A revision, and what it says.
#[derive(Debug)]
struct Recent {
    revision: OwnedRevision,
    digest: Arc<MessageDigest>,
}

impl RecentRevisions {
    /// One more.
    pub(super) fn add(&mut self, revision: OwnedRevision, digest: Arc<MessageDigest>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Recent { revision, digest });
    }

    /// What a push says of a message that came back; `None` where it was taken back.
    pub(super) fn apply(&self, message: MessageDigest) -> Option<MessageDigest> {
        self.0.iter().try_fold(message, |message, Recent { revision, digest }| {
            let revision = Revision::from(revision);
            // Clients may give an id to a later message too.
            let is_later = digest.identity.sent >= message.identity.sent;
            if !is_later || !revision.is_about(&message.identity.ids) {
                return Some(message);
            }
            (!revision.is_retraction()).then(|| digest.in_place_of(&message.identity))
        })
    }
}
