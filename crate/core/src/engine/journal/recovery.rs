//! How what the last run has left is taken up: the devices that it names have to be found, of which it has hashes.

use std::collections::HashMap;

use crate::device::Device;
use crate::ids::{DeviceId, UserId};
use crate::journal::{Key, NameHash, UserHash};
use crate::slots::Walk;
use crate::time::Instant;
use crate::way::Way;

use crate::engine::Engine;
use crate::engine::snapshot::{AccountsState, Gathered, Snapshot, SnapshotPlan, Targets};

/// How many users are looked at in one call.
const LOOKED_AT: usize = 5000;

/// All users by their names. Their devices are few, and looked through.
#[derive(Debug)]
pub(in crate::engine) struct Index {
    key: Key,
    /// Those that have yet to be looked at.
    left: Walk,
    found: HashMap<UserHash, UserId>,
}

impl Index {
    /// What the names are hashed under.
    pub(in crate::engine) fn key(&self) -> Key {
        self.key
    }

    /// The user of this name.
    pub(in crate::engine) fn find(&self, name: UserHash) -> Option<UserId> {
        self.found.get(&name).copied()
    }
}

/// What is needed at the begin and at the end of a run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Recovery {
    index: Option<Index>,
    /// What was said of those who have something in the place of their devices.
    gathered: Gathered,
    /// Whether what the last run has left is taken up: from then on, who is not known is not registered.
    is_over: bool,
    /// Users of whom nothing seemed to be left when a room was said to be gone, though what comes next may tell of them; and whether that
    /// is being said.
    unasked: Vec<UserId>,
    has_room_gone: bool,
    /// What is still to be written before a stop, of what is not about devices.
    rest: Option<SnapshotPlan>,
}

impl Recovery {
    /// What the last run has left is taken up. Returns those of whom nothing may be left.
    fn end(&mut self) -> Vec<UserId> {
        (self.index, self.is_over) = (None, true);
        self.gathered = Gathered::default();
        std::mem::take(&mut self.unasked)
    }

    pub(super) fn take_rest(&mut self) -> Option<SnapshotPlan> {
        self.rest.take()
    }

    pub(super) fn set_rest(&mut self, rest: SnapshotPlan) {
        self.rest = Some(rest);
    }
}

/// What the last run has left.
impl Engine {
    /// Makes ready to take up parts of a snapshot that have this key: see [`Snapshot::key`]. Returns whether that is done; otherwise
    /// it is to be called again.
    pub fn prepare_restore(&mut self, key: &str) -> bool {
        let Ok(key) = key.parse::<Key>() else { return true };
        let mut index = match self.recovery.index.take() {
            Some(index) if index.key == key => index,
            _ => {
                let (left, users) = (self.registrations.slots().walk(), self.registrations.all());
                Index { key, found: HashMap::with_capacity(users), left }
            }
        };
        let some = self.registrations.slots().step(&mut index.left, LOOKED_AT);
        index.found.extend(some.map(|(id, user)| (key.hash_user(user.jid()), id)));
        let is_done = index.left.is_over();
        self.recovery.index = Some(index);
        self.devices.journal_mut().set_key(key);
        is_done
    }

    /// Takes up what a part of a snapshot holds of the devices that are still registered. Where it has a key, it stands in the
    /// place of what earlier parts have said; otherwise, what was unread adds to what has come in since. What waits in a room is
    /// not told before that was read: see [`Engine::awaited_rooms`]. Returns how many entries were passed over, as they make no
    /// sense.
    pub fn restore(&mut self, part: &Snapshot, now: Instant) -> usize {
        if let Some(key) = &part.key {
            while !self.prepare_restore(key) {}
        }
        self.recovery.has_room_gone = true;
        part.gone_rooms().for_each(|room| self.drop_room(room));
        self.recovery.has_room_gone = false;
        let awaited =
            part.accounts.iter().filter(|accounts| self.presumed_accounts.expects_any(&accounts.host));
        let users: Vec<String> = awaited.flat_map(AccountsState::users).collect();
        users.iter().for_each(|user| self.presume_account(user));
        for state in &part.devices {
            match state.way() {
                Some(Way::Forward) => self.presume_forwarding(&state.user),
                Some(Way::Account) => self.presume_account(&state.user),
                None => {}
            }
        }
        let Engine { registrations, rooms, awaited_rooms, devices, digests, options, recovery, .. } = self;
        let Recovery { index, gathered, .. } = recovery;
        let index = index.as_ref();
        let mut targets =
            Targets { registrations, rooms, awaited_rooms, devices, digests, options, index, gathered };
        part.restore(&mut targets, now)
    }

