//! The engine of one MUC service: facts go in, decisions come out.
//!
//! What happens to registrations is here, what happens in rooms is in [`crate::watch`], and what becomes
//! of pushes in [`crate::delivery`].

use std::collections::HashMap;
use std::sync::Arc;

use minidom::Element;
use slotmap::SlotMap;
use smallvec::SmallVec;

use crate::app_server::AppServers;
use crate::circuit_breaker::Circuits;
use crate::device::Device;
use crate::error::RequestError;
use crate::ids::{DeviceId, RoomId, UserId};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::registration::{Record, Registration};
use crate::request::{self, Disable, Enable};
use crate::room::Room;

/// A user who has registered at least one device.
#[derive(Debug)]
pub(crate) struct User {
    /// The bare JID, as the server has prepared it.
    pub(crate) jid: Arc<str>,
    pub(crate) devices: SmallVec<[DeviceId; 2]>,
}

/// The engine of one MUC service.
///
/// Users, rooms and occupants are named by JIDs as the server has prepared them. Times are seconds on one
/// clock of the caller's that never goes back, except where they say otherwise.
#[derive(Debug)]
pub struct Engine {
    pub(crate) host: Box<str>,
    pub(crate) options: Options,
    /// [`Options::important_body`], to be shared by all pushes.
    pub(crate) important_body: Arc<str>,
    pub(crate) users: SlotMap<UserId, User>,
    pub(crate) user_ids: HashMap<Arc<str>, UserId>,
    pub(crate) devices: SlotMap<DeviceId, Device>,
    pub(crate) rooms: SlotMap<RoomId, Room>,
    pub(crate) room_ids: HashMap<Arc<str>, RoomId>,
    pub(crate) outbox: Outbox,
    pub(crate) circuits: Circuits,
    pub(crate) app_servers: AppServers,
    /// How many messages were told of so far: tells which of two is the newer one.
    pub(crate) messages: u64,
}

/// What is to be stored before a request is answered. Nothing has changed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What the user's record becomes.
    pub record: Record,
    /// The key of the registration that was added.
    pub added: Option<Box<str>>,
    /// How many registrations were removed, other than by replacement.
    pub removed: usize,
}

/// How much the engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Users with a device.
    pub users: usize,
    /// Devices.
    pub devices: usize,
    /// Publishes that are not answered yet.
    pub in_flight: usize,
}

impl Engine {
    /// The engine of the service `host`, with nobody registered.
    pub fn new(host: &str, options: Options) -> Self {
        Engine {
            host: host.into(),
            important_body: options.important_body.as_str().into(),
            options,
            users: SlotMap::with_key(),
            user_ids: HashMap::new(),
            devices: SlotMap::with_key(),
            rooms: SlotMap::with_key(),
            room_ids: HashMap::new(),
            outbox: Outbox::default(),
            circuits: Circuits::default(),
            app_servers: AppServers::default(),
            messages: 0,
        }
    }

    /// The options were read again.
    pub fn configure(&mut self, options: Options) {
        self.important_body = options.important_body.as_str().into();
        self.options = options;
    }

    /// What an IQ with `<enable/>` from `user` makes of their record (XEP-0357, section 5), at `now` in
    /// seconds since 1970.
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with.
    pub fn enable(
        &self,
        user: &str,
        iq: &Element,
        mut record: Record,
        now: f64,
    ) -> Result<Change, RequestError> {
        let payload = request::payload(iq, "enable").ok_or(RequestError::MissingAppServer)?;
        let registration = Registration::new(Enable::read(payload, user, &self.host, &self.options)?, now);
        let added = registration.key().into();
        let removed = record.add(registration, self.options.max_devices).len();
        Ok(Change { record, added: Some(added), removed })
    }

    /// What an IQ with `<disable/>` makes of a user's record (XEP-0357, section 6).
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with. That nothing was registered is none.
    pub fn disable(&self, iq: &Element, mut record: Record) -> Result<Change, RequestError> {
        let payload = request::payload(iq, "disable").ok_or(RequestError::MissingAppServer)?;
        let disable = Disable::read(payload)?;
        let removed = record.remove(&disable.app_server, disable.node.as_deref());
        Ok(Change { record, added: None, removed })
    }

    /// A user's record is in the store: from now on it counts. `renewed` is the key of a registration that
    /// the user has just asked for. Returns whether the user had no device before, and so is in no room's
    /// index.
    pub fn register(&mut self, user: &str, registrations: Vec<Registration>, renewed: Option<&str>) -> bool {
        if registrations.is_empty() {
            self.unregister(user);
            return false;
        }
        let is_new = !self.user_ids.contains_key(user);
        let user_id = self.user_id(user);
        let before = self.users.get_mut(user_id).map(|user| std::mem::take(&mut user.devices));
        let mut before: HashMap<Box<str>, DeviceId> = before
            .into_iter()
            .flatten()
            .filter_map(|id| Some((self.devices.get(id)?.registration.key().into(), id)))
            .collect();
        let mut devices = SmallVec::with_capacity(registrations.len());
        for mut registration in registrations {
            self.app_servers.share(&mut registration.app_server);
            let known = before.remove(&*registration.key());
            match known.and_then(|id| Some((id, self.devices.get_mut(id)?))) {
                Some((id, device)) => {
                    if renewed == Some(&*registration.key()) {
                        device.renew(registration);
                        self.outbox.announce(id, device);
                    } else {
                        device.change(registration);
                    }
                    devices.push(id);
                }
                None => devices.push(self.devices.insert(Device::new(user_id, registration))),
            }
        }
        for id in before.into_values() {
            self.devices.remove(id);
        }
        if let Some(user) = self.users.get_mut(user_id) {
            user.devices = devices;
        }
        is_new
    }

    /// Whether a user has a device.
    pub fn is_registered(&self, user: &str) -> bool {
        self.user_ids.contains_key(user)
    }

    /// Whose a device is, by their bare JID, and what was registered for it.
    pub fn addressee(&self, device: DeviceId) -> Option<(&str, &Registration)> {
        let device = self.devices.get(device)?;
        Some((&*self.users.get(device.user)?.jid, &device.registration))
    }

    /// How much the engine holds.
    pub fn census(&self) -> Census {
        Census {
            users: self.users.len(),
            devices: self.devices.len(),
            in_flight: self.devices.values().filter(|device| device.in_flight().is_some()).count(),
        }
    }

    /// Removes one device, and with the last one its user. Returns the user's JID.
    pub(crate) fn remove_device(&mut self, id: DeviceId) -> Option<(Arc<str>, Registration)> {
        let device = self.devices.remove(id)?;
        let user = self.users.get_mut(device.user)?;
        user.devices.retain(|other| *other != id);
        let jid = user.jid.clone();
        if user.devices.is_empty() {
            self.unregister(&jid);
        }
        Some((jid, device.registration))
    }

    fn user_id(&mut self, jid: &str) -> UserId {
        if let Some(&id) = self.user_ids.get(jid) {
            return id;
        }
        let jid: Arc<str> = jid.into();
        let id = self.users.insert(User { jid: jid.clone(), devices: SmallVec::new() });
        self.user_ids.insert(jid, id);
        id
    }

    /// The rooms' indices are not gone through: there, the key of a user who is gone finds nobody.
    fn unregister(&mut self, user: &str) {
        let Some(id) = self.user_ids.remove(user) else { return };
        for device in self.users.remove(id).into_iter().flat_map(|user| user.devices) {
            self.devices.remove(device);
        }
    }
}
