//! The nicknames that members have last used: a message that names one mentions them, after a restart too.

use serde::{Deserialize, Serialize};

use crate::engine::registrations::Registrations;
use crate::engine::rooms::Rooms;
use crate::ids::UserId;
use crate::slots::Walk;
use crate::time::Instant;

use super::Sources;

/// How many nicknames a snapshot holds.
pub(super) const MAX_NICKNAMES: usize = 10_000;

/// How many nicknames a part of it holds before the next one begins, and how many rooms and members are looked at for them.
const AT_ONCE: usize = 1000;
const LOOKED_AT: usize = 10_000;

/// The longest one, in bytes.
const MAX_NICKNAME: usize = 255;

/// For how long a room may not be read, in seconds: one that does not exist any more is never read again.
pub(super) const MAX_AGE: f64 = 30.0 * 24.0 * 3600.0;

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

/// Those of members with a device, of the next rooms on this way, and at most so many. Where there can be no more of them, it is over.
pub(super) fn take(
    rooms: &mut Walk,
    at_most: &mut usize,
    sources: Sources<'_>,
    now: Instant,
) -> Vec<NicknameState> {
    let mut states: Vec<NicknameState> = Vec::new();
    let mut looked_at = 0;
    while states.len() < AT_ONCE && looked_at < LOOKED_AT && !rooms.is_over() {
        looked_at += 1;
        let Some((id, room)) = sources.rooms.slots().step(rooms, 1).next() else { continue };
        let age = sources.rooms.seconds_unread(id, now);
        if age > MAX_AGE {
            continue;
        }
        looked_at += room.members().count();
        let short = room.last_used().filter(|(_, nick)| nick.len() <= MAX_NICKNAME);
        let state = |(user, nick): (UserId, &str)| {
            let user = sources.registrations.user(user)?.jid().to_string();
            Some(NicknameState { room: room.jid().to_string(), user, nick: nick.to_owned(), age: age as u32 })
        };
        states.extend(short.filter_map(state).take(at_most.saturating_sub(states.len())));
    }
    *at_most -= states.len();
    if *at_most == 0 {
        *rooms = Walk::default();
    }
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
