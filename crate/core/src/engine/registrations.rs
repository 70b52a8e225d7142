//! Users and their devices.

mod registering;
mod shares;
mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::app_server::AppServers;
use crate::devices::Devices;
use crate::error::RequestError;
use crate::ids::{DeviceId, UserId};
use crate::options::Options;
use crate::registration::{Registration, STAND_IN};
use crate::request::EnableFacts;
use crate::slots::Slots;
use crate::tables::Tables;
use crate::way::Way;
use registering::{register, register_again, remove};
use shares::{Newcomer, Share, Shares};
use ways::WayCounts;

use super::blocking::Blocked;

/// A user who has a device: registered ones, or one that stands for a way to reach them.
#[derive(Debug)]
pub(super) struct User {
    jid: Arc<str>,
    devices: SmallVec<[DeviceId; 2]>,
    /// The way that their only device stands for, where it does.
    way: Option<Way>,
    /// Their account on this server has devices.
    has_account: bool,
    /// In how many rooms they have asked for messages to be forwarded.
    asked: u32,
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

    /// The way by which they are reached, where they have registered no device.
    pub(super) fn way(&self) -> Option<Way> {
        self.way
    }

    /// Accounts of this server take nothing from others.
    fn share(&self) -> Share {
        let users = usize::from(!self.devices.is_empty() && self.way != Some(Way::Account));
        Share { users, strangers_devices: if self.is_established { 0 } else { self.devices.len() } }
    }
}

/// What a user's record has become.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// The user had no device before: nothing is known of the rooms that they are a member of.
    pub(super) is_first_device: bool,
    /// The devices that were there, and whose pushes now go elsewhere, or with another form.
    pub(super) changed: SmallVec<[DeviceId; 2]>,
    /// The device that they have asked for, where it was not there, nor anything that stood for it.
    pub(super) added: Option<DeviceId>,
    /// The devices that have taken over what others had.
    pub(super) heirs: SmallVec<[DeviceId; 2]>,
}

/// A device that was removed.
#[derive(Debug)]
pub(super) struct Removed {
    /// Whose it was.
    pub(super) user: Arc<str>,
    /// What was registered.
    pub(super) registration: Registration,
    /// The device that has taken over what it had.
    pub(super) heir: Option<DeviceId>,
}

/// The users with devices.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    users: Slots<UserId, User>,
    ids: Tables<Arc<str>, UserId>,
    app_servers: AppServers,
    shares: Shares,
    ways: WayCounts,
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

    /// All users, to be gone through.
    pub(super) fn slots(&self) -> &Slots<UserId, User> {
        &self.users
    }

    /// How many users there are.
    pub(super) fn all(&self) -> usize {
        self.users.len()
    }

    /// The same, but for those who are reached by a way.
    pub(super) fn len(&self) -> usize {
        self.users.len() - self.ways.all()
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
            is_new: user.is_none_or(|user| user.share().users == 0) && !has_record,
            is_stranger: user.map_or(!has_record, |user| !user.is_established),
        };
        self.shares.admit(newcomer, facts, options)
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
            return self.set_none(devices, jid);
        }
        let before_share = self.share_of(jid);
        let (user_id, is_first_device) = self.id_or_insert(jid, renewed.is_none());
        // What messages are forwarded of says nothing of other rooms.
        let is_first_device = is_first_device || self.way_of(user_id) == Some(Way::Forward);
        let is_suspended = self.is_suspended(devices, user_id);
        let mut before = self.take_devices(devices, user_id);
        let by_way = self.way_of(user_id).and_then(|way| before.get(way.push_identifier()).copied());
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
                    let stand_in = before.get(STAND_IN).copied();
                    if let Some(other) = stand_in.or(by_way) {
                        devices.inherit(id, other);
                        heirs.push(id);
                    }
                    // What the store says of an earlier one of its name is not about it.
                    if is_renewed && stand_in.is_none() {
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
            self.ways.change(user.way.take(), None);
            self.shares.update(&user.jid, before_share, user.share());
        }
        Registered { is_first_device, changed, added, heirs }
    }

    /// A user has nothing registered any more.
    fn set_none(&mut self, devices: &mut Devices, jid: &str) -> Registered {
        let Some(id) = self.id(jid).filter(|id| self.way_of(*id).is_none()) else {
            return Registered::default();
        };
        let heir = self.fall_back(devices, id);
        if heir.is_none() {
            self.remove(devices, jid);
        }
        Registered { heirs: heir.into_iter().collect(), ..Registered::default() }
    }

    /// The record of a user cannot be read so far. Where they have no device, something stands for those that they may have.
    /// Returns whether that is new.
    pub(super) fn stand_in(&mut self, devices: &mut Devices, jid: &str) -> bool {
        let before = self.share_of(jid);
        let (user_id, is_new) = self.id_or_insert(jid, true);
        if is_new || self.way_of(user_id).is_some() {
            let id = register(devices, user_id, Registration::stand_in(), true, false);
            self.replace_devices(devices, user_id, id, None);
            if let Some(user) = self.users.get(user_id) {
                self.shares.update(jid, before, user.share());
            }
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

    /// Removes one device, and with the last one its user, unless there is a way to reach them.
    pub(super) fn remove_device(&mut self, devices: &mut Devices, id: DeviceId) -> Option<Removed> {
        let device = devices.get(id)?;
        let (owner, registration) = (device.owner(), device.registration().clone());
        let user = self.user(owner)?;
        let (user, is_last) = (user.jid.clone(), user.devices.len() == 1);
        if is_last && let Some(heir) = self.fall_back(devices, owner) {
            return Some(Removed { user, registration, heir: Some(heir) });
        }
        if is_last {
            self.remove(devices, &user);
        } else {
            remove(devices, &user, id);
            self.forget_device(owner, id);
        }
        Some(Removed { user, registration, heir: None })
    }

    fn forget_device(&mut self, owner: UserId, id: DeviceId) {
        let Some(user) = self.users.get_mut(owner) else { return };
        let before = user.share();
        user.devices.retain(|other| *other != id);
        self.shares.update(&user.jid, before, user.share());
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
            way: None,
            has_account: false,
            asked: 0,
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
        let Some(user) = self.users.remove(id) else { return };
        self.ways.change(user.way, None);
        for device in user.devices {
            remove(devices, jid, device);
        }
    }
}
