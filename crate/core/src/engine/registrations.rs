//! Users and their devices.

mod by_jid;
mod shares;

use std::collections::HashMap;
use std::sync::Arc;

use minidom::Element;
use slotmap::SlotMap;
use smallvec::SmallVec;

use crate::app_server::AppServers;
use crate::change::Change;
use crate::device::Device;
use crate::devices::Devices;
use crate::error::RequestError;
use crate::event::{Disabled, Event, Reason};
use crate::ids::{DeviceId, UserId};
use crate::options::Options;
use crate::registration::{Record, Registration, STAND_IN};
use crate::request::EnableFacts;
use crate::time::UnixTime;
use by_jid::ByJid;
use shares::{Newcomer, Share, Shares};

use super::Engine;
use super::blocking::Blocked;

/// A user who has registered at least one device.
#[derive(Debug)]
pub(super) struct User {
    jid: Arc<str>,
    devices: SmallVec<[DeviceId; 2]>,
    /// Not a stranger: was registered before the start, has an account on this server, or was seen as a member of a room.
    is_established: bool,
    /// What they have blocked of this service. Most have nothing.
    blocked: Option<Box<Blocked>>,
}

impl User {
    /// The bare JID, as the server has prepared it.
    pub(super) fn jid(&self) -> &Arc<str> {
        &self.jid
    }

    /// The user's devices.
    pub(super) fn devices(&self) -> &[DeviceId] {
        &self.devices
    }

    /// What they have blocked of this service, if anything.
    pub(super) fn blocked(&self) -> Option<&Blocked> {
        self.blocked.as_deref()
    }

    fn share(&self) -> Share {
        Share { users: 1, strangers_devices: if self.is_established { 0 } else { self.devices.len() } }
    }
}

/// What a user's record has become.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// The user had no device before.
    pub(super) is_first_device: bool,
    /// The devices that were there, and whose pushes now go elsewhere, or with another form.
    pub(super) changed: SmallVec<[DeviceId; 2]>,
    /// The device that they have asked for, where it was not there.
    pub(super) added: Option<DeviceId>,
    /// The devices that something has stood for until now.
    pub(super) heirs: SmallVec<[DeviceId; 2]>,
}

/// The users with devices.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    users: SlotMap<UserId, User>,
    ids: ByJid,
    app_servers: AppServers,
    shares: Shares,
}

impl Registrations {
    /// The id of a user with a device.
    pub(super) fn id(&self, jid: &str) -> Option<UserId> {
        self.ids.get(jid)
    }

