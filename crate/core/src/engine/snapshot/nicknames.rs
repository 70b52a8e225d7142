//! The nicknames that members have last used: a message that names one mentions them, after a restart too.

use serde::{Deserialize, Serialize};

use crate::engine::registrations::Registrations;
use crate::engine::rooms::Rooms;

/// How many nicknames a snapshot holds.
const MAX_NICKNAMES: usize = 10_000;

/// The longest one, in bytes.
const MAX_NICKNAME: usize = 255;

/// A nickname that a member has last used, where it is not the registered one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct NicknameState {
    /// The room's bare JID.
    pub room: String,
    /// The member's bare JID.
    pub user: String,
    /// The nickname.
    pub nick: String,
}

/// Those of members with a device.
pub(super) fn take(registrations: &Registrations, rooms: &Rooms) -> Vec<NicknameState> {
    let of_rooms = rooms.iter().flat_map(|room| room.last_used().map(move |(user, nick)| (room, user, nick)));
    let states =
        of_rooms.filter(|(_, _, nick)| nick.len() <= MAX_NICKNAME).filter_map(|(room, user, nick)| {
            let user = registrations.user(user)?.jid().to_string();
            Some(NicknameState { room: room.jid().to_string(), user, nick: nick.to_owned() })
        });
    let mut states: Vec<NicknameState> = states.take(MAX_NICKNAMES).collect();
    states.sort_unstable();
    states
}

/// Takes them up, for members who have a device still.
pub(super) fn restore(states: &[NicknameState], registrations: &Registrations, rooms: &mut Rooms) {
    for state in states.iter().take(MAX_NICKNAMES).filter(|state| state.nick.len() <= MAX_NICKNAME) {
        let Some(user) = registrations.id(&state.user) else { continue };
        let room = rooms.id_or_insert(&state.room);
        if let Some(room) = rooms.get_mut(room) {
            room.restore_last_used(user, &state.nick);
        }
    }
}
