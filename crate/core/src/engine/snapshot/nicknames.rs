//! The nicknames that members have last used: a message that names one mentions them, after a restart too.

use serde::{Deserialize, Serialize};

use crate::engine::registrations::Registrations;
use crate::engine::rooms::Rooms;
use crate::time::Instant;

/// How many nicknames a snapshot holds.
const MAX_NICKNAMES: usize = 10_000;

/// The longest one, in bytes.
const MAX_NICKNAME: usize = 255;

/// For how long a room may not be read, in seconds: one that does not exist any more is never read again.
const MAX_AGE: f64 = 30.0 * 24.0 * 3600.0;

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
    /// For how many seconds the room has not been read, where it has not been since before the last start.
    #[serde(skip_serializing_if = "is_zero")]
    pub age: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(age: &u32) -> bool {
    *age == 0
}

/// Those of members with a device.
pub(super) fn take(registrations: &Registrations, rooms: &Rooms, now: Instant) -> Vec<NicknameState> {
    let known = rooms.iter().filter_map(|room| {
        let age = rooms.last_read(room.jid()).map_or(0.0, |since| now.seconds_since(since));
        (age <= MAX_AGE).then_some((room, age as u32))
    });
    let states = known.flat_map(|(room, age)| {
        let short = room.last_used().filter(|(_, nick)| nick.len() <= MAX_NICKNAME);
        short.filter_map(move |(user, nick)| {
            let user = registrations.user(user)?.jid().to_string();
            Some(NicknameState { room: room.jid().to_string(), user, nick: nick.to_owned(), age })
        })
    });
    let mut states: Vec<NicknameState> = states.take(MAX_NICKNAMES).collect();
    states.sort_unstable();
    states
}

/// Takes them up, for members who have a device still.
pub(super) fn restore(
    states: &[NicknameState],
    registrations: &Registrations,
    rooms: &mut Rooms,
    now: Instant,
) {
    for state in states.iter().take(MAX_NICKNAMES).filter(|state| state.nick.len() <= MAX_NICKNAME) {
        let Some(user) = registrations.id(&state.user) else { continue };
        let id = rooms.id_or_insert(&state.room);
        rooms.set_last_read(id, now - f64::from(state.age));
        if let Some(room) = rooms.get_mut(id) {
            room.restore_last_used(user, &state.nick);
        }
    }
}
