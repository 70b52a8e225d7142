//! What was taken back or corrected lately: a session that was gone gives a message back after that.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::device::MessageDigest;
use crate::ids::RoomId;
use crate::message::{OwnedRevision, Revision};

/// How many of a room are kept.
const KEPT: usize = 32;

/// How many are kept in all.
const KEPT_IN_ALL: usize = 2000;

/// The newest revisions of each room. Where a room has too many, the author with the most loses their oldest; where there are too
/// many in all, so does an author of the room with the most: who revises much takes nothing from others.
#[derive(Debug, Default)]
pub(super) struct RecentRevisions {
    /// Those of a room, the newest last. Most rooms have none.
    rooms: HashMap<RoomId, VecDeque<Recent>>,
    kept: usize,
    /// How many there were so far.
    added: u64,
}

/// A revision, and what it says.
#[derive(Debug)]
struct Recent {
    revision: OwnedRevision,
    digest: Arc<MessageDigest>,
    order: u64,
}

impl RecentRevisions {
    /// One more.
    pub(super) fn add(&mut self, room: RoomId, revision: OwnedRevision, digest: Arc<MessageDigest>) {
        if self.rooms.get(&room).is_some_and(|of_room| of_room.len() == KEPT) {
            self.drop_oldest(room);
        } else if self.kept == KEPT_IN_ALL {
            let first = |of_room: &VecDeque<Recent>| of_room.front().map(|recent| Reverse(recent.order));
            let most = self.rooms.iter().max_by_key(|(_, of_room)| (of_room.len(), first(of_room)));
            if let Some((&room, _)) = most {
                self.drop_oldest(room);
            }
        }
        self.kept += 1;
        self.added += 1;
        let recent = Recent { revision, digest, order: self.added };
        self.rooms.entry(room).or_default().push_back(recent);
    }

    /// What a push says of a message of a room that came back; `None` where it was taken back.
    pub(super) fn apply(&self, room: RoomId, message: MessageDigest) -> Option<MessageDigest> {
        let mut of_room = self.rooms.get(&room).into_iter().flatten();
        of_room.try_fold(message, |message, Recent { revision, digest, .. }| {
            let revision = Revision::from(revision);
            // Clients may give an id to a later message too.
            let is_later = digest.identity.sent >= message.identity.sent;
            if !is_later || !revision.is_about(&message.identity.ids) {
                return Some(message);
            }
            (!revision.is_retraction()).then(|| digest.in_place_of(&message.identity))
        })
    }

    /// A room is gone.
    pub(super) fn forget(&mut self, room: RoomId) {
        self.kept -= self.rooms.remove(&room).map_or(0, |of_room| of_room.len());
    }

    /// Drops the oldest of the author with the most; of authors with as many, the oldest of all.
    fn drop_oldest(&mut self, room: RoomId) {
        let Some(of_room) = self.rooms.get_mut(&room) else { return };
        let mut by_author: HashMap<Option<&str>, (usize, Reverse<usize>)> = HashMap::new();
        for (place, recent) in of_room.iter().enumerate() {
            by_author.entry(recent.revision.author()).or_insert((0, Reverse(place))).0 += 1;
        }
        let Some(&(_, Reverse(place))) = by_author.values().max() else { return };
        self.kept -= usize::from(of_room.remove(place).is_some());
        if of_room.is_empty() {
            self.rooms.remove(&room);
        }
    }
}
