//! What becomes of a shard: its process ends, another one begins; links to app servers come and go.

use super::layout::{SLOTS, host, registration, user_jid};
use super::shard::{Shard, State};
use super::simulation::World;
use super::timeline::{End, Happening};
use crate::driver::Driver;

/// How long it takes to load a device (docs/scaling.md).
const SECONDS_A_DEVICE: f64 = 0.0004;

/// How many rooms are read in a slice, and how long that takes.
const ROOMS_IN_SLICE: usize = 20;
const SECONDS_A_SLICE: f64 = 0.002;

impl End {
    /// How long nobody reaches the shard, at least and at most.
    fn seconds_down(self) -> (f64, f64) {
        match self {
            End::Kill => (2.0, 8.0),
            End::TakeOver => (1.0, 5.0),
            End::Move => (1.0, 2.0),
        }
    }

    /// How long the new process waits until it is known that the old one is gone.
    fn seconds_waiting(self) -> f64 {
        match self {
            End::Kill => 0.0,
            End::TakeOver => 15.0,
            End::Move => 1.0,
        }
    }
}

impl Shard {
    /// A process that has not heard of anything.
    pub(super) fn begin(&mut self, world: &mut World) {
        let (host, seed) = (host(self.number), world.chance.number());
        self.driver = Driver::seeded_for(&host, self.clock, world.options.clone(), seed);
        for user in 0..self.devices.len() {
            let kind = world.app_servers[world.app_server_of(self.number, user)].kind;
            let registration = registration(self.number, user, &kind.jid(self.number));
            self.driver.set_registrations(&user_jid(user), vec![registration], None);
        }
        self.since = self.clock;
    }

    /// The process ends.
    pub(super) fn end(&mut self, end: End, world: &mut World) {
        if self.state != State::Running {
            return;
        }
        world.tally.ends[end as usize] += 1;
        self.ends_left = self.ends_left.saturating_sub(1);
        for user in 0..self.devices.len() {
            for slot in 0..SLOTS {
                if self.devices[user].is_present[slot] {
                    self.mark_read(user, slot, &world.layout);
                }
            }
            let device = &mut self.devices[user];
            device.sent = None;
            if end != End::Move {
                // What it was told need not be in the store.
                device.answered = 0;
            }
        }
        if end == End::Move {
            self.finish()
        } else {
            self.lose_unstored(world)
        }
        for (load, app_server) in self.loads.iter_mut().zip(&mut world.app_servers) {
            app_server.in_flight -= load.end();
        }
        (self.state, self.timer, self.checkpoint) = (State::Down, None, None);
        self.run += 1;
        self.driver = Driver::new(world.options.clone());
        let (least, most) = end.seconds_down();
        let up = self.clock + world.chance.between(least, most);
        world.timeline.add(up, self.number, Some(self.run), Happening::Up);
        let loaded = up + end.seconds_waiting() + SECONDS_A_DEVICE * self.devices.len() as f64;
        world.timeline.add(loaded, self.number, Some(self.run), Happening::Loaded);
    }

    /// A clean stop: what is not in the store is written.
    fn finish(&mut self) {
        self.driver.now = self.clock;
        while self.driver.spread() {}
        while let Some(batch) = self.driver.finish_batch() {
            self.journal.write(self.clock, batch);
            self.driver.batch_stored(0.0);
        }
        self.look_at_stored();
        assert!(self.unstored.is_empty(), "all is stored: {:?}", self.driver.stats());
    }

    /// A kill, which may come in the middle of a write.
    fn lose_unstored(&mut self, world: &mut World) {
        self.driver.now = self.clock;
        let batch = self.driver.poll_batch().filter(|_| world.chance.one_in(2));
        batch.into_iter().for_each(|batch| _ = self.journal.write(self.clock, batch));
        for room in std::mem::take(&mut self.unstored) {
            self.rooms[room].doubt();
        }
        self.vague.extend(std::mem::take(&mut self.unstored_reads));
    }

    /// Clients can reach the shard again: what they say is held.
    pub(super) fn come_up(&mut self, world: &mut World) {
        self.state = State::Loading;
        self.begin(world);
    }

    /// All registrations are loaded: what the last process has left is taken up.
    pub(super) fn take_up(&mut self, world: &mut World) {
        for (age, part) in self.journal.records() {
            self.driver.now = self.clock - age;
            assert_eq!(self.driver.restore_part(part), 0, "what was written can be read");
        }
        if self.ends_left == 0 {
            self.journal.drop_all();
        }
        self.driver.now = self.clock;
        self.write_due(world);
        world.timeline.add(self.clock, self.number, Some(self.run), Happening::ReadRooms);
    }

    /// Some rooms are read in which something waits, and after that what was held is told.
    pub(super) fn read_rooms(&mut self, world: &mut World) {
        for _ in 0..ROOMS_IN_SLICE {
            if let Some(name) = self.driver.awaited_room() {
                let digits = name.get(4..10).and_then(|digits| digits.parse().ok());
                self.read_room(digits.expect("one of the rooms"), &world.layout);
            } else if self.held.is_empty() {
                self.state = State::Running;
                break;
            } else {
                let room = self.held.remove(0);
                self.tell(room, world);
            }
        }
        self.clock += SECONDS_A_SLICE;
        self.plan(world);
        if self.state != State::Running {
            world.timeline.add(self.clock, self.number, Some(self.run), Happening::ReadRooms);
        }
    }

    /// The link to an app server is lost, and with it the answers to what is on its way, if the engine knows the app server.
    pub(super) fn link_lost(&mut self, number: usize, world: &mut World) {
        self.loads[number].is_cut_off = true;
        if self.state == State::Down {
            return;
        }
        let before = self.driver.stats().in_flight;
        let jid = world.app_servers[number].kind.jid(self.number);
        self.driver.now = self.clock;
        self.driver.link_lost(&jid);
        let load = &mut self.loads[number];
        load.returned = None;
        let is_known = load.is_known || self.driver.stats().in_flight < before;
        if is_known {
            world.app_servers[number].in_flight -= load.link_lost(self.clock);
            for user in 0..self.devices.len() {
                if world.app_server_of(self.number, user) == number {
                    self.devices[user].sent = None;
                }
            }
        }
        self.plan(world);
    }

    /// An app server is back, which the server may hear of.
    pub(super) fn returned(&mut self, number: usize, is_told: bool, world: &mut World) {
        self.loads[number].is_cut_off = false;
        if self.state == State::Down {
            return;
        }
        if is_told {
            let jid = world.app_servers[number].kind.jid(self.number);
            self.driver.now = self.clock;
            self.driver.link_restored(&jid);
        }
        let outage = world.app_servers[number].last_outage(self.clock);
        let load = &self.loads[number];
        // That what vanishes is missed takes as long as an answer may.
        let is_noticed = is_told || load.is_probed(&world.options);
        let is_promised = is_noticed && load.is_known && outage.is_some_and(|it| self.since < it.from);
        self.loads[number].returned = is_promised.then_some((self.clock, self.said));
        if self.state == State::Running {
            self.plan(world);
        }
    }
}