    /// A user with a device.
    pub(super) fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(id)
    }

    /// The ids of all of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = UserId> {
        self.users.keys()
    }

    /// How many users there are.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// The devices of a user; none of somebody without one.
    pub(super) fn devices_of(&self, id: UserId) -> SmallVec<[DeviceId; 2]> {
        self.users.get(id).map_or_else(SmallVec::new, |user| user.devices.clone())
    }

    /// Whether there is room for what a user asks for, where that is another device. `has_record`: something of theirs is
    /// stored.
    pub(super) fn admit(
        &self,
        facts: &EnableFacts<'_>,
        has_record: bool,
        options: &Options,
    ) -> Result<(), RequestError> {
        let user = self.id(facts.user).and_then(|id| self.user(id));
        let newcomer = Newcomer {
            is_new: user.is_none() && !has_record,
            is_stranger: user.map_or(!has_record, |user| !user.is_established),
        };
        self.shares.admit(newcomer, self.users.len(), facts, options)
    }

    /// A user with a device is no stranger.
    pub(super) fn establish(&mut self, id: UserId) {
        let Some(user) = self.users.get_mut(id).filter(|user| !user.is_established) else { return };
        let before = user.share();
        user.is_established = true;
        self.shares.update(&user.jid, before, user.share());
    }

    /// What a user has blocked of this service is this.
    pub(super) fn set_blocked(&mut self, id: UserId, blocked: Option<Box<Blocked>>) {
        if let Some(user) = self.users.get_mut(id) {
            user.blocked = blocked;
        }
    }

    /// Takes over what a user has registered. `renewed` is the push identifier of what they have just asked for.
    pub(super) fn set(
        &mut self,
        devices: &mut Devices,
        jid: &str,
        registrations: Vec<Registration>,
        renewed: Option<&str>,
    ) -> Registered {
        if registrations.is_empty() {
            self.remove(devices, jid);
            return Registered::default();
        }
        let before_share = self.share_of(jid);
        let (user_id, is_first_device) = self.id_or_insert(jid, renewed.is_none());
        let is_suspended = self.is_suspended(devices, user_id);
        let mut before = self.take_devices(devices, user_id);
        let (mut changed, mut heirs, mut added) = (SmallVec::new(), SmallVec::new(), None);
        let mut after = SmallVec::with_capacity(registrations.len());
        for mut registration in registrations {
            self.app_servers.share(&mut registration.app_server);
            let push_identifier = registration.push_identifier();
            let is_renewed = renewed == Some(&*push_identifier);
            match before.remove(&*push_identifier) {
                Some(id) => {
                    let (id, is_changed) = register_again(devices, jid, id, registration, is_renewed);
                    changed.extend(id.filter(|_| is_changed));
                    after.extend(id);
                }
                None => {
                    let id = register(devices, user_id, registration, is_suspended, is_renewed);
                    if let Some(stand_in) = before.get(STAND_IN) {
                        devices.inherit(id, *stand_in);
                        heirs.push(id);
                    } else if is_renewed {
                        added = Some(id);
                    }
                    after.push(id);
                }
            }
        }
        // What has stood for devices is not gone: what the store says of it is about them, until it says something of each.
        let stand_in = before.remove(STAND_IN);
        stand_in.into_iter().for_each(|id| _ = devices.remove(id));
        for id in before.into_values() {
            remove(devices, jid, id);
        }
        if let Some(user) = self.users.get_mut(user_id) {
            user.devices = after;
            self.shares.update(&user.jid, before_share, user.share());
        }
        Registered { is_first_device, changed, added, heirs }
    }

    /// The record of a user cannot be read so far. Where they have no device, something stands for those that they may have.
    /// Returns whether that is new.
    pub(super) fn stand_in(&mut self, devices: &mut Devices, jid: &str) -> bool {
        let before = self.share_of(jid);
        let (user_id, is_new) = self.id_or_insert(jid, true);
        if let Some(user) = self.users.get_mut(user_id).filter(|_| is_new) {
            user.devices.push(register(devices, user_id, Registration::stand_in(), true, false));
            self.shares.update(&user.jid, before, user.share());
        }
        is_new
    }

    /// Takes a user's devices from them, by push identifier.
    fn take_devices(&mut self, devices: &Devices, id: UserId) -> HashMap<Box<str>, DeviceId> {
        let before = self.users.get_mut(id).map(|user| std::mem::take(&mut user.devices));
        let identified = |id| Some((devices.get(id)?.registration().push_identifier().into(), id));
        before.into_iter().flatten().filter_map(identified).collect()
    }

    /// The account of a user is disabled, or enabled again. Nothing is remembered of somebody without a device.
    pub(super) fn set_suspended(&self, devices: &mut Devices, jid: &str, is_suspended: bool) {
        let user = self.id(jid).and_then(|id| self.user(id));
        for &device in user.map_or(&[][..], User::devices) {
            devices.update(device, |device| device.set_suspended(is_suspended));
        }
    }

    /// Whether the account of a user is disabled: their devices know, all of them.
    fn is_suspended(&self, devices: &Devices, id: UserId) -> bool {
        let user = self.user(id).map_or(&[][..], User::devices);
        let mut devices = user.iter().filter_map(|&device| devices.get(device));
        devices.any(|device| device.is_suspended() && !device.registration().is_stand_in())
    }

    /// Removes one device, and with the last one its user. Returns the user's JID and what was registered.
    pub(super) fn remove_device(
        &mut self,
        devices: &mut Devices,
        id: DeviceId,
    ) -> Option<(Arc<str>, Registration)> {
        let owner = devices.get(id)?.owner();
        let user = self.users.get_mut(owner)?;
        let device = remove(devices, &user.jid, id)?;
        let before = user.share();
        user.devices.retain(|other| *other != id);
        let jid = user.jid.clone();
        self.shares.update(&jid, before, user.share());
        if user.devices.is_empty() {
            self.remove(devices, &jid);
        }
        Some((jid, Device::into_registration(device)))
    }

    fn share_of(&self, jid: &str) -> Share {
        self.id(jid).and_then(|id| self.user(id)).map_or_else(Share::default, User::share)
    }

    fn id_or_insert(&mut self, jid: &str, is_established: bool) -> (UserId, bool) {
        if let Some(id) = self.ids.get(jid) {
            return (id, false);
        }
        let jid: Arc<str> = jid.into();
        let id = self.users.insert(User {
            jid: jid.clone(),
            devices: SmallVec::new(),
            is_established,
            blocked: None,
        });
        self.ids.insert(jid, id);
        (id, true)
    }

    /// The rooms' indexes are not searched: the id of a user who is gone is ignored there.
    fn remove(&mut self, devices: &mut Devices, jid: &str) {
        let before = self.share_of(jid);
        let Some(id) = self.ids.remove(jid) else { return };
        self.shares.update(jid, before, Share::default());
        for device in self.users.remove(id).into_iter().flat_map(|user| user.devices) {
            remove(devices, jid, device);
        }
    }
}

/// A device of a user is registered no more. Should it be registered again, nothing is left of what was unread.
fn remove(devices: &mut Devices, jid: &str, id: DeviceId) -> Option<Device> {
    let device = devices.remove(id)?;
    note_gone(devices, jid, device.registration());
    Some(device)
}

fn note_gone(devices: &mut Devices, jid: &str, registration: &Registration) {
    let journal = devices.journal_mut();
    if journal.is_on() {
        journal.note_device_gone(journal.key().hash(jid, registration.push_identifier_pieces()));
    }
}

/// A device is registered that was not.
fn register(
    devices: &mut Devices,
    owner: UserId,
    registration: Registration,
    is_suspended: bool,
    is_renewed: bool,
) -> DeviceId {
    let id = devices.insert(owner, registration);
    devices.update(id, |device| {
        device.set_suspended(is_suspended);
        if is_renewed {
            device.set_unanswered();
        }
    });
    if is_renewed {
        devices.journal_mut().note_changed((id, None));
    }
    id
}

/// A device is registered that was there. Returns what it is now, and whether it still is the same, but its pushes go elsewhere
/// or with another form.
fn register_again(
    devices: &mut Devices,
    jid: &str,
    id: DeviceId,
    registration: Registration,
    is_renewed: bool,
) -> (Option<DeviceId>, bool) {
    if devices.get(id).is_some_and(|device| !device.is_addressed_by(&registration)) {
        // All that is unread is written anew.
        note_gone(devices, jid, &registration);
        return (devices.readdress(id, registration), false);
    }
    if is_renewed {
        devices.update(id, Device::renew);
        devices.journal_mut().note_changed((id, None));
    }
    let is_changed = devices.set_registration(id, registration);
    (Some(id), is_changed)
}

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
        registered.heirs.into_iter().for_each(|device| self.await_rooms_of(device));
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
        let removed = self.registrations.remove_device(&mut self.devices, device);
        let Some((user, registration)) = removed else { return };
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
