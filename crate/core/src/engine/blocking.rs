//! Blocking (XEP-0191): what a user has blocked of this service is nothing to them. Nobody hears of it, nor does it count.

use std::collections::HashSet;
use std::sync::Arc;

use crate::device::{MessageDigest, MessageIdentity, Revising};
use crate::ids::{RoomId, UserId};
use crate::message::{MessageIds, OwnedRevision};
use crate::time::Instant;

use super::Engine;

/// How many messages of one occupant are looked for in what waits for a device: more than can be known.
const LOOKED_FOR: usize = 200;

/// What a user has blocked, by JID: the service, rooms, and occupants.
#[derive(Debug)]
pub(super) struct Blocked(HashSet<Box<str>>);

impl Blocked {
    /// `None` where nothing is blocked.
    pub(super) fn new<'a>(jids: impl IntoIterator<Item = &'a str>) -> Option<Box<Self>> {
        let jids: HashSet<Box<str>> = jids.into_iter().map(Into::into).collect();
        (!jids.is_empty()).then(|| Box::new(Blocked(jids)))
    }

    /// Whether a room is blocked, or its service.
    fn has_room(&self, room: &str) -> bool {
        self.0.contains(room) || room.split_once('@').is_some_and(|(_, service)| self.0.contains(service))
    }

    /// Whether what an occupant of a room says is blocked.
    pub(super) fn has(&self, room: &str, occupant: Option<&str>) -> bool {
        self.has_room(room) || occupant.is_some_and(|occupant| self.0.contains(occupant))
    }

    /// The occupants, each with the room.
    fn occupants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|jid| Some((jid.split_once('/')?.0, &**jid)))
    }
}

impl Engine {
    /// What a user with a device has blocked of this service: its own JID, and those of rooms and occupants. It stands in the place
    /// of what was said of the user before, and is forgotten with their last device. Of what is blocked nothing is pushed, nor does
    /// it count as unread; what waits and is blocked is dropped.
    pub fn set_blocked<'a>(&mut self, user: &str, jids: impl IntoIterator<Item = &'a str>) {
        let Some(user) = self.registrations.id(user) else { return };
        // What has yet to come to them was said before.
        self.catch_up(user);
        self.registrations.set_blocked(user, Blocked::new(jids));
        self.drop_blocked_rooms(user);
        self.drop_blocked_occupants(user);
    }

    fn drop_blocked_rooms(&mut self, user: UserId) {
        let Some(blocked) = self.registrations.user(user).and_then(|user| user.blocked()) else { return };
        let is_blocked =
            |room: &RoomId| self.rooms.get(*room).is_some_and(|room| blocked.has_room(room.jid()));
        let devices = self.registrations.devices_of(user);
        let unread = devices.iter().filter_map(|device| self.devices.get(*device));
        let mut rooms: Vec<RoomId> = unread
            .flat_map(|device| device.unread().counts())
            .map(|(room, _)| room)
            .filter(is_blocked)
            .collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms.into_iter().for_each(|room| self.mark_read(user, room));
    }

    fn drop_blocked_occupants(&mut self, user: UserId) {
        let Some(blocked) = self.registrations.user(user).and_then(|user| user.blocked()) else { return };
        let found = blocked.occupants().filter_map(|(room, occupant)| {
            let id = self.rooms.id(room)?;
            Some((id, self.rooms.get(id)?.jid().clone(), OwnedRevision::of_blocked(occupant)))
        });
        for (room, jid, revision) in found.collect::<Vec<_>>() {
            for device in self.registrations.devices_of(user) {
                let mut left = LOOKED_FOR;
                while left > 0 && self.devices.revise(device, room, &mut revising(&jid, revision.clone())) {
                    left -= 1;
                }
            }
        }
    }
}

/// Takes back one message of a room.
fn revising(room: &Arc<str>, revision: OwnedRevision) -> Revising {
    let sent = Instant::from_seconds(0.0);
    let identity = MessageIdentity { ids: MessageIds::default(), sent, order: 0, has_bounced: false };
    Revising::new(revision, Arc::new(MessageDigest::without_words(room, &Arc::new(identity))))
}
