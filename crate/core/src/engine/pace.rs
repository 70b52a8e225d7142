//! The pace of pushes: of a room a device hears no more often than the operator says. What is new meanwhile is merged into the
//! next push; a mention does not wait. By a way a user hears of anything no more often than the operator says, and so long
//! everything waits.
//!
//! What is kept is bounded by the pushes that have lately left: it follows neither the devices nor the rooms.

use std::collections::{HashMap, VecDeque};

use crate::device::Notifications;
use crate::ids::{DeviceId, RoomId};
use crate::options::Options;
use crate::time::Instant;

/// How long a device waits at least, in seconds, as long as its app server has not taken any push.
const BEFORE_FIRST_RESULT: f64 = 20.0;

/// How many entries are looked at for each that is added: more than one, so that those end that are over.
const ENDED_AT_ONCE: usize = 2;

/// For how many entries memory is kept where there are none.
const KEPT: usize = 1000;

/// A device, and the room of which it waits to hear; without a room, it waits with everything.
type Key = (DeviceId, Option<RoomId>);

/// Of which rooms which devices are not to hear for a while.
#[derive(Debug, Default)]
pub(super) struct Paces {
    until: HashMap<Key, Instant>,
    /// When to look whether they are over, in order: each interval has its own.
    to_end: [VecDeque<(Instant, Key)>; INTERVALS],
}

/// How many intervals there are.
const INTERVALS: usize = 3;

/// Which interval is meant.
#[derive(Debug, Clone, Copy)]
enum Interval {
    /// That of devices whose app server has taken a push.
    Answered,
    /// That of others.
    Unanswered,
    /// That of ways.
    Way,
}

impl Paces {
    /// A push about these rooms leaves at `now`.
    pub(super) fn start(
        &mut self,
        device: DeviceId,
        has_answered: bool,
        notifications: &Notifications,
        now: Instant,
        options: &Options,
    ) {
        self.end_past(now);
        if options.push_interval <= 0.0 {
            return;
        }
        let (at_least, interval) = match has_answered {
            true => (0.0, Interval::Answered),
            false => (BEFORE_FIRST_RESULT, Interval::Unanswered),
        };
        let until = now + options.push_interval.max(at_least);
        for (room, _) in notifications.rooms() {
            self.set((device, Some(room)), until, interval);
        }
    }

    /// A push leaves at `now` by a way: with anything else that waits a while.
    pub(super) fn start_way(&mut self, device: DeviceId, now: Instant, options: &Options) {
        if options.way_interval > 0.0 {
            self.set((device, None), now + options.way_interval, Interval::Way);
        }
    }

    /// Until when a device has to wait with everything; `None` where it need not.
    pub(super) fn way_waits(&self, device: DeviceId, now: Instant) -> Option<Instant> {
        if self.until.is_empty() {
            return None;
        }
        self.until.get(&(device, None)).copied().filter(|until| *until > now)
    }

    /// The app server has taken a push about these rooms: from now on the device waits no longer than others do.
    pub(super) fn shorten(
        &mut self,
        device: DeviceId,
        notifications: &Notifications,
        now: Instant,
        options: &Options,
    ) {
        let until = now + options.push_interval;
        for (room, _) in notifications.rooms() {
            if self.waits(device, room, false, until).is_some() {
                self.set((device, Some(room)), until, Interval::Answered);
            }
        }
    }

    fn set(&mut self, key: Key, until: Instant, interval: Interval) {
        self.until.insert(key, until);
        self.to_end[interval as usize].push_back((until, key));
    }

    /// Until when a device has to wait with all that it has yet to hear of; `None` where it need not.
    pub(super) fn all_wait(
        &self,
        device: DeviceId,
        pending: &Notifications,
        now: Instant,
    ) -> Option<Instant> {
        let mut earliest = None;
        for (room, notification) in pending.rooms() {
            let until = self.waits(device, room, notification.is_mention(), now)?;
            earliest = Some(earliest.map_or(until, |earliest: Instant| earliest.min(until)));
        }
        earliest
    }

    /// Until when a device has to wait with what it has yet to hear of a room; `None` where it need not.
    pub(super) fn waits(
        &self,
        device: DeviceId,
        room: RoomId,
        is_mention: bool,
        now: Instant,
    ) -> Option<Instant> {
        if is_mention || self.until.is_empty() {
            return None;
        }
        self.until.get(&(device, Some(room))).copied().filter(|until| *until > now)
    }

    /// The owner of the device has read the room.
    pub(super) fn end(&mut self, device: DeviceId, room: RoomId) {
        if !self.until.is_empty() {
            self.until.remove(&(device, Some(room)));
        }
    }

    /// A push about these rooms was not sent after all.
    pub(super) fn take_back(&mut self, device: DeviceId, notifications: &Notifications) {
        notifications.rooms().for_each(|(room, _)| self.end(device, room));
        if !self.until.is_empty() {
            self.until.remove(&(device, None));
        }
    }

    fn end_past(&mut self, now: Instant) {
        for queue in &mut self.to_end {
            for _ in 0..ENDED_AT_ONCE {
                let Some((_, key)) = queue.pop_front_if(|(at, _)| *at <= now) else { break };
                // There may have been another push since.
                if self.until.get(&key).is_some_and(|until| *until <= now) {
                    self.until.remove(&key);
                }
            }
        }
        if self.to_end.iter().all(VecDeque::is_empty) {
            // What a burst took is given back.
            self.until.shrink_to(KEPT);
            self.to_end.iter_mut().for_each(|queue| queue.shrink_to(KEPT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{MessageDigest, MessageIdentity, Notification};
    use slotmap::KeyData;
    use std::sync::Arc;

    fn about(room: RoomId) -> Notifications {
        let now = Instant::from_seconds(0.0);
        let identity =
            Arc::new(MessageIdentity { ids: Default::default(), sent: now, order: 0, has_bounced: false });
        let digest = MessageDigest::without_words(&"orchard@conference.example".into(), &identity);
        let mut notifications = Notifications::default();
        notifications.add(room, Notification::of(&Arc::new(digest), false));
        notifications
    }

    #[test]
    fn what_is_kept_follows_the_pushes_of_the_last_interval() {
        let mut paces = Paces::default();
        let about = about(RoomId::from(KeyData::from_ffi(1 << 32 | 1)));
        let options = Options { push_interval: 1.0, ..Options::default() };
        for push in 0..100_000_u32 {
            // A hundred a second, to as many devices; the app servers of some have taken none so far.
            let device = DeviceId::from_number(1 << 32 | u64::from(push));
            let now = Instant::from_seconds(f64::from(push) / 100.0);
            paces.start(device, push % 10 != 0, &about, now, &options);
            assert!(paces.until.len() <= 100 + 200, "{}", paces.until.len());
            assert_eq!(paces.until.len(), paces.to_end.iter().map(VecDeque::len).sum::<usize>());
        }
    }
}
