//! A device: one registration, what its owner has not read, and where it stands with its app server.

mod bounces;
mod by_room;
mod delivery;
mod earlier;
mod gate;
mod notification;
mod publishing;
mod revising;
mod succession;
mod unread;

pub(crate) use bounces::MessageKey;
pub(crate) use delivery::{DeliveryState, Due, Failures, InFlight};
pub(crate) use gate::Gate;
use gate::Unstored;
pub(crate) use notification::{MessageDigest, MessageIdentity, Notification, Notifications};
pub(crate) use revising::Revising;
pub use unread::Scope;
pub(crate) use unread::{Unread, UnreadInRoom};

use crate::domains::DomainId;
use crate::ids::{RoomId, UserId};
use crate::outbox::Slot;
use crate::registration::Registration;
use crate::time::Instant;

/// One registration and all that goes with it.
#[derive(Debug)]
pub(crate) struct Device {
    owner: UserId,
    registration: Registration,
    unread: Unread,
    delivery: DeliveryState,
    domain: DomainId,
    /// Another module has asked for a push without a message.
    is_pinged: bool,
    /// The account of its owner is disabled.
    is_suspended: bool,
    /// Something of the last run is to be told, but rooms have to be read first.
    is_waiting: bool,
    /// Its lease is not new any more: a result would renew it.
    is_aged: bool,
    /// Its app server has taken a push, as far as that is known.
    has_answered: bool,
    /// What waits for the store before it is pushed.
    unstored: Unstored,
}

impl Device {
    /// A device that was just registered, for an app server at this domain.
    pub(crate) fn new(owner: UserId, registration: Registration, domain: DomainId) -> Self {
        let (unread, delivery) = (Unread::default(), DeliveryState::new());
        Device {
            owner,
            registration,
            unread,
            delivery,
            domain,
            is_pinged: false,
            is_suspended: false,
            is_waiting: false,
            is_aged: false,
            has_answered: true,
            unstored: Unstored::default(),
        }
    }

    /// The user it belongs to.
    pub(crate) fn owner(&self) -> UserId {
        self.owner
    }

    /// What was registered.
    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The domain of its app server.
    pub(crate) fn domain(&self) -> DomainId {
        self.domain
    }

    /// Its app server is at another domain now.
    pub(crate) fn set_domain(&mut self, domain: DomainId) {
        self.domain = domain;
    }

    /// What its owner has not read.
    pub(crate) fn unread(&self) -> &Unread {
        &self.unread
    }

    /// Where it stands with its app server.
    pub(crate) fn delivery(&self) -> &DeliveryState {
        &self.delivery
    }

    /// Whether a push without a message was asked for, and has not left.
    pub(crate) fn is_pinged(&self) -> bool {
        self.is_pinged
    }

    /// What was registered is stored. Returns whether its pushes go elsewhere from now on, or with another form.
    pub(crate) fn set_registration(&mut self, registration: Registration) -> bool {
        let is_addressed = self.is_addressed_by(&registration);
        let before = std::mem::replace(&mut self.registration, registration);
        !is_addressed || before.publish_options != self.registration.publish_options
    }

    /// Whether another registration has its pushes go to the same node of the same app server.
    pub(crate) fn is_addressed_by(&self, registration: &Registration) -> bool {
        // Which a push identifier need not tell apart: it is one text made of both.
        self.registration.app_server == registration.app_server && self.registration.node == registration.node
    }

    /// The client has registered it again: the errors are forgotten, what is unread is not. It waits as long as its app server
    /// has asked for, or is spared: that is not for a client to say.
    pub(crate) fn renew(&mut self) {
        self.delivery.forgive();
        self.is_aged = false;
    }

    /// Whether its lease has aged.
    pub(crate) fn set_aged(&mut self, is_aged: bool) {
        self.is_aged = is_aged;
    }

    /// Whether its lease has aged, which is so no more.
    pub(crate) fn take_aged(&mut self) -> bool {
        std::mem::take(&mut self.is_aged)
    }

    /// A message was sent while its owner was absent.
    pub(crate) fn add_unread(&mut self, room: RoomId, notification: Notification, gate: Gate) {
        let is_mention = notification.is_mention();
        if self.is_apart(gate) {
            self.unread.add_apart(room, notification);
        } else if self.unread.add(room, notification) || is_mention {
            self.delivery.end_pace();
        }
    }

    /// A message bounced that was sent when its owner seemed to be present. Returns whether it is the first time. gate() is
    /// called if so.
    pub(crate) fn add_bounced(
        &mut self,
        room: RoomId,
        notification: Notification,
        key: MessageKey,
        gate: impl FnOnce() -> Gate,
    ) -> bool {
        let Some(notification) = self.unread.note_bounced(room, notification, key) else { return false };
        if self.is_apart(gate()) {
            self.unread.add_apart(room, notification);
        } else {
            self.unread.add(room, notification);
            self.delivery.end_pace();
        }
        true
    }

    /// Another module asks for a push without a message.
    pub(crate) fn ping(&mut self, gate: Gate) {
        self.unstored.add(gate);
        self.is_pinged = true;
        self.delivery.end_pace();
    }

