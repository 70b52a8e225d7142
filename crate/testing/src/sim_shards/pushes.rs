//! The turns of a shard: what is new is stored, pushes leave, and are answered.

use super::app_servers::{AFTER_RETURN, Fate};
use super::devices::{Flight, LEAST_PATIENCE};
use super::layout::{SLOTS, user_of};
use super::shard::{Shard, State};
use super::simulation::World;
use super::timeline::Happening;
use crate::driver::{Handling, Outcome, Scope};

/// What a push costs, with everything (docs/performance.md), and how long a turn may be: in seconds.
const SECONDS_EACH: f64 = 125e-6;
const LONGEST_TURN: f64 = 0.01;

/// The clock is looked at after so many pushes.
const PUSHES_PER_LOOK: usize = 5;

/// Between two turns something else has its turn.
const BETWEEN_TURNS: f64 = 0.0005;

/// How long the store takes for a batch, and when a checkpoint goes on.
const SECONDS_A_BATCH: f64 = 0.002;
const BETWEEN_PARTS: f64 = 0.02;

/// How often it is looked whether all is in the store.
const BETWEEN_LOOKS: f64 = 2.0;

/// How many devices a part of a checkpoint holds.
const DEVICES_IN_PART: usize = 500;

impl Shard {
    /// The timer runs.
    pub(super) fn turn(&mut self, at: f64, world: &mut World) {
        // It may have been set to an earlier time, and not to this one any more.
        if self.timer.take_if(|timer| *timer <= at).is_none() || self.state == State::Down {
            return;
        }
        let (end, mut polled) = (self.clock + LONGEST_TURN, 0);
        while self.clock < end {
            if polled % PUSHES_PER_LOOK == 0 {
                self.driver.now = self.clock;
                self.driver.handle_timeout();
                let events = self.driver.take_events();
                assert!(events.iter().all(|it| !is_disabled(it)), "no device is given up: {events:?}");
                if polled == 0 {
                    self.write_due(world);
                }
            }
            if !self.send_next(world) {
                break;
            }
            polled += 1;
            self.clock += SECONDS_EACH;
        }
        self.clock += BETWEEN_TURNS;
        self.plan(world);
    }

    /// Writes a batch, if one is due.
    pub(super) fn write_due(&mut self, world: &mut World) {
        let Some(batch) = self.driver.poll_batch() else { return };
        self.clock += SECONDS_A_BATCH;
        self.driver.now = self.clock;
        let is_checkpoint_due = self.journal.write(self.clock, batch) && self.ends_left > 0;
        self.driver.batch_stored(SECONDS_A_BATCH);
        if self.clock >= self.looked + BETWEEN_LOOKS {
            // That takes the longer the more devices there are.
            self.looked = self.clock;
            self.look_at_stored();
        }
        if is_checkpoint_due && self.checkpoint.is_none() {
            self.checkpoint = Some(self.journal.begin(self.driver.plan_snapshot()));
            let at = self.clock + BETWEEN_PARTS;
            world.timeline.add(at, self.number, Some(self.run), Happening::Checkpoint);
        }
    }

    /// Where nothing is left to be written, all is in the store.
    pub(super) fn look_at_stored(&mut self) {
        let stats = self.driver.stats();
        if stats.unstored == 0 && stats.spreading == 0 {
            for room in std::mem::take(&mut self.unstored) {
                self.rooms[room].set_stored();
            }
            self.unstored_reads.clear();
        }
    }

    /// The checkpoint goes on.
    pub(super) fn go_on_with_checkpoint(&mut self, world: &mut World) {
        let Some(mut checkpoint) = self.checkpoint.take() else { return };
        self.driver.now = self.clock;
        let detail = crate::driver::Detail::Words;
        match self.driver.next_part(&mut checkpoint.plan, DEVICES_IN_PART, detail) {
            Some(part) => {
                self.journal.write_part(self.clock, part);
                self.checkpoint = Some(checkpoint);
                let at = self.clock + BETWEEN_PARTS;
                world.timeline.add(at, self.number, Some(self.run), Happening::Checkpoint);
            }
            None => self.journal.end(self.clock, &checkpoint),
        }
    }

    /// The next push leaves, if there is any. Panics where it must not.
    fn send_next(&mut self, world: &mut World) -> bool {
        self.driver.now = self.clock;
        let Some(push) = self.driver.poll_push(Scope::AllRooms) else { return false };
        let id = push.id.to_string();
        let (jid, addressed, count) = self.driver.push_facts(&push);
        let user = user_of(jid);
        let app_server = world.app_server_of(self.number, user);
        assert_eq!(addressed, world.app_servers[app_server].kind.jid(self.number));
        let covers = self.assert_push(user, count, world);
        let load = &mut self.loads[app_server];
        load.send(self.clock, &world.options, &(self.number, world.app_servers[app_server].kind));
        let is_cut_off = load.is_cut_off;
        let flight = Flight {
            device: user as u32,
            app_server: app_server as u8,
            run: self.run,
            epoch: load.epoch,
            sent: self.clock,
            covers,
            newest: self.unread(&world.layout, user).newest,
        };
        let before = self.devices[user].sent.replace(self.clock as f32);
        world.tally.pushes += 1;
        let fate = world.app_servers[app_server].take(self.clock, is_cut_off, &mut world.chance);
        if matches!(fate, Fate::Taken(_) | Fate::TakenSilently) {
            self.told(flight, before, world);
        }
        let (at, happening) = match fate {
            Fate::Taken(at) => (at, Happening::Answer(Box::new((flight, id, Outcome::Delivered)))),
            Fate::Refused(at) => (at, Happening::Answer(Box::new((flight, id, Outcome::Transient)))),
            Fate::Unreachable(at) => (at, Happening::Answer(Box::new((flight, id, Outcome::Silent)))),
            Fate::TakenSilently | Fate::Lost => {
                (self.clock + world.options.reply_timeout, Happening::Vanished(Box::new(flight)))
            }
        };
        world.timeline.add(at, self.number, None, happening);
        true
    }

