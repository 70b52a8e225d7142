//! The devices of a domain that back off. Each goes on by itself at a time of its own; when the domain is back from wherever it
//! was, they need not wait for that any longer.
//!
//! They are woken one by one: the domain that takes a push gets two more, and one that wants to be spared is spared for a while,
//! which is longer each time it has taken none since. So one that is overloaded is asked by few for each push that it takes.

use crate::ids::DeviceId;
use crate::lists::{List, Lists, Slot};
use crate::options::Options;
use crate::time::Instant;

/// How many devices are woken to begin with, and how many for each push that was taken.
const WOKEN_AT_FIRST: u32 = 1;
const WOKEN_PER_RESULT: u32 = 2;

/// For how long the domain is spared: the first time, and at most, in seconds.
const FIRST_PAUSE: f64 = 1.0;
const LONGEST_PAUSE: f64 = 300.0;

/// The devices of a domain that back off, in the order in which they began to.
#[derive(Debug, Default)]
pub(super) struct BackOffs {
    devices: List,
    len: u32,
    /// How many of the first ones need not wait any longer.
    awake: u32,
    /// How many of those may go on now.
    permitted: u32,
    /// When the next one of them may go on, where none may now.
    resume_at: Option<Instant>,
    /// For how long the domain was spared the last time, if it has taken nothing since.
    pause: f64,
}

impl BackOffs {
    /// A device backs off. `None` where no memory can hold any more.
    pub(super) fn add(&mut self, lists: &mut Lists<DeviceId>, device: DeviceId) -> Option<Slot> {
        let slot = lists.push(&mut self.devices, device)?;
        self.len += 1;
        Some(slot)
    }

    /// A device does not back off any more.
    pub(super) fn remove(&mut self, lists: &mut Lists<DeviceId>, slot: Slot) {
        if lists.remove(&mut self.devices, slot).is_some() {
            self.len = self.len.saturating_sub(1);
            self.awake = self.awake.min(self.len);
        }
    }

    /// The next device that goes on before its time.
    pub(super) fn pop(&mut self, lists: &mut Lists<DeviceId>) -> Option<DeviceId> {
        let first = self.devices.first().filter(|_| self.ready() > 0)?;
        let device = lists.remove(&mut self.devices, first)?;
        self.len = self.len.saturating_sub(1);
        self.awake -= 1;
        self.permitted -= 1;
        Some(device)
    }

    /// How many can go on now.
    pub(super) fn ready(&self) -> u32 {
        self.awake.min(self.permitted)
    }

    /// Whether some of them need not wait any longer.
    pub(super) fn is_awake(&self) -> bool {
        self.awake > 0
    }

    /// When the next one may go on, where none may now.
    pub(super) fn resume_at(&self) -> Option<Instant> {
        self.resume_at.filter(|_| self.is_awake())
    }

    /// The domain is back, or may be: those that back off now need not wait any longer.
    pub(super) fn wake(&mut self) {
        self.awake = self.len;
        self.permitted = self.permitted.max(WOKEN_AT_FIRST);
        (self.resume_at, self.pause) = (None, 0.0);
    }

    /// The domain has taken a push.
    pub(super) fn go_on(&mut self) {
        self.pause = 0.0;
        self.permit(WOKEN_PER_RESULT);
    }

    /// A push to one of them has come to nothing that concerns the others.
    pub(super) fn replace(&mut self) {
        self.permit(1);
    }

    fn permit(&mut self, more: u32) {
        if self.is_awake() && self.resume_at.is_none() {
            self.permitted = self.permitted.saturating_add(more);
        }
    }

    /// The domain is not there, or wants to be spared. Where it has taken nothing for a while, all that back off wait for nothing
    /// else than that it does.
    pub(super) fn pause(&mut self, are_all_concerned: bool, now: Instant, options: &Options) {
        if are_all_concerned {
            self.awake = self.len;
        }
        self.permitted = 0;
        if self.resume_at.is_none() && self.is_awake() {
            let longest = LONGEST_PAUSE.min(options.max_retry_delay);
            self.pause = (self.pause * 2.0).clamp(FIRST_PAUSE.min(options.retry_delay).min(longest), longest);
            self.resume_at = Some(now + self.pause);
        }
    }

