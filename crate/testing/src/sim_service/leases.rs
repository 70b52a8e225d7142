//! Leases of devices: which have aged, and what becomes of those.

use std::collections::BTreeMap;

use muc_cloud_notify_core::UnixTime;

use super::simulation::{Killed, Simulation};
use super::truth::{Affiliation, Key};

/// A lease is as good as new until this part of it is over.
const NEW_PART: f64 = 0.1;

impl Simulation {
    /// All leases are looked at. Panics where one is taken to have aged that has not, or the other way round.
    pub(super) fn look_at_leases(&mut self) -> Result<(), Killed> {
        if self.module.loading.is_some() {
            return Ok(());
        }
        let now = self.wall_clock + self.now;
        if self.chance.one_in(8) {
            // Nobody has looked for too long.
            self.leases_since = now;
        }
        self.step()?;
        let (at, since) = (UnixTime::from_seconds(now), UnixTime::from_seconds(self.leases_since));
        let aged = self.module.driver.aged_devices_at(at, since);
        let aged: BTreeMap<Key, bool> =
            aged.iter().map(|it| (self.key_of(&it.user, &it.push_identifier), it.is_over)).collect();
        self.note(|| format!("leases that have aged: {aged:?}"));
        assert_eq!(aged, self.expected_aged(now), "which leases have aged at {now}");
        self.truth.aged = aged.keys().copied().collect();
        for (key, is_over) in aged {
            let rooms = self.truth.rooms.iter();
            let is_member = rooms.into_iter().any(|room| room.affiliations[key.0] != Affiliation::None);
            if is_member {
                self.refresh(key)?;
            } else if is_over {
                self.expire(key)?;
            }
        }
        self.after_fact()
    }

    fn expected_aged(&self, now: f64) -> BTreeMap<Key, bool> {
        let mut expected = BTreeMap::new();
        let lease = self.settings.options.lease;
        for (number, user) in self.users.iter().enumerate() {
            let record = self.registrations.peek(user);
            for registration in record.iter().flat_map(|record| &record.registrations) {
                let key = self.key_of(user, &registration.push_identifier());
                assert_eq!(key.0, number);
                let begin = registration.timestamp.as_seconds();
                let begin = registration.last_sign.map_or(begin, |sign| begin.max(sign.as_seconds()));
                let age = now - begin.max(self.leases_since);
                if age >= lease * NEW_PART && self.truth.devices.contains_key(&key) {
                    expected.insert(key, age >= lease);
                }
            }
        }
        expected
    }

    /// There was a sign of life of a device: that is stored, if it can be.
    pub(super) fn refresh(&mut self, key: Key) -> Result<(), Killed> {
        let Ok(mut record) = self.read_record(key.0)? else { return Ok(()) };
        let now = UnixTime::from_seconds(self.wall_clock + self.now);
        let name = self.users[key.0].clone();
        let registrations = record.registrations.iter_mut();
        for registration in registrations.filter(|it| self.key_of(&name, &it.push_identifier()) == key) {
            registration.last_sign = Some(now);
        }
        if self.write_record(key.0, record.clone())? {
            self.tell_registrations(key.0, &record, None)?;
        }
        Ok(())
    }

    /// A lease is over: the device is registered no more, if that can be stored.
    fn expire(&mut self, key: Key) -> Result<(), Killed> {
        let Ok(mut record) = self.read_record(key.0)? else { return Ok(()) };
        let name = self.users[key.0].clone();
        record.registrations.retain(|it| self.key_of(&name, &it.push_identifier()) != key);
        let is_bequeathed = self.bequeath(key.0, &record.registrations, None)?;
        if self.write_record(key.0, record.clone())? {
            self.tell_registrations(key.0, &record, None)?;
            self.end_bequest(key.0, None, is_bequeathed)?;
        }
        Ok(())
    }

    /// An app server has taken a push of a device. Panics where that is noted and need not be, or is not and has to be.
    pub(super) fn note_sign_of_life(&mut self, key: Option<Key>) -> Result<(), Killed> {
        let noted = self.module.driver.take_answered();
        let noted: Vec<Key> =
            noted.iter().map(|(user, push_identifier)| self.key_of(user, push_identifier)).collect();
        let expected: Vec<Key> = key.into_iter().filter(|key| self.truth.aged.remove(key)).collect();
        assert_eq!(noted, expected, "signs of life that are to be stored");
        for key in noted {
            self.refresh(key)?;
        }
        Ok(())
    }
}