    /// Whether something new is kept apart from what is pending, which waits for nothing and keeps its turn.
    fn is_apart(&mut self, gate: Gate) -> bool {
        let has_turn = !self.unstored.is_any() && !self.unread.pending().is_empty();
        self.unstored.add(gate);
        gate.is_closed() && (has_turn || self.unread.apart().is_some())
    }

    /// What it has yet to hear of waits for the store.
    pub(crate) fn hold(&mut self, gate: Gate) {
        self.unstored.add(gate);
    }

    /// One of the changes that wait for the store waits no more.
    pub(crate) fn let_go(&mut self) {
        self.unstored.subtract();
        if !self.unstored.is_any() && self.unread.join_apart() {
            self.delivery.end_pace();
        }
    }

    /// Whether anything waits for the store before it is pushed.
    pub(crate) fn is_unstored(&self) -> bool {
        self.unstored.is_any()
    }

    /// Its owner is in a room again, or has no business there any more: nothing of it is unread. Returns whether anything was.
    pub(crate) fn mark_read(&mut self, room: RoomId) -> bool {
        if let Some(in_flight) = self.delivery.in_flight_mut() {
            in_flight.notifications.drop_room(room);
        }
        self.unread.mark_read(room)
    }

    /// Messages from before `oldest` are not worth a push any more.
    pub(crate) fn expire(&mut self, oldest: Instant) {
        self.unread.expire(oldest);
    }

    /// A message of a room is taken back or corrected. One that the app server has taken, is not known
    /// any more: it still counts as unread. Returns whether it was known.
    pub(crate) fn revise(&mut self, room: RoomId, revising: &mut Revising) -> bool {
        let in_flight = self.delivery.in_flight_mut();
        let revised = self
            .unread
            .revise(room, revising)
            .or_else(|| in_flight.and_then(|it| it.notifications.revise(room, revising)));
        if let Some(message) = revised.as_ref().filter(|_| revising.is_retraction()) {
            self.unread.subtract_one(room, message);
        }
        revised.is_some()
    }

    /// Whether a message of a room is known that it has yet to hear of, or that is on its way.
    pub(crate) fn tells_of(&self, room: RoomId) -> bool {
        self.all_notifications().any(|notifications| notifications.of_room(room).is_some())
    }

    /// What it has yet to hear of, and what is on its way, with the rooms.
    pub(crate) fn notifications(&self) -> impl Iterator<Item = (RoomId, &Notification)> {
        self.all_notifications().flat_map(Notifications::rooms)
    }

    /// The same of one room.
    pub(crate) fn notifications_of(&self, room: RoomId) -> impl Iterator<Item = &Notification> {
        self.all_notifications().filter_map(move |notifications| notifications.of_room(room))
    }

    /// The newest first.
    fn all_notifications(&self) -> impl Iterator<Item = &Notifications> {
        let in_flight = self.delivery.in_flight().map(|in_flight| &in_flight.notifications);
        self.unread.apart().into_iter().chain([self.unread.pending()]).chain(in_flight)
    }

    /// Whether a push without a message was asked for, and is not known to have been taken.
    pub(crate) fn is_ping_wanted(&self) -> bool {
        self.is_pinged || self.delivery.in_flight().is_some_and(|in_flight| in_flight.is_ping)
    }

    /// Whether something of the last run is to be told, for which rooms have to be read first.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Rooms were read, or are gone; these are still awaited. What is to be told of several rooms is told in one push, as it
    /// would have been before.
    pub(crate) fn end_wait(&mut self, is_awaited: impl Fn(RoomId) -> bool) {
        let mut pending = self.unread.pending().rooms();
        self.is_waiting = self.is_waiting && pending.any(|(room, _)| is_awaited(room));
    }

    /// The account of its owner is disabled, or enabled again. Until then nothing is pushed.
    pub(crate) fn set_suspended(&mut self, is_suspended: bool) {
        self.is_suspended = is_suspended || self.registration.is_stand_in();
    }

    /// Whether the account of its owner is disabled.
    pub(crate) fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    /// Whether there is anything to be pushed now.
    pub(crate) fn has_pending(&self) -> bool {
        let is_asked = self.is_pinged || !self.unread.pending().is_empty();
        is_asked && !self.is_suspended && !self.is_waiting && !self.is_held()
    }

    /// Whether what is pending waits for the store.
    fn is_held(&self) -> bool {
        self.unstored.is_any() && self.unread.apart().is_none()
    }

    /// Whether it has to be put into the outbox's queue.
    pub(crate) fn wants_turn(&self) -> bool {
        self.has_pending() && self.delivery.is_idle()
    }

    /// It was put into the outbox's queue.
    pub(crate) fn enqueue(&mut self, slot: Slot) {
        self.delivery.enqueue(slot);
    }

    /// It is in the queue no more. Returns where it was, if it was there.
    pub(crate) fn dequeue(&mut self) -> Option<Slot> {
        self.delivery.dequeue()
    }

    /// Takes out what a push is about, and whether it was asked for; and how many messages are unread that the app server will
    /// then know of.
    /// `is_ready` says of which rooms a push may be; another one may go along.
    pub(crate) fn take_pending(
        &mut self,
        scope: Scope,
        is_ready: impl Fn(RoomId, &Notification) -> bool,
    ) -> (Notifications, bool, u32) {
        let notifications = self.unread.take(scope, is_ready);
        (notifications, std::mem::take(&mut self.is_pinged), self.unread.known())
    }
}
