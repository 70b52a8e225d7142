//! Ways as the Lua files go them: accounts of this server, which are found to have devices or none, and messages that are forwarded
//! to accounts elsewhere.

use std::collections::VecDeque;

use super::lifecycle::Loading;
use super::simulation::{Killed, Simulation};
use super::truth::Key;
use crate::driver::{Publish, Way};

/// How often it is looked whether what was forwarded has not come back for long enough.
const BETWEEN_LOOKS: f64 = 1.0;

/// A message that was forwarded, and of which nothing has come back.
#[derive(Debug, Clone)]
struct Forwarded {
    id: String,
    key: Key,
    at: f64,
}

/// What is known in this run of messages that were forwarded.
#[derive(Debug, Default)]
pub(super) struct SimForwarding {
    sent: VecDeque<Forwarded>,
    look_at: Option<f64>,
}

impl SimForwarding {
    /// When it has something to do.
    pub(super) fn next_due(&self) -> Option<f64> {
        self.look_at
    }
}

impl Simulation {
    pub(super) fn is_elsewhere(&self, user: usize) -> bool {
        self.settings.is_elsewhere(user)
    }

    /// The account of a user gets devices, or loses them. That is not always noticed.
    pub(super) fn change_account(&mut self) -> Result<(), Killed> {
        let user = self.some_user();
        if self.is_elsewhere(user) || self.disabled_accounts.contains(&user) {
            return Ok(());
        }
        let has_devices = !self.chance.one_in(3);
        self.note(|| format!("the account of user {user} has devices: {has_devices}"));
        if has_devices {
            self.accounts.insert(user);
        } else {
            self.accounts.remove(&user);
        }
        if self.module.is_holding() || self.chance.one_in(4) { Ok(()) } else { self.look_at_account(user) }
    }

    fn look_at_account(&mut self, user: usize) -> Result<(), Killed> {
        let (name, has_devices) = (self.users[user].clone(), self.accounts.contains(&user));
        let is_new = has_devices && !self.truth.has_device(user);
        self.sessions.lose_sight_of(user);
        let is_first_device = self.fact(
            |driver| driver.set_account(&name, has_devices),
            |truth| truth.set_account(user, has_devices, true),
        )?;
        assert_eq!(is_first_device, is_new, "whether user {user} had no device");
        if is_first_device { self.meet(user) } else { Ok(()) }
    }

    /// The next of the accounts that have devices, at a start.
    pub(super) fn load_accounts(
        &mut self,
        mut users: VecDeque<usize>,
    ) -> Result<(Option<Loading>, f64), Killed> {
        let Some(user) = users.pop_front() else { return Ok((Some(Loading::OutboxNames), 0.001)) };
        let (name, has_devices) = (self.users[user].clone(), self.accounts.contains(&user));
        self.fact(
            |driver| driver.set_account(&name, has_devices),
            |truth| truth.set_account(user, has_devices, false),
        )?;
        if self.disabled_accounts.contains(&user) && self.truth.has_device(user) {
            self.set_suspended(user, true)?;
        }
        Ok((Some(Loading::Accounts(users)), 0.0005))
    }

    /// A push goes by a way.
    pub(super) fn hand_over(&mut self, way: Way, key: Key, push: &Publish) -> Result<(), Killed> {
        self.by_way += 1;
        self.assert_wanted(key, push);
        if self.chance.one_in(400) {
            return self.fail_to_send(push, key);
        }
        match way {
            Way::Account => self.hand_to_account(key, push),
            Way::Forward => self.forward(key, push),
        }
    }

    /// Panics where the user does not want to hear of that.
    fn assert_wanted(&self, key: Key, push: &Publish) {
        let Some(room) = self.module.driver.room_told(&push.id).map(|room| self.room_of(room)) else {
            return;
        };
        let of_room = &self.truth.rooms[room];
        let is_there = of_room.is_present(key.0);
        assert!(self.truth.is_told_of(key.0, room), "{key:?} does not want to hear of {room}: {push:?}");
        assert!(!is_there, "{key:?} is in {room}: {push:?}");
        let words = self.module.driver.words(&push.id);
        if let Some(nick) = words.and_then(|(sender, ..)| sender?.split_once('/').map(|(_, nick)| nick)) {
            assert!(!self.has_blocked(key.0, room, nick), "{key:?} has blocked {nick} in {room}: {push:?}");
        }
    }

    fn hand_to_account(&mut self, key: Key, push: &Publish) -> Result<(), Killed> {
        self.step()?;
        self.now += self.registrations.mood.seconds;
        let can_tell = !self.chance.one_in(self.registrations.mood.failing_reads);
        if !can_tell {
            let seconds = self.chance.between(0.0, 10.0);
            return self.fact(|driver| driver.put_off(&push.id, seconds), |truth| truth.land(key, false));
        }
        if !self.accounts.contains(&key.0) {
            let name = self.users[key.0].clone();
            self.note(|| format!("user {} has no devices any more", key.0));
            return self.fact(
                |driver| _ = driver.set_account(&name, false),
                |truth| truth.set_account(key.0, false, false),
            );
        }
        self.step()?;
        self.fact(|driver| driver.handed_over(&push.id), |truth| truth.land(key, true))
    }

