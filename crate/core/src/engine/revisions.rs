//! What takes back or corrects an earlier message: the devices that have yet to hear of it are not told what it said.

use crate::device::{MessageIdentity, Revising};
use crate::devices::Devices;
use crate::ids::RoomId;
use crate::message::{Message, MessageIds, Revision};
use crate::options::Options;
use crate::room::Room;

use super::messages::{Broadcast, Digests};
use super::registrations::{Registrations, User};

/// Applies a revision, which is a broadcast of this room, to the devices of the room's members.
pub(super) fn apply(
    revision: Revision<'_>,
    broadcast: &Broadcast<'_>,
    (room_id, room): (RoomId, &Room),
    registrations: &Registrations,
    devices: &mut Devices,
    options: &Options,
) {
    let Broadcast { keep_original, sender, .. } = *broadcast;
    let ids = MessageIds::read(broadcast.message, broadcast.room, sender);
    let message = Message::read(broadcast.message, broadcast.room);
    let mut correct = |before: &MessageIdentity| {
        let after = MessageIdentity { ids: before.ids.corrected(&ids), ..*before };
        Digests::digest(Some(&message), keep_original, room, after.into(), options)
    };
    let mut revising = Revising::new(revision, &mut correct);
    let members = room.members().filter_map(|user| registrations.user(user));
    for &device in members.flat_map(User::devices) {
        devices.revise(device, room_id, &mut revising);
    }
}
