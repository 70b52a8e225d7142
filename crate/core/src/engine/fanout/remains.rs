//! What rooms that are gone leave: it comes to their members bit by bit that nothing is unread there.

use crate::ids::RoomId;
use crate::room::{Gone, Remains};
use crate::way::{Forwarding, Way};

use super::Told;
use crate::engine::registrations::User;

/// Marks what is unread of a room that is gone as read, for as many as are told at once. Returns whether those are all.
pub(super) fn mark_read(
    room: RoomId,
    remains: &mut Remains,
    asked: &mut Vec<Gone>,
    told: &mut Told<'_>,
) -> bool {
    for _ in 0..told.options.members_at_once {
        let Some(gone) = remains.next() else { return true };
        for device in told.registrations.devices_of(gone.user) {
            told.devices.drop_room(device, room);
        }
        let way = told.registrations.user(gone.user).and_then(User::way);
        if gone.forwarding == Forwarding::Asked || way == Some(Way::Forward) {
            asked.push(gone);
        }
    }
    remains.is_empty()
}
