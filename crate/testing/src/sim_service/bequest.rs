//! What is written before a record in which something takes the place of something else.

use muc_cloud_notify_core::Registration;

use super::devices::TruthDevice;
use super::outbox_store::OutboxRecord;
use super::promises::InRoom;
use super::reach::tells_of;
use super::simulation::{Killed, Simulation};
use super::truth::{Key, Truth, TruthRoom};

impl Simulation {
    /// A record of a user is about to be stored. Returns whether anything was before that.
    pub(super) fn bequeath(
        &mut self,
        user: usize,
        registrations: &[Registration],
        added: Option<&str>,
    ) -> Result<bool, Killed> {
        self.truth.forget_bequests(user);
        if !self.truth.is_filled || !self.settings.options.journal {
            return Ok(false);
        }
        self.step()?;
        self.module.driver.now = self.now;
        let name = self.users[user].clone();
        let Some(part) = self.module.driver.bequest(&name, registrations, added) else { return Ok(false) };
        let heir = match added {
            Some(push_identifier) => self.key_of(&name, push_identifier),
            None => {
                self.truth.next_way(user).map(|way| self.truth.way_key(user, way)).expect("a way takes over")
            }
        };
        assert!(part.devices.iter().all(|state| self.key_of_state(state) == heir), "{heir:?} has all of it");
        self.note(|| format!("bequest to {heir:?}: {:?}", part.devices));
        self.truth.begin_bequest(heir);
        let name = self.next_name();
        let record = OutboxRecord::Batch(part, self.unix_time());
        let is_stored = self.write_outbox(&name, Some(record))?;
        if is_stored {
            self.module.journal.count();
            self.truth.bequest_stored(heir);
        }
        Ok(is_stored)
    }

    /// The engine knows of the record.
    pub(super) fn end_bequest(
        &mut self,
        user: usize,
        added: Option<&str>,
        is_bequeathed: bool,
    ) -> Result<(), Killed> {
        if !is_bequeathed {
            return Ok(());
        }
        let name = self.users[user].clone();
        self.fact(|driver| driver.bequest_stored(&name, added), |_| ())
    }
}

impl Truth {
    /// What was written for a record that is not is about nobody: it need not be there any more when something takes the place of something
    /// else.
    pub(super) fn forget_bequests(&mut self, user: usize) {
        let graves = self.graves.range_mut((user, 0, 0)..(user + 1, 0, 0)).map(|(_, device)| device);
        for device in graves.filter(|device| device.is_bequeathed) {
            device.is_bequeathed = false;
            device.parts().for_each(InRoom::lose);
        }
    }

    /// What a user has is about to be written under the name of what will have it.
    fn begin_bequest(&mut self, heir: Key) {
        let from = self.bequeather(heir);
        self.heir(heir).begin_bequest(&from);
    }

    /// It is in the store.
    fn bequest_stored(&mut self, heir: Key) {
        let mut from = self.bequeather(heir);
        if let Some(way) = self.way(heir) {
            let untold = |room: &TruthRoom| room.is_known && !tells_of(way, room.choices[heir.0]);
            let rooms = from.rooms.iter_mut().zip(&self.rooms);
            rooms.filter(|(_, room)| untold(room)).for_each(|(in_room, _)| in_room.read(true));
        }
        self.heir(heir).bequest_stored(&from);
    }

    /// What takes over is not there so far.
    fn heir(&mut self, heir: Key) -> &mut TruthDevice {
        let rooms = self.rooms.len();
        self.graves.entry(heir).or_insert_with(|| TruthDevice::new(rooms))
    }

    fn bequeather(&self, heir: Key) -> TruthDevice {
        let first = self.order.get(&heir.0).and_then(|order| order.first()).copied();
        let way = self.way_of(heir.0).map(|way| self.way_key(heir.0, way));
        let from = first.or(way).and_then(|from| self.devices.get(&from)).cloned();
        from.unwrap_or_else(|| panic!("somebody has what {heir:?} is to have"))
    }
}
