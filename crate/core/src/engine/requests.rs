//! Requests, and what is registered for whom.

use minidom::Element;

use crate::change::Change;
use crate::error::RequestError;
use crate::event::{Disabled, Event, Reason};
use crate::ids::DeviceId;
use crate::registration::{Record, Registration};
use crate::request::EnableFacts;
use crate::time::UnixTime;

use super::Engine;
use super::registrations::Removed;

/// Requests, and what is registered for whom.
impl Engine {
    /// What an IQ with `<enable/>` makes of the record of the user who sends it (XEP-0357, section 5).
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with.
    pub fn prepare_enable(
        &self,
        facts: &EnableFacts<'_>,
        iq: &Element,
        record: Record,
        now: UnixTime,
    ) -> Result<Change, RequestError> {
        let before = record.registrations.len();
        let change = Change::enable(iq, facts, &self.host, record, now, &self.options)?;
        if change.record.registrations.len() > before {
            self.registrations.admit(facts, before > 0, &self.options)?;
        }
        Ok(change)
    }

    /// What an IQ with `<disable/>` makes of a user's record (XEP-0357, section 6). `app_server`: its `jid` attribute as the
    /// server has prepared it; `None` where that is no JID.
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with. That nothing was registered is none.
    pub fn prepare_disable(
        &self,
        iq: &Element,
        app_server: Option<&str>,
        record: Record,
    ) -> Result<Change, RequestError> {
        Change::disable(iq, app_server, record)
    }

    /// A user's record is in the store: from now on it counts. `renewed` is the push identifier of a registration that the
    /// user has just asked for. Returns whether the user had no device before, and so is in the index of no room.
    pub fn set_registrations(
        &mut self,
        user: &str,
        registrations: Vec<Registration>,
        renewed: Option<&str>,
    ) -> bool {
        if let Some(user) = self.registrations.id(user) {
            self.catch_up(user);
        }
        let registered = self.registrations.set(&mut self.devices, user, registrations, renewed);
        self.events.extend(registered.changed.into_iter().map(Event::AddresseeChanged));
        if let Some(device) = registered.added {
            self.note_begun(device);
        }
        registered.heirs.into_iter().for_each(|device| self.begin_way(device));
        if let Some(user) = self.registrations.id(user) {
            self.note_registered(user);
        }
        registered.is_first_device
    }

    /// Something is stored of a user, but it cannot be read so far. Until [`Engine::set_registrations`] says what it is, the user
    /// counts as one with a device: nothing is pushed to it, but what counts meanwhile, and what the last run has left, is handed
    /// to the devices that they turn out to have. Returns whether the user had no device before, and so is in the index of no room.
    pub fn await_registrations(&mut self, user: &str) -> bool {
        let is_new = self.registrations.stand_in(&mut self.devices, user);
        if let Some(user) = self.registrations.id(user) {
            self.note_registered(user);
        }
        is_new
    }

    /// A user with a device is no stranger: they have an account on this server, or are a member of a room.
    pub fn establish(&mut self, user: &str) {
        if let Some(id) = self.registrations.id(user) {
            self.registrations.establish(id);
        }
    }

    /// The account of a user with a device is disabled, or enabled again. Until then nothing is pushed to their devices, but
    /// everything counts, and is kept.
    pub fn set_suspended(&mut self, user: &str, is_suspended: bool) {
        self.registrations.set_suspended(&mut self.devices, user, is_suspended);
    }

    pub(super) fn disable(&mut self, device: DeviceId, reason: Reason) {
        // A way is no registration, and ends with what it stands for.
        if self.devices.get(device).is_some_and(|device| device.registration().way().is_some()) {
            return;
        }
        let removed = self.registrations.remove_device(&mut self.devices, device);
        let Some(Removed { user, registration, heir }) = removed else { return };
        heir.into_iter().for_each(|heir| self.begin_way(heir));
        let push_identifier = registration.push_identifier().into();
        let app_server = registration.app_server;
        self.events.push_back(Event::DeviceDisabled(Disabled { user, push_identifier, app_server, reason }));
    }

    /// Whether a user has a device.
    pub fn is_registered(&self, user: &str) -> bool {
        self.registrations.id(user).is_some()
    }

    /// The bare JID of a device's owner, and its registration.
    pub fn addressee(&self, device: DeviceId) -> Option<(&str, &Registration)> {
        let device = self.devices.get(device)?;
        Some((self.registrations.user(device.owner())?.jid(), device.registration()))
    }
}
