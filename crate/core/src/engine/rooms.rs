//! The rooms of a service, by JID.

use std::collections::HashMap;
use std::sync::Arc;

use slotmap::SlotMap;

use crate::device::MessageDigest;
use crate::ids::RoomId;
use crate::message::OwnedRevision;
use crate::room::{Coverage, Room};
use crate::time::Instant;

use super::recent_revisions::RecentRevisions;

/// The rooms of which anything is known.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: SlotMap<RoomId, Room>,
    ids: HashMap<Arc<str>, RoomId>,
    revisions: RecentRevisions,
    /// When rooms were last read that were not since the start.
    last_read: HashMap<RoomId, Instant>,
    /// How often all of them were forgotten.
    forgotten: u32,
}

impl Rooms {
    /// The id of a room.
    pub(super) fn id(&self, jid: &str) -> Option<RoomId> {
        self.ids.get(jid).copied()
    }

    /// The id of a room, of which nothing need be known yet.
    pub(super) fn id_or_insert(&mut self, jid: &str) -> RoomId {
        if let Some(&id) = self.ids.get(jid) {
            return id;
        }
        let jid: Arc<str> = jid.into();
        let id = self.rooms.insert(Room::new(jid.clone()));
        self.ids.insert(jid, id);
        id
    }

    /// A room.
    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(id)
    }

    /// A room, to be changed.
    pub(super) fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        let room = self.rooms.get_mut(id)?;
        room.forget_before(self.forgotten);
        Some(room)
    }

    /// How much of a room is known.
    pub(super) fn coverage(&self, jid: &str) -> Coverage {
        self.by_jid(jid).map_or(Coverage::Nothing, |room| room.coverage_since(self.forgotten))
    }

    /// What is known of all rooms may be wrong. There may be very many: each is told when it is looked at.
    pub(super) fn forget_all(&mut self) {
        self.forgotten = self.forgotten.wrapping_add(1);
    }

    /// A room by its JID.
    pub(super) fn by_jid(&self, jid: &str) -> Option<&Room> {
        self.rooms.get(self.id(jid)?)
    }

    /// The ids of all of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = RoomId> {
        self.rooms.keys()
    }

    /// A message of a room was taken back or corrected, and a push says this in its place.
    pub(super) fn add_revision(&mut self, id: RoomId, revision: OwnedRevision, digest: Arc<MessageDigest>) {
        self.revisions.add(id, revision, digest);
    }

    /// What a push says of a message that came back from a session; `None` where it was taken back meanwhile.
    pub(super) fn revised(&self, id: RoomId, message: MessageDigest) -> Option<MessageDigest> {
        self.revisions.apply(id, message)
    }

    /// A room was read.
    pub(super) fn set_read(&mut self, id: RoomId) {
        self.last_read.remove(&id);
    }

    /// A room was last read at this time, before a restart.
    pub(super) fn set_last_read(&mut self, id: RoomId, at: Instant) {
        let last = self.last_read.entry(id).or_insert(at);
        *last = at.max(*last);
    }

    /// For how many seconds a room has not been read, where it has not been since before a restart.
    pub(super) fn seconds_unread(&self, id: RoomId, now: Instant) -> f64 {
        self.last_read.get(&id).map_or(0.0, |&since| now.seconds_since(since))
    }

    /// A room is gone.
    pub(super) fn remove(&mut self, jid: &str) -> Option<(RoomId, Room)> {
        let id = self.ids.remove(jid)?;
        self.revisions.forget(id);
        self.last_read.remove(&id);
        Some((id, self.rooms.remove(id)?))
    }
}
