//! Consent: what members get who were made that by somebody else, and have not been in the room since. A mention is pushed to
//! them, without words, and not more often than this.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::ids::{DeviceId, RoomId, UserId};
use crate::time::Instant;

/// For one of a room, in seconds.
const ROOM_INTERVAL: f64 = 3600.0;

/// How many in so many seconds there may be for a user, in all rooms.
const MAX_LATELY: usize = 3;
const LATELY: f64 = 24.0 * 3600.0;

/// How many users are remembered before it is first looked whom to forget.
const FIRST_SWEEP: usize = 64;

/// The pushes that users lately got from rooms whose membership they have not consented to. Most have none.
#[derive(Debug)]
pub(super) struct PushesWithoutConsent {
    of_users: HashMap<UserId, SmallVec<[(RoomId, Instant); MAX_LATELY]>>,
    /// When there are so many users, those are forgotten who had none lately.
    sweep_at: usize,
}

impl Default for PushesWithoutConsent {
    fn default() -> Self {
        PushesWithoutConsent { of_users: HashMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl PushesWithoutConsent {
    /// Which of these may be pushed to now for a mention in a room; of each user the devices stand together. It counts for
    /// those that may.
    pub(super) fn permitted(
        &mut self,
        room: RoomId,
        devices: &[(UserId, DeviceId)],
        now: Instant,
    ) -> Vec<(DeviceId, bool)> {
        let of_each = devices.chunk_by(|(one, _), (other, _)| one == other);
        let permitted =
            of_each.filter(|of_one| of_one.first().is_some_and(|(user, _)| self.permit(*user, room, now)));
        permitted.flatten().map(|(_, device)| (*device, true)).collect()
    }

    fn permit(&mut self, user: UserId, room: RoomId, now: Instant) -> bool {
        self.sweep(now);
        let lately = self.of_users.entry(user).or_default();
        lately.retain(|(_, at)| now.seconds_since(*at) < LATELY);
        let had_one = lately.iter().any(|(of, at)| *of == room && now.seconds_since(*at) < ROOM_INTERVAL);
        let is_permitted = !had_one && lately.len() < MAX_LATELY;
        if is_permitted {
            lately.push((room, now));
        }
        is_permitted
    }

    /// Forgets users who had none lately: whenever there are twice as many users as were left the last time.
    fn sweep(&mut self, now: Instant) {
        if self.of_users.len() < self.sweep_at {
            return;
        }
        self.of_users.retain(|_, lately| lately.iter().any(|(_, at)| now.seconds_since(*at) < LATELY));
        self.sweep_at = FIRST_SWEEP.max(self.of_users.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::KeyData;

    #[test]
    fn users_who_had_none_lately_are_forgotten() {
        let mut pushes = PushesWithoutConsent::default();
        let room = RoomId::from(KeyData::from_ffi(1 << 32 | 1));
        for number in 0..10_000_u32 {
            let user = UserId::from(KeyData::from_ffi(1 << 32 | u64::from(number)));
            // A hundred users each day.
            let now = Instant::from_seconds(f64::from(number) * LATELY / 100.0);
            assert!(pushes.permit(user, room, now));
            assert!(pushes.of_users.len() <= 2 * 101, "{}", pushes.of_users.len());
        }
    }
}