    /// A push is about to leave that says that so many messages are unread. Returns up to which message it tells of all. Panics
    /// where it must not leave.
    fn assert_push(&mut self, user: usize, count: u32, world: &World) -> u32 {
        let (device, unread) = (self.devices[user], self.unread(&world.layout, user));
        let whose = || format!("{user} of shard {}: {device:?}, {unread:?}", self.number);
        let has_waited = device.sent.is_none_or(|sent| self.clock >= f64::from(sent) + LEAST_PATIENCE - 0.1);
        assert!(has_waited, "one push in flight a device: {}", whose());
        if self.is_vague(user) {
            return if count >= unread.sure { unread.newest } else { 0 };
        }
        assert!(
            (1..=unread.all).contains(&count),
            "the count {count} is that of what is unread: {}",
            whose()
        );
        // Of what may be lost it is not known whether this is about it.
        let is_new = unread.newest > device.answered || unread.all > unread.sure;
        assert!(is_new, "nobody is told twice without a reason: {}", whose());
        if count == unread.all {
            // What one device is told is in the store for all of the room.
            for slot in (0..SLOTS).filter(|slot| !device.is_present[*slot]) {
                let room = world.layout.room(user, slot);
                self.rooms[room].set_stored();
            }
        }
        if count >= unread.sure { unread.newest } else { 0 }
    }

    /// An app server has told a device, after a push that was sent before and has vanished, if there was one. Panics where it comes
    /// too late.
    fn told(&mut self, flight: Flight, before: Option<f32>, world: &mut World) {
        let user = flight.device as usize;
        let device = self.devices[user];
        if flight.covers == 0 {
            self.devices[user].partly_told = flight.newest;
        }
        if flight.covers <= device.told {
            world.tally.duplicates += u64::from(flight.covers > 0);
            return;
        }
        let app_server = &mut world.app_servers[flight.app_server as usize];
        if let Some((returned, said)) = self.loads[flight.app_server as usize].returned {
            let is_waiting = (0..SLOTS).any(|slot| {
                let room = &self.rooms[world.layout.room(user, slot)];
                !device.is_present[slot] && room.is_any_between(device.read[slot], device.told, said)
            });
            if is_waiting {
                // Where nothing else tells of it, that one is missed only then.
                let missed = before.map_or(0.0, |sent| f64::from(sent) + world.options.reply_timeout);
                let after = flight.sent - returned.max(missed);
                let whose = (self.number, user, app_server.kind, device, flight);
                assert!(after <= AFTER_RETURN, "told {after} s after the return: {whose:?}");
                app_server.told_after = app_server.told_after.max(after);
            }
        }
        app_server.last_told = flight.sent;
        self.devices[user].told = flight.covers;
    }

    /// An answer comes in. Panics where the engine does not wait for it, and should.
    pub(super) fn answered(&mut self, (flight, id, outcome): (Flight, String, Outcome), world: &mut World) {
        let app_server = flight.app_server as usize;
        let is_waited_for = self.is_waited_for(&flight, world);
        if self.state == State::Down {
            return;
        }
        self.driver.now = self.clock;
        let jid = world.app_servers[app_server].kind.jid(self.number);
        let handling = self.driver.handle_reply(&id, &jid, outcome);
        if is_waited_for {
            assert_eq!(handling, Handling::Taken, "{flight:?} of shard {}", self.number);
            self.loads[app_server].answered(outcome, flight.sent, self.clock);
            let device = &mut self.devices[flight.device as usize];
            device.sent = None;
            if outcome == Outcome::Delivered {
                device.answered = device.answered.max(flight.covers);
            }
        } else {
            assert_eq!(handling, Handling::Unknown, "{flight:?} of shard {}", self.number);
        }
        if self.state == State::Running {
            self.plan(world);
        }
    }

    /// A push has vanished, and the engine waits for it no more, or not for long.
    pub(super) fn vanished(&mut self, flight: &Flight, world: &mut World) {
        if self.is_waited_for(flight, world) {
            self.loads[flight.app_server as usize].vanished(flight.sent, self.clock);
        }
    }

    /// Whether a push was on its way until now; it is no more.
    fn is_waited_for(&mut self, flight: &Flight, world: &mut World) -> bool {
        let app_server = flight.app_server as usize;
        let is_waited_for = flight.run == self.run && flight.epoch == self.loads[app_server].epoch;
        if is_waited_for {
            world.app_servers[app_server].in_flight -= 1;
        }
        is_waited_for
    }
}

fn is_disabled(event: &muc_cloud_notify_core::Event) -> bool {
    matches!(event, muc_cloud_notify_core::Event::DeviceDisabled(_))
}