    /// The domain may have been spared for long enough.
    pub(super) fn resume(&mut self, now: Instant) {
        if self.resume_at.take_if(|at| *at <= now).is_some() {
            self.permit(WOKEN_AT_FIRST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(back_offs: &mut BackOffs, lists: &mut Lists<DeviceId>) -> Vec<u64> {
        std::iter::from_fn(|| back_offs.pop(lists)).map(|device| device.number() & 0xffff).collect()
    }

    #[test]
    fn the_first_wakes_two_each_of_them_two_more_and_a_failure_none() {
        let (mut back_offs, mut lists) = (BackOffs::default(), Lists::default());
        for number in 0..20 {
            back_offs.add(&mut lists, DeviceId::from_number(1 << 32 | number));
        }
        assert_eq!(popped(&mut back_offs, &mut lists), [0; 0]);
        back_offs.go_on();
        assert_eq!(popped(&mut back_offs, &mut lists), [0; 0], "results wake nobody by themselves");
        back_offs.wake();
        assert_eq!(popped(&mut back_offs, &mut lists), [0]);
        back_offs.go_on();
        assert_eq!(popped(&mut back_offs, &mut lists), [1, 2]);
        (0..2).for_each(|_| back_offs.go_on());
        assert_eq!(popped(&mut back_offs, &mut lists), [3, 4, 5, 6]);
        back_offs.replace();
        assert_eq!(popped(&mut back_offs, &mut lists), [7]);
    }

    #[test]
    fn a_domain_that_wants_to_be_spared_is_spared_for_longer_each_time_until_it_takes_one() {
        let (mut back_offs, mut lists) = (BackOffs::default(), Lists::default());
        let options = Options::default();
        for number in 0..20 {
            back_offs.add(&mut lists, DeviceId::from_number(1 << 32 | number));
        }
        let now = Instant::from_seconds(0.0);
        back_offs.pause(false, now, &options);
        assert_eq!(back_offs.resume_at(), None, "they wait for their own time");
        let mut now = now;
        for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0] {
            back_offs.pause(true, now, &options);
            back_offs.pause(true, now + pause / 2.0, &options);
            assert_eq!(back_offs.resume_at(), Some(now + pause));
            back_offs.replace();
            back_offs.resume(now + (pause - 0.1));
            assert_eq!(popped(&mut back_offs, &mut lists), [0; 0]);
            now = now + pause;
            back_offs.resume(now);
            assert_eq!(popped(&mut back_offs, &mut lists).len(), 1);
        }
        back_offs.go_on();
        assert_eq!(popped(&mut back_offs, &mut lists).len(), 2);
        back_offs.pause(false, now, &options);
        assert_eq!(back_offs.resume_at(), Some(now + 1.0));
    }

    #[test]
    fn nobody_is_woken_who_began_to_wait_after_that() {
        let (mut back_offs, mut lists) = (BackOffs::default(), Lists::default());
        let slots: Vec<Slot> = (0..3)
            .filter_map(|number| back_offs.add(&mut lists, DeviceId::from_number(1 << 32 | number)))
            .collect();
        back_offs.wake();
        back_offs.remove(&mut lists, slots[1]);
        back_offs.add(&mut lists, DeviceId::from_number(1 << 32 | 3));
        (0..9).for_each(|_| back_offs.go_on());
        assert_eq!(popped(&mut back_offs, &mut lists), [0, 2]);
        assert!(!back_offs.is_awake());
        back_offs.wake();
        assert_eq!(popped(&mut back_offs, &mut lists), [3]);
        assert_eq!(back_offs.len, 0);
    }
}
