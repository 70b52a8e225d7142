//! What is written before something takes the place of something else: a registered device that of a way, or the other way round.
//!
//! Who is registered is in a store of its own, which says so at once; the journal says with its next batch, or with some of these, what is
//! unread for whom. A kill in between would leave it unread for nobody. So what will take the place is given it in the store first: as long
//! as it has not, nobody asks for what it has there.

use crate::ids::{DeviceId, UserId};
use crate::registration::Registration;
use crate::time::Instant;
use crate::way::Way;

use super::Engine;
use super::snapshot::{Snapshot, UnreadEntry};

/// What is about to have what another one had.
struct Heir<'a> {
    from: DeviceId,
    push_identifier: &'a str,
    is_way: bool,
}

/// What is in the store before the record of a user.
impl Engine {
    /// What is unread for a user, as it has to be in the store, after all that is there of the outbox, before it is stored that they have
    /// registered this and nothing else; then [`Engine::bequest_stored`] has to be called once [`Engine::set_registrations`] was. `added`
    /// is the push identifier of what they have just asked for. What the last run has left is taken up by now. `None`: nothing takes the
    /// place of anything else, nothing is unread, or there is no journal.
    pub fn bequest(
        &mut self,
        user: &str,
        registrations: &[Registration],
        added: Option<&str>,
        now: Instant,
    ) -> Option<Snapshot> {
        let id = self.registrations.id(user).filter(|_| self.devices.journal().is_on())?;
        let heir = self.heir_of(id, registrations.is_empty(), added)?;
        self.end_recovery();
        self.catch_up(id);
        let from = self.devices.get(heir.from).filter(|device| !device.registration().is_stand_in())?;
        let mut part = Snapshot::of_device(from, self.snapshot_sources(), now)?;
        let state = part.devices.first_mut()?;
        state.begin_as(heir.push_identifier, !heir.is_way);
        let key = self.devices.journal().key();
        part.unread = vec![UnreadEntry::devices_gone(&[key.hash(user, [heir.push_identifier])])];
        Some(part)
    }

    /// What is unread for a user is in the store under the names of what they have now: so it need not be said that what the store had under
    /// these is gone.
    pub fn bequest_stored(&mut self, user: &str) {
        let Some(id) = self.registrations.id(user) else { return };
        let key = self.devices.journal().key();
        for device in self.registrations.devices_of(id) {
            let name = self.devices.get(device).and_then(|device| self.name_under(key, device));
            name.iter().for_each(|name| self.devices.journal_mut().forget_device_gone(name));
        }
    }

    /// Who takes what a user has, if somebody does.
    fn heir_of<'a>(&self, id: UserId, is_none_left: bool, added: Option<&'a str>) -> Option<Heir<'a>> {
        let user = self.registrations.user(id)?;
        let &from = user.devices().first()?;
        let way = |way: Way| Heir { from, push_identifier: way.push_identifier(), is_way: true };
        match (user.way(), added) {
            (Some(_), Some(push_identifier)) => Some(Heir { from, push_identifier, is_way: false }),
            // It has been so since the engine has given up what was registered.
            (Some(taken), None) if is_none_left && self.devices.journal().is_anything_unstored() => {
                Some(way(taken))
            }
            (None, _) if is_none_left => user.possible_way().map(way),
            _ => None,
        }
    }
}