    /// What the last run has left is taken up.
    pub(in crate::engine) fn end_recovery(&mut self) {
        self.recovery.end().into_iter().for_each(|user| self.end_unasked(user));
    }

    /// A user to whom messages are forwarded may have asked for it nowhere any more. Where it is the last run that says so, what it says
    /// next may be about them.
    pub(in crate::engine) fn end_unasked(&mut self, user: UserId) {
        if self.recovery.has_room_gone {
            self.recovery.unasked.push(user);
        } else {
            self.registrations.end_unasked(&mut self.devices, user);
        }
    }

    /// A device is registered that was not. The store may still speak of an earlier one of its name, which was removed while it
    /// could not be written down: nothing of that is about this one.
    pub(in crate::engine) fn note_begun(&mut self, device: DeviceId) {
        let device = self.devices.get(device).filter(|_| self.recovery.is_over);
        let name = device.and_then(|device| self.name_under(self.devices.journal().key(), device));
        if let Some(name) = name {
            self.devices.journal_mut().note_device_gone(name);
        }
    }

    /// Something is known of a user of whom nothing was, while what the last run has left is taken up.
    pub(in crate::engine) fn note_registered(&mut self, id: UserId) {
        let Some(user) = self.registrations.user(id) else { return };
        if let Some(index) = &mut self.recovery.index {
            index.found.insert(index.key.hash_user(user.jid()), id);
        }
    }

    /// What a device is called in the journal.
    pub(super) fn name_under(&self, key: Key, device: &Device) -> Option<NameHash> {
        let user = self.registrations.user(device.owner())?;
        Some(key.hash(user.jid(), device.registration().push_identifier_pieces()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_server::AppServer;
    use crate::engine::snapshot::UnreadEntry;
    use crate::options::Options;
    use crate::random::Random;
    use crate::registration::Registration;
    use crate::time::UnixTime;

    const USER: &str = "juliet@capulet.example";

    struct NotRandom;

    impl Random for NotRandom {
        fn secret(&mut self) -> [u8; 16] {
            [7; 16]
        }

        fn fraction(&mut self) -> f64 {
            0.5
        }
    }

    /// Two push identifiers of a user that have the same hash.
    fn alike(key: Key) -> [String; 2] {
        let mut known = HashMap::new();
        for number in 0..1_000_000 {
            let push_identifier = format!("push.example<{number}");
            let hash = key.hash(USER, [&*push_identifier]);
            if let Some(other) = known.insert(hash, push_identifier.clone()) {
                return [other, push_identifier];
            }
        }
        panic!("some are alike")
    }

    #[test]
    fn of_two_devices_with_the_same_hash_neither_is_forgotten() {
        let key = Key::new(NotRandom.secret());
        let push_identifiers = alike(key);
        let mut engine = Engine::new("conference.example", Options::default(), NotRandom);
        let registrations = push_identifiers.iter().map(|push_identifier| {
            let node = push_identifier.strip_prefix("push.example<").map(Into::into);
            let app_server = AppServer::prepared("push.example");
            Registration::stored(push_identifier, app_server, node, None, UnixTime::from_seconds(0.0))
        });
        engine.set_registrations(USER, registrations.collect(), None);
        let mut devices = String::new();
        key.hash(USER, [&*push_identifiers[0]]).append_to(&mut devices);
        let room = "orchard@conference.example".to_owned();
        let entry = UnreadEntry { room, count: 3, devices, ..UnreadEntry::default() };
        let part = Snapshot { unread: vec![entry], key: Some(key.to_string()), ..Snapshot::default() };
        assert_eq!(engine.restore(&part, Instant::from_seconds(1.0)), 0);
        let devices = engine.devices.slots().step(&mut engine.devices.slots().walk(), 10);
        let devices = devices.map(|(_, device)| device);
        let counts = devices.map(|device| device.unread().counts().map(|(_, count)| count).sum());
        assert_eq!(counts.collect::<Vec<u32>>(), [3, 3]);
    }
}
