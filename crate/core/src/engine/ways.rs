//! Ways: facts about how users without a registered device are reached.

use crate::error::RequestError;
use crate::ids::{DeviceId, PushId, RoomId, UserId};
use crate::room::Gone;
use crate::time::Instant;
use crate::way::{Forwarding, Way};

use super::Engine;

impl Engine {
    /// The account of a user on this server has devices, or has none: a way to reach them, where nothing was registered. Returns
    /// whether the user had no device before, and so is in the index of no room.
    pub fn set_account(&mut self, user: &str, has_devices: bool) -> bool {
        if let Some(user) = self.registrations.id(user) {
            self.catch_up(user);
        }
        let registered = self.registrations.set_account(&mut self.devices, user, has_devices);
        registered.heirs.into_iter().for_each(|device| self.begin_way(device));
        if let Some(user) = self.registrations.id(user) {
            self.note_registered(user);
        }
        registered.is_first_device
    }

    /// Which accounts of a host of this server have devices cannot be said at the moment: [`Engine::restore`] takes those to have some that
    /// the last run says something of, until [`Engine::set_account`] says whether they do.
    pub fn await_accounts(&mut self, host: &str) {
        self.presumed_accounts.expect(host);
    }

    /// Takes out the next account of such a host that was taken to have devices: whether it has is to be said now.
    pub fn presumed_account(&mut self, host: &str) -> Option<&str> {
        while let Some(id) = self.presumed_accounts.take(host) {
            if self.registrations.user(id).is_some() {
                return self.registrations.user(id).map(|user| &**user.jid());
            }
        }
        None
    }

    /// Whether messages can be forwarded to one more user, as a member of a room asks for.
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with.
    pub fn admit_forwarding(&self, user: &str) -> Result<(), RequestError> {
        self.registrations.admit_forwarding(user, &self.options)
    }

    /// A push by a way was handed over. Nobody answers it.
    pub fn handed_over(&mut self, id: &str, now: Instant) {
        let Ok(id) = id.parse::<PushId>() else { return };
        if let Some(way) = self.way_of_push(id) {
            self.hand_over(id, way, now);
        }
    }

    /// A push by a way cannot be handed over for so many seconds, or somewhat longer: then it is due again, with what has come up
    /// meanwhile.
    pub fn put_off(&mut self, id: &str, now: Instant, seconds: f64) {
        let Ok(id) = id.parse::<PushId>() else { return };
        if self.way_of_push(id).is_some() {
            self.catch_up_device(id.device());
            self.devices.journal_mut().set_now(now);
            self.delivery.put_off(&mut self.devices, id, now + seconds.max(0.0), seconds.max(0.0));
        }
    }

    /// The way that a push which is on its way goes by, where it does.
    pub(super) fn way_of_push(&self, id: PushId) -> Option<Way> {
        let device = self.devices.get(id.device()).filter(|device| device.in_flight(id).is_some())?;
        device.registration().way()
    }

    /// A push is with the server of its user.
    pub(super) fn hand_over(&mut self, id: PushId, way: Way, now: Instant) {
        self.catch_up_device(id.device());
        self.devices.journal_mut().set_now(now);
        self.delivery.hand_over(&mut self.devices, id, way, now, &self.options);
    }

    /// A device has taken over what others had, or begins.
    pub(super) fn begin_way(&mut self, device: DeviceId) {
        self.await_rooms_of(device);
        if let Some(way) = self.devices.get(device).and_then(|device| device.registration().way()) {
            self.note_begun(device);
            self.drop_unwanted(device, way);
        }
    }

    /// What a way has taken over may be about rooms that it tells nothing of. Of those that were not read since the start it is not known
    /// yet.
    fn drop_unwanted(&mut self, device: DeviceId, way: Way) {
        let Some(device) = self.devices.get(device) else { return };
        let user = device.owner();
        let rooms = device.unread().counts().map(|(room, _)| room);
        let rooms: Vec<RoomId> = rooms.filter(|room| self.is_unwanted(*room, user, way)).collect();
        rooms.into_iter().for_each(|room| self.mark_read(user, room));
    }

    /// Whether a way tells its user nothing of a room, as far as that is known.
    pub(super) fn is_unwanted(&self, room: RoomId, user: UserId, way: Way) -> bool {
        let member = self.rooms.get(room).and_then(|room| room.member(user));
        self.rooms.was_read(room) && !member.is_some_and(|member| member.forwarding().allows(way))
    }

    /// An account had devices when the last run ended. Where it is known which do, it has none any more if it is not among them.
    pub(super) fn presume_account(&mut self, user: &str) {
        if self.registrations.id(user).is_some() || !self.presumed_accounts.expects(user) {
            return;
        }
        self.set_account(user, true);
        if let Some(id) = self.registrations.id(user) {
            self.presumed_accounts.add(user, id);
        }
    }

    /// Somebody has asked, or had when the last run ended: they are a user from now on, if there is room for them.
    pub(super) fn presume_forwarding(&mut self, user: &str) {
        if self.registrations.id(user).is_some() {
            return;
        }
        if let Some(id) = self.registrations.presume_forwarding(&mut self.devices, user, &self.options) {
            self.note_registered(id);
            let devices = self.registrations.devices_of(id);
            devices.into_iter().for_each(|device| self.note_begun(device));
        }
    }

    /// What a member has said of the messages of a room being forwarded.
    pub(super) fn set_forwarding(&mut self, room: RoomId, user: UserId, forwarding: Forwarding) {
        let known = self.rooms.get(room).and_then(|room| room.member(user)).map(|member| member.forwarding());
        let is_changed = known.is_some_and(|known| known != forwarding);
        if is_changed {
            self.catch_up(user);
            if let Some(room) = self.rooms.get_mut(room) {
                room.set_forwarding(user, forwarding);
            }
            if known == Some(Forwarding::Asked) || forwarding == Forwarding::Asked {
                self.registrations.note_asked(user, forwarding == Forwarding::Asked);
            }
        }
        let way = self.registrations.user(user).and_then(|user| user.way());
        if way.is_some_and(|way| !forwarding.allows(way)) {
            self.mark_read(user, room);
        }
        self.end_unasked(user);
    }

    /// Somebody is no member of a room any more: nothing of it is unread.
    pub(super) fn note_left(&mut self, room: RoomId, gone: Gone) {
        self.mark_read(gone.user, room);
        self.end_asked(gone);
    }

    /// The same of a room that is gone.
    pub(super) fn end_asked(&mut self, gone: Gone) {
        if gone.forwarding == Forwarding::Asked {
            self.registrations.note_asked(gone.user, false);
        }
        self.end_unasked(gone.user);
    }
}
