//! Starts, stops and kills.

use std::collections::VecDeque;

use muc_cloud_notify_core::DeviceState;

use super::bounces::Sessions;
use super::caps::Caps;
use super::journal::SimJournal;
use super::promises::InRoom;
use super::simulation::{Killed, SimModule, Simulation};
use super::truth::Key;
use super::ways::SimForwarding;
use crate::driver::Driver;

/// What is left of a start.
#[derive(Debug)]
pub(super) enum Loading {
    /// The registrations of these users.
    Registrations(VecDeque<usize>),
    /// Whether the accounts of these have devices.
    Accounts(VecDeque<usize>),
    /// The names of what the last run has left are to be read.
    OutboxNames,
    /// What it has left, under these names.
    Outbox(VecDeque<String>),
    /// The rooms where something waits.
    Rooms,
    /// All is told, or it takes too long: what the last run has left is to be cleared.
    Told { at_latest: f64 },
}

/// When it is tried again where the store has failed.
const RETRY: f64 = 2.0;

/// How often it is looked whether what the last run has left was told, and for how long.
const BETWEEN_LOOKS: f64 = 0.02;
const SECONDS_TO_TELL: f64 = 60.0;

/// For so many seconds, and a day more, what is unread is remembered in a room that is never read.
const KEPT: f64 = 29.0 * 24.0 * 3600.0;

impl Simulation {
    /// When the next kill comes.
    pub(super) fn plan_kill(&mut self) {
        let mean = self.settings.steps_between_kills.filter(|_| !self.is_calm);
        self.kill_at = mean.map(|mean| self.steps + 1 + self.chance.below(2 * mean) as u64);
    }

    /// The process is killed, or the machine loses its power, and both are there again.
    pub(super) fn kill(&mut self) {
        self.kills += 1;
        let is_power_cut = self.chance.one_in(self.settings.power_cuts);
        self.note(|| format!("killed, and the power is cut: {is_power_cut}"));
        if !self.settings.options.journal {
            // Only a stop has a promise then.
            self.truth.parts().for_each(InRoom::lose_track);
        }
        if is_power_cut {
            if !self.outbox.is_synced() {
                self.truth.parts().for_each(InRoom::lose_track);
                self.texts.lose();
            }
            self.registrations.cut_power(&mut self.chance);
            self.outbox.cut_power(&mut self.chance);
            let (before, now) = (self.now, self.chance.between(0.0, 100.0));
            self.wall_clock += before - now;
            self.network.iter_mut().for_each(|(at, _)| *at += now - before);
            self.now = now;
        } else {
            self.now += self.chance.between(0.0, 10.0);
        }
        self.start();
    }

    /// A clean stop and the start after it, where there can be kills too.
    pub(super) fn stop_and_start(&mut self) -> Result<(), Killed> {
        self.finish_forwarding()?;
        // Before everything is there, what the last run has left stays as it is.
        if self.module.loading.as_ref().is_none_or(|(loading, _)| loading.is_filled()) {
            self.save_outbox()?;
        } else {
            if !self.settings.options.journal {
                self.truth.parts().for_each(InRoom::lose);
            }
        }
        self.now += self.chance.between(0.0, 10.0);
        self.start();
        Ok(())
    }

    fn start(&mut self) {
        self.truth.stop();
        self.texts.restart();
        self.sessions = Sessions::default();
        self.caps = Caps::default();
        (self.is_in_turn, self.fruitless) = (false, 0);
        let seed = self.chance.number();
        let driver = Driver::seeded(self.now, self.settings.options.clone(), seed);
        let users = (0..self.users.len()).collect();
        self.may_be_forgotten |= self.oldest_age > KEPT;
        (self.is_all_read, self.oldest_age) = (true, 0.0);
        let loading = Some((Loading::Registrations(users), self.now));
        self.runs += 1;
        let journal = SimJournal::new(self.now);
        let forwarding = SimForwarding::default();
        self.module = SimModule { driver, timer: None, loading, held: Vec::new(), journal, forwarding };
        self.plan_kill();
    }

    /// The next slice of the start.
    pub(super) fn go_on_loading(&mut self) -> Result<(), Killed> {
        let Some((loading, _)) = self.module.loading.take() else { return Ok(()) };
        // Should there be a kill, there is a new start.
        let (next, pause) = match loading {
            Loading::Registrations(users) => self.load_registrations(users)?,
            Loading::Accounts(users) => self.load_accounts(users)?,
            Loading::OutboxNames => match self.list_outbox()? {
                Ok(names) => (Some(Loading::Outbox(names.into())), 0.0),
                // Nothing is passed over where the store does not answer.
                Err(()) => (Some(Loading::OutboxNames), RETRY),
            },
            Loading::Outbox(mut names) => match names.pop_front() {
                Some(name) => match self.restore_part(&name)? {
                    Ok(is_read) => {
                        self.is_all_read &= is_read;
                        self.adopt(false);
                        (Some(Loading::Outbox(names)), 0.001)
                    }
                    Err(()) => {
                        names.push_front(name);
                        (Some(Loading::Outbox(names)), RETRY)
                    }
                },
                None => {
                    self.adopt(true);
                    self.tell_all_blocked()?;
                    self.truth.is_filled = true;
                    self.truth.is_strict = self.settings.options.journal;
                    self.write_due()?;
                    self.plan();
                    (Some(Loading::Rooms), 0.001)
                }
            },
            Loading::Rooms => self.read_awaited()?,
            Loading::Told { at_latest } => {
                if self.module.driver.is_push_waiting() && self.now < at_latest {
                    (Some(Loading::Told { at_latest }), BETWEEN_LOOKS)
                } else {
                    self.clear_outbox()?;
                    (None, 0.0)
                }
            }
        };
        self.module.loading = next.map(|next| (next, self.now + pause));
        Ok(())
    }