    fn forward(&mut self, key: Key, push: &Publish) -> Result<(), Killed> {
        self.step()?;
        let forwarded = Forwarded { id: push.id.clone(), key, at: self.module.driver.now };
        self.module.forwarding.sent.push_back(forwarded);
        self.plan_look();
        let timeout = self.settings.options.reply_timeout;
        let address = &self.app_servers[key.1];
        let answers = address.answers_to_forwarded(&push.id, self.quirks, timeout, &mut self.chance);
        for (after, answer) in answers {
            if after <= 0.0 {
                self.arrive(&answer)?;
            } else {
                self.network.push((self.now + after, answer));
            }
        }
        Ok(())
    }

    fn plan_look(&mut self) {
        let forwarding = &mut self.module.forwarding;
        if forwarding.look_at.is_none() && !forwarding.sent.is_empty() {
            forwarding.look_at = Some(self.now + BETWEEN_LOOKS);
        }
    }

    /// Takes note of messages of which nothing has come back.
    pub(super) fn look_at_forwarded(&mut self) -> Result<(), Killed> {
        let options = &self.settings.options;
        let seconds = options.way_interval.min(options.reply_timeout / 2.0).max(BETWEEN_LOOKS);
        self.module.forwarding.look_at = None;
        for _ in 0..self.module.forwarding.sent.len() {
            let is_due = |it: &mut Forwarded| self.now - it.at >= seconds;
            let Some(mut forwarded) = self.module.forwarding.sent.pop_front_if(is_due) else { break };
            if self.app_servers[forwarded.key.1].is_connecting() {
                forwarded.at = self.now;
                self.module.forwarding.sent.push_back(forwarded);
            } else {
                self.take_for_arrived(&forwarded)?;
            }
        }
        self.plan_look();
        Ok(())
    }

    /// Before a stop: what was forwarded has arrived, but for what waits for a link.
    pub(super) fn finish_forwarding(&mut self) -> Result<(), Killed> {
        for forwarded in std::mem::take(&mut self.module.forwarding.sent) {
            if !self.app_servers[forwarded.key.1].is_connecting() {
                self.take_for_arrived(&forwarded)?;
            }
        }
        Ok(())
    }

    fn take_for_arrived(&mut self, Forwarded { id, key, .. }: &Forwarded) -> Result<(), Killed> {
        self.step()?;
        self.find_idle_forwards();
        self.module.driver.now = self.now;
        let flying = self.truth.flying(id);
        let before = self.module.driver.stats().in_flight;
        self.module.driver.handed_over(id);
        let is_done = self.module.driver.stats().in_flight < before;
        self.note(|| format!("{id} has arrived, for {flying:?}: {is_done}"));
        match flying {
            Some(key) => {
                let since = self.truth.devices[&key].flight.as_ref().map_or(0.0, |flight| flight.since);
                let is_late = since + self.settings.options.reply_timeout <= self.now;
                assert!(is_done || is_late, "{key:?} waits for {id}");
                self.truth.land(key, is_done);
            }
            None => assert!(!is_done, "nobody waits for {id}"),
        }
        if is_done {
            // That nothing has come back does not prove that the domain is there.
            let jid = self.app_servers[key.1].jid.clone();
            self.caps.ended(id);
            self.note_taken(&jid);
        }
        self.after_fact()
    }

    /// Some of what the last run has left is taken up, or all: those are found whom messages are forwarded to. Returns those who are
    /// not, where nobody has to be.
    pub(super) fn find_forwards(&mut self, is_all: bool) -> Vec<Key> {
        let mut not_found = Vec::new();
        for user in (0..self.users.len()).filter(|user| self.settings.is_elsewhere(*user)) {
            let key = self.truth.way_key(user, Way::Forward);
            if self.truth.has_device(user) || !self.truth.graves.contains_key(&key) {
                continue;
            }
            let is_found = self.module.driver.is_registered(&self.users[user]);
            if is_found || is_all {
                self.truth.find_forward(user);
            }
            if is_all && !is_found {
                not_found.push(key);
            }
        }
        not_found
    }

    /// Those have no device any more who have asked for nothing, and have nothing unread. Panics where somebody has none who should
    /// have one, or the other way round.
    pub(super) fn find_idle_forwards(&mut self) {
        if !self.settings.has_forwards || !self.truth.is_filled {
            return;
        }
        for user in (0..self.users.len()).filter(|user| self.settings.is_elsewhere(*user)) {
            let is_known = self.module.driver.is_registered(&self.users[user]);
            let is_registered = self.truth.has_device(user);
            if is_registered && !is_known {
                assert!(self.truth.is_idle_forward(user), "user {user} is to be forwarded messages");
                self.truth.remove_device(self.truth.way_key(user, Way::Forward));
            }
            // That a room is gone comes to its members bit by bit.
            let is_left = is_known && !is_registered && !self.truth.is_bit_by_bit;
            assert!(!is_left, "user {user} has nothing to do with this service any more");
        }
    }
}
