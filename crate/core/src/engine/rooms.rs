//! The rooms of a service, by JID.

use std::collections::HashMap;
use std::sync::Arc;

use slotmap::SlotMap;

use crate::ids::RoomId;
use crate::room::Room;

/// The rooms of which anything is known.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: SlotMap<RoomId, Room>,
    ids: HashMap<Arc<str>, RoomId>,
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
        self.rooms.get_mut(id)
    }

    /// A room by its JID.
    pub(super) fn by_jid(&self, jid: &str) -> Option<&Room> {
        self.rooms.get(self.id(jid)?)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    /// All of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Room> {
        self.rooms.values_mut()
    }

    /// A room is gone.
    pub(super) fn remove(&mut self, jid: &str) -> Option<(RoomId, Room)> {
        let id = self.ids.remove(jid)?;
        Some((id, self.rooms.remove(id)?))
    }
}