    fn load_registrations(&mut self, mut users: VecDeque<usize>) -> Result<(Option<Loading>, f64), Killed> {
        let Some(user) = users.pop_front() else {
            let users = self.accounts.iter().copied().collect();
            let next =
                if self.settings.has_accounts { Loading::Accounts(users) } else { Loading::OutboxNames };
            return Ok((Some(next), 0.001));
        };
        let Ok(record) = self.read_record(user)? else {
            // Nobody is taken for somebody without a device.
            users.push_back(user);
            return Ok((Some(Loading::Registrations(users)), RETRY));
        };
        self.tell_registrations(user, &record, None)?;
        if self.disabled_accounts.contains(&user) && self.truth.has_device(user) {
            self.set_suspended(user, true)?;
        }
        Ok((Some(Loading::Registrations(users)), 0.0005))
    }

    fn read_awaited(&mut self) -> Result<(Option<Loading>, f64), Killed> {
        if let Some(jid) = self.module.driver.awaited_room() {
            let room = self.room_of(&jid);
            if self.truth.rooms[room].affiliations.iter().all(|it| *it == super::truth::Affiliation::None)
                && self.truth.rooms[room].occupants.is_empty()
            {
                self.fact(|driver| driver.room_destroyed(&jid), |truth| truth.destroy(room))?;
            } else {
                self.read_room(room)?;
            }
            return Ok((Some(Loading::Rooms), 0.001));
        }
        let Some(held) = self.module.held.first() else {
            let told = Loading::Told { at_latest: self.now + SECONDS_TO_TELL };
            return Ok((Some(told).filter(|_| !self.settings.options.journal), 0.0));
        };
        let (said, mut present) = (held.said.clone(), held.present.clone());
        self.module.held.remove(0);
        // Whoever is there now has read it.
        present.retain(|user| !self.truth.rooms[said.room].is_present(*user));
        self.tell_message(&said, &present)?;
        Ok((Some(Loading::Rooms), 0.001))
    }

    /// The engine has taken up some of what the last run has left, or all of it. Panics where that is not what it should be.
    fn adopt(&mut self, is_all: bool) {
        if !self.is_all_read {
            self.texts.lose();
        }
        if !self.is_all_read || self.may_be_forgotten {
            self.truth.parts().for_each(InRoom::lose);
        }
        // As of then: what is unread in a room that seems not to have been read for a month is not said any more.
        self.module.driver.now = self.now - self.oldest_age;
        let states = self.module.driver.snapshot().devices;
        self.module.driver.now = self.now;
        let mut found: Vec<(Key, DeviceState)> = Vec::new();
        for state in states {
            found.push((self.key_of_state(&state), state));
        }
        let not_found = self.find_forwards(is_all);
        let is_exact = !self.truth.is_bit_by_bit;
        let time_to_live = self.settings.options.time_to_live;
        for (key, device) in &mut self.truth.devices {
            let state = found.iter().find(|(other, _)| other == key).map(|(_, state)| state);
            for (number, room) in device.rooms.iter_mut().enumerate() {
                let of_room = state.and_then(|it| it.unread.iter().find(|it| it.room == self.rooms[number]));
                let count = of_room.map_or(0, |it| it.count);
                let pending = of_room.and_then(|it| it.pending.as_ref()).map_or(0, |it| it.messages);
                if time_to_live.is_finite() {
                    room.lose_pending();
                }
                room.adopt(count, pending);
                if is_all {
                    room.assert_kept(is_exact, &(key, number));
                    if self.settings.options.journal {
                        // It is in the store as it was found.
                        room.keep();
                    }
                }
            }
            let is_pinged = state.is_some_and(|it| it.pinged);
            device.ping.adopt(0, u32::from(is_pinged));
            if is_all {
                device.ping.assert_kept(true, &key);
                device.ping.keep();
            }
        }
        not_found.into_iter().for_each(|key| self.truth.remove_device(key));
        if is_all {
            self.truth.lose_graves();
        }
    }
}

impl SimModule {
    /// Whether messages are held until more is known.
    pub(super) fn is_holding(&self) -> bool {
        self.loading.as_ref().is_some_and(|(loading, _)| !matches!(loading, Loading::Told { .. }))
    }
}

impl Loading {
    /// Whether all is there that the last run has left.
    fn is_filled(&self) -> bool {
        matches!(self, Loading::Rooms | Loading::Told { .. })
    }
}
