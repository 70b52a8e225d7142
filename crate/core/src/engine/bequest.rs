//! What is written before something takes the place of something else: a registered device that of a way, or the other way round.
//!
//! Who is registered is in a store of its own, which says so at once; the journal says with its next batch, or with some of these, what is
//! unread for whom. A kill in between would leave it unread for nobody. So what will take the place has it in the journal first: until
//! it is there, nobody asks for what is written in its name.

use crate::ids::{DeviceId, UserId};
use crate::journal::NameHash;
use crate::registration::Registration;
use crate::time::Instant;
use crate::way::Way;

use super::Engine;
use super::snapshot::{Snapshot, UnreadEntry};

/// What is about to have what another one had.
struct Heir<'a> {
    from: DeviceId,
    push_identifier: &'a str,
    way: Option<Way>,
}

/// What is in the journal before the record of a user is stored.
impl Engine {
    /// What has to be in the journal, after all that is there, before it is stored that a user has registered this and nothing else. `added`
    /// is the push identifier of what they have just asked for. What the last run has left is taken up by now. `None`: nothing takes the
    /// place of anything else, or there is no journal.
    ///
    /// Should the record not be stored after all, a batch says that nothing of this is so.
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
        let mut part = Snapshot::of_device(from, self.snapshot_sources(), now);
        for state in &mut part.devices {
            state.begin_as(heir.push_identifier, heir.way.is_none());
            state.unread.retain(|unread| self.may_tell_of(&unread.room, id, heir.way));
        }
        let name = self.name_of(user, heir.push_identifier);
        part.unread = vec![UnreadEntry::devices_gone(&[name])];
        self.devices.journal_mut().note_device_gone(name);
        Some(part)
    }

    /// That is in the journal, and so is the record in its store, of which the engine knows.
    pub fn bequest_stored(&mut self, user: &str, added: Option<&str>) {
        let way = self.registrations.id(user).and_then(|id| self.registrations.user(id)?.way());
        if let Some(push_identifier) = added.or(way.map(Way::push_identifier)) {
            let name = self.name_of(user, push_identifier);
            self.devices.journal_mut().forget_device_gone(&name);
        }
    }

    /// Who takes what a user has, if somebody does.
    fn heir_of<'a>(&self, id: UserId, is_none_left: bool, added: Option<&'a str>) -> Option<Heir<'a>> {
        let user = self.registrations.user(id)?;
        let &from = user.devices().first()?;
        match (user.way(), added) {
            (Some(_), Some(push_identifier)) => Some(Heir { from, push_identifier, way: None }),
            (None, _) if is_none_left => {
                let way = user.possible_way()?;
                Some(Heir { from, push_identifier: way.push_identifier(), way: Some(way) })
            }
            _ => None,
        }
    }

    fn may_tell_of(&self, room: &str, user: UserId, way: Option<Way>) -> bool {
        let room = self.rooms.id(room);
        way.is_none_or(|way| room.is_none_or(|room| !self.is_unwanted(room, user, way)))
    }

    fn name_of(&self, user: &str, push_identifier: &str) -> NameHash {
        self.devices.journal().key().hash(user, [push_identifier])
    }
}
