//! What has to be true all the time, and what once nothing goes wrong any more.

use super::app_servers::{Mood, Quirks};
use super::simulation::Simulation;
use super::store::StoreMood;
use crate::driver::Way;

/// More than it takes until nothing is left to be done.
const MOST_STEPS: u64 = 200_000;

/// The most records that the outbox consists of: those after which there is a checkpoint, those of the minute after that, in which
/// what it replaces is kept, and the parts of checkpoints that could not be finished.
const MOST_RECORDS: usize = 500 + 60 * 4 + 1000;

impl Simulation {
    /// From now on all answer, and nothing fails, until nothing is left to be done. Panics if that does not come to pass, or
    /// somebody was not told.
    pub(super) fn settle(&mut self) {
        self.note(|| "calm".to_owned());
        (self.is_calm, self.kill_at) = (true, None);
        self.app_servers.iter_mut().for_each(|it| it.mood = Mood::Takes);
        self.quirks = Quirks::default();
        (self.registrations.mood, self.outbox.mood) = (StoreMood::default(), StoreMood::default());
        for user in self.disabled_accounts.clone() {
            self.set_suspended(user, false).expect("nobody is killed");
        }
        let domains = self.app_servers.iter().filter_map(|it| it.linked_domain().map(str::to_owned));
        for domain in domains.collect::<Vec<_>>() {
            self.fact(|driver| driver.link_restored(&domain), |_| ()).expect("nobody is killed");
        }
        self.do_all();
        self.find_idle_forwards();
        self.assert_settled();
        (self.is_calm, self.quirks) = (false, self.settings.quirks);
        self.plan_kill();
    }

    fn do_all(&mut self) {
        let most = self.steps + MOST_STEPS;
        while let Some(at) = self.next_due() {
            self.now = self.now.max(at);
            self.do_due().expect("nobody is killed");
            assert!(self.steps < most, "nothing is left to be done: {:?}", self.module.driver.stats());
        }
    }

    /// Everybody was told, and the engine waits for nothing.
    fn assert_settled(&mut self) {
        let stats = self.module.driver.stats();
        assert_eq!(
            (stats.queued, stats.in_flight, stats.spreading, stats.unstored),
            (0, 0, 0, 0),
            "{stats:?}"
        );
        assert_eq!(stats.next_deadline, None, "nothing is left to be done");
        let by_way = (self.truth.count_by(Way::Account), self.truth.count_by(Way::Forward));
        assert_eq!((stats.accounts, stats.forwarded), by_way, "all who are reached by a way are known");
        let registered = self.truth.devices.len() - by_way.0 - by_way.1;
        assert_eq!(stats.devices, registered, "all who are registered are known");
        // Where what waits is dropped once it is too old, it is not known here when that was.
        let may_be_too_old = self.settings.options.time_to_live.is_finite();
        for (key, device) in &mut self.truth.devices {
            if device.flight.is_some() {
                device.fail_flight();
            }
            for (number, room) in device.rooms.iter_mut().enumerate() {
                let is_told = room.pending == 0 || may_be_too_old;
                assert!(is_told, "{key:?} never heard of room {number}: {room:?}");
                // What was too old is told no more, but counts.
                room.fly_all_but(0);
                room.land();
            }
            assert_eq!(device.ping.pending, 0, "{key:?} gets the push that was asked for");
        }
    }

    /// What the engine and the stores hold follows what there is, not what has happened.
    pub(super) fn assert_bounded(&self) {
        let stats = self.module.driver.stats();
        let devices = self.truth.devices.len();
        let all = stats.devices + stats.accounts + stats.forwarded;
        assert!(stats.queued <= all && stats.parked <= stats.queued, "{stats:?}");
        assert!(all <= devices || self.settings.has_forwards, "{stats:?}, and there are {devices}");
        assert!(stats.in_flight <= all, "{stats:?}");
        assert!(self.outbox.len() <= MOST_RECORDS, "{} records", self.outbox.len());
    }
}
