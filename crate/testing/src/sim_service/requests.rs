//! What clients ask for: the store first, the engine second.

use muc_cloud_notify_core::{Change, EnableFacts, Record, UnixTime};

use super::simulation::{Killed, Simulation};
use super::truth::{Affiliation, Key};
use crate::stanza::{enable_iq, iq};

/// Nodes of each user at each app server.
const NODES: usize = 2;

impl Simulation {
    /// The devices of a record.
    fn keys_of(&self, user: usize, record: &Record) -> Vec<Key> {
        let keys = record.registrations.iter().map(|it| it.push_identifier().into_owned());
        keys.map(|push_identifier| self.key_of(&self.users[user], &push_identifier)).collect()
    }

    /// Reads a user's record, which takes its time.
    pub(super) fn read_record(&mut self, user: usize) -> Result<Result<Record, ()>, Killed> {
        self.step()?;
        self.now += self.registrations.mood.seconds;
        let found = self.registrations.get(&self.users[user], &mut self.chance);
        Ok(found.map(Option::unwrap_or_default))
    }

    /// Writes it. Returns whether that is done.
    pub(super) fn write_record(&mut self, user: usize, record: Record) -> Result<bool, Killed> {
        self.step()?;
        self.now += self.registrations.mood.seconds;
        let name = self.users[user].clone();
        let record = (!record.is_empty()).then_some(record);
        if let Err(Killed) = self.step() {
            self.registrations.tear(&name, record, false, &mut self.chance);
            return Err(Killed);
        }
        let is_stored = self.registrations.set(&name, record, false, &mut self.chance);
        if !is_stored {
            self.truth.forget_bequests(user);
        }
        Ok(is_stored)
    }

    /// A user registers a device.
    pub(super) fn enable(&mut self) -> Result<(), Killed> {
        let user = self.some_user();
        if self.disabled_accounts.contains(&user) || self.is_elsewhere(user) && self.module.is_holding() {
            // Whose account is disabled, cannot ask. And of rooms that are not read it is not known who has asked there.
            return Ok(());
        }
        let (app_server, node) = (self.chance.below(self.settings.app_servers), self.chance.below(NODES));
        let jid = self.app_servers[app_server].jid.clone();
        let request = enable_iq(&jid, &node.to_string());
        let Ok(record) = self.read_record(user)? else { return Ok(()) };
        let name = self.users[user].clone();
        let facts = EnableFacts { user: &name, app_server: Some(&jid), is_local: false, is_member: true };
        let now = UnixTime::from_seconds(self.wall_clock + self.now);
        let Ok(change) = self.module.driver.prepare_enable_at(now, &facts, &request, record) else {
            return Ok(());
        };
        self.note(|| format!("user {user} enables {:?}", change.added));
        self.commit(user, change)
    }

    /// A user takes back what they have registered, one device or all of an app server.
    pub(super) fn disable(&mut self) -> Result<(), Killed> {
        let user = self.some_user();
        if self.disabled_accounts.contains(&user) || self.is_elsewhere(user) && self.module.is_holding() {
            // Whose account is disabled, cannot ask. And of rooms that are not read it is not known who has asked there.
            return Ok(());
        }
        let (app_server, node) = (self.chance.below(self.settings.app_servers), self.chance.below(NODES));
        let node = if self.chance.one_in(2) { format!("node='{node}'") } else { String::new() };
        let jid = &self.app_servers[app_server].jid;
        let request = iq(&format!("<disable xmlns='urn:xmpp:push:0' jid='{jid}' {node}/>"));
        let Ok(record) = self.read_record(user)? else { return Ok(()) };
        let Ok(change) = self.module.driver.prepare_disable(&request, record) else { return Ok(()) };
        self.note(|| format!("user {user} disables {} devices", change.removed));
        self.commit(user, change)
    }

    fn commit(&mut self, user: usize, change: Change) -> Result<(), Killed> {
        let added = change.added.as_deref();
        let is_bequeathed = self.bequeath(user, &change.record.registrations, added)?;
        if !self.write_record(user, change.record.clone())? {
            return Ok(());
        }
        let is_first_device = self.tell_registrations(user, &change.record, added)?;
        self.end_bequest(user, added, is_bequeathed)?;
        if is_first_device { self.meet(user) } else { Ok(()) }
    }

    /// A user's record is in the store: it counts.
    pub(super) fn tell_registrations(
        &mut self,
        user: usize,
        record: &Record,
        added: Option<&str>,
    ) -> Result<bool, Killed> {
        let (name, keys) = (self.users[user].clone(), self.keys_of(user, record));
        let registrations = record.registrations.clone();
        self.sessions.lose_sight_of(user);
        let renewed = added.map(|push_identifier| self.key_of(&name, push_identifier));
        self.fact(
            |driver| driver.set_registrations(&name, registrations, added),
            |truth| {
                truth.set_devices(user, &keys, added.is_some());
                renewed.iter().for_each(|key| _ = truth.aged.remove(key));
            },
        )
    }

    /// A user has a first device: what they have blocked is told, and the rooms where they are a member hear of it.
    pub(super) fn meet(&mut self, user: usize) -> Result<(), Killed> {
        self.tell_blocked(user)?;
        for room in 0..self.rooms.len() {
            if self.truth.rooms[room].affiliations[user] != Affiliation::None {
                if self.is_elsewhere(user) {
                    self.is_read(room)?;
                }
                self.tell_membership(room, user)?;
                self.look_for(room, user)?;
            }
        }
        Ok(())
    }

    /// The engine has disabled a device: it is taken out of the store, if that can be done.
    pub(super) fn remove_stored(&mut self, key: Key, push_identifier: &str) -> Result<(), Killed> {
        let Ok(mut record) = self.read_record(key.0)? else { return Ok(()) };
        if record.remove_identified(push_identifier) {
            self.write_record(key.0, record)?;
        }
        Ok(())
    }

    /// The account of a user is disabled, or enabled again.
    pub(super) fn suspend(&mut self) -> Result<(), Killed> {
        let (user, is_suspended) = (self.some_user(), self.chance.one_in(2));
        if self.is_elsewhere(user) { Ok(()) } else { self.set_suspended(user, is_suspended) }
    }

    pub(super) fn set_suspended(&mut self, user: usize, is_suspended: bool) -> Result<(), Killed> {
        self.note(|| format!("user {user} is suspended: {is_suspended}"));
        if is_suspended {
            self.disabled_accounts.insert(user);
        } else {
            self.disabled_accounts.remove(&user);
        }
        let name = self.users[user].clone();
        self.fact(
            |driver| driver.set_suspended(&name, is_suspended),
            |truth| {
                if is_suspended && truth.has_device(user) {
                    truth.suspended.insert(user);
                } else {
                    truth.suspended.remove(&user);
                }
            },
        )
    }

    /// Another module wants a push to a user.
    pub(super) fn ping(&mut self) -> Result<(), Killed> {
        let user = self.some_user();
        if !self.truth.is_filled {
            // Whether the last run has left one for them, is not known: of two, one is enough.
            return Ok(());
        }
        let name = self.users[user].clone();
        self.fact(
            |driver| {
                driver.handle_ping(&name);
            },
            |truth| truth.ping(user),
        )
    }
}
