//! A device: one registration, what its owner has missed, and how its app server answers.

use std::sync::Arc;

use minidom::Element;

use crate::key::{RoomId, UserId};
use crate::push::PushId;
use crate::registration::Registration;
use crate::returned::Returned;

/// What a push says about the newest message of a room, shared by all who get one.
#[derive(Debug)]
pub struct Content {
    /// The room's bare JID.
    pub room: Arc<str>,
    /// The occupant JID of who said it, where the app server may know.
    pub sender: Option<Box<str>>,
    /// What was said, where the app server may know.
    pub body: Option<Box<str>>,
    /// The broadcast message, where another module wants to see it.
    pub original: Option<Element>,
}

/// Something of a room that a device has not been told yet.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The newest message.
    pub content: Arc<Content>,
    /// The newest message that mentions the owner.
    pub mention: Option<Arc<Content>>,
    /// How many messages it stands for.
    pub messages: u32,
    /// When the newest message was sent; seconds on the engine's clock.
    pub since: f64,
    /// Tells which of two messages is the newer one.
    pub order: u64,
}

/// What the owner of a device has missed in one room since they were last there.
#[derive(Debug)]
pub struct Missed {
    /// The room.
    pub room: RoomId,
    /// How many messages.
    pub count: u32,
}

/// A publish that is not answered yet.
#[derive(Debug)]
pub struct InFlight {
    /// Its id.
    pub id: PushId,
    /// When it was sent.
    pub since: f64,
    /// What it tells, to be told again should it fail.
    pub told: Vec<(RoomId, Pending)>,
    /// Whether another module had asked for it.
    pub pinged: bool,
}

/// Where a device stands with its app server.
#[derive(Debug)]
pub enum State {
    /// Nothing is to be told.
    Idle,
    /// In the queue of the outbox.
    Queued,
    /// A publish is on its way.
    InFlight(Box<InFlight>),
    /// After a transient error: not before this time.
    Resting {
        /// When the next attempt is due.
        until: f64,
    },
}

/// What has gone wrong with a device lately. Most devices have none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// Persistent errors in a row.
    pub errors: u32,
    /// Transient errors in a row, which the back-off grows with.
    pub attempts: u32,
    /// Since when it has had nothing but transient errors.
    pub failing_since: Option<f64>,
}

/// One registration and all that goes with it.
#[derive(Debug)]
pub struct Device {
    /// Whose it is.
    pub user: UserId,
    /// What was registered.
    pub registration: Registration,
    /// What has gone wrong.
    pub trouble: Option<Box<Trouble>>,
    /// The rooms in which something was missed.
    pub missed: Vec<Missed>,
    /// What is still to be told of them. It is not in there: there are many rooms, and for most of the time nothing
    /// to be told of any.
    pub pending: Vec<(RoomId, Pending)>,
    /// Another module asked for a push without a message.
    pub pinged: bool,
    /// Whether the form that goes along with a push is another one than at the last push.
    pub is_changed: bool,
    /// Where it stands with its app server.
    pub state: State,
    /// The time of its valid entry among the outbox's deadlines.
    pub armed: Option<f64>,
    /// The messages that came back undelivered. Most devices have none.
    returned: Option<Box<Returned>>,
}

impl Content {
    /// The same message, of which nothing is said: there are newer ones that were told of.
    fn without_words(&self) -> Self {
        Content { room: self.room.clone(), sender: None, body: None, original: self.original.clone() }
    }
}

impl Pending {
    /// Takes over what an older one stands for.
    fn absorb(&mut self, older: Pending) {
        self.mention = self.mention.take().or(older.mention);
        self.messages = self.messages.saturating_add(older.messages);
    }
}

impl Device {
    /// A device that was just registered.
    pub fn new(user: UserId, registration: Registration) -> Self {
        Device {
            user,
            registration,
            trouble: None,
            missed: Vec::new(),
            pending: Vec::new(),
            pinged: false,
            is_changed: false,
            state: State::Idle,
            armed: None,
            returned: None,
        }
    }

    /// The publish that is on its way to it.
    pub fn in_flight(&self) -> Option<&InFlight> {
        match &self.state {
            State::InFlight(in_flight) => Some(in_flight),
            _ => None,
        }
    }

    /// The publish with this id is answered, or given up.
    pub fn land(&mut self, id: PushId) -> Option<InFlight> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InFlight(in_flight) if in_flight.id == id => Some(*in_flight),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// What is registered for it is not what it was.
    pub fn change(&mut self, registration: Registration) {
        self.is_changed |= self.registration.publish_options != registration.publish_options;
        self.registration = registration;
    }

    /// The client registered it again: what went wrong before is forgotten, what was missed is not, and it
    /// need not wait any longer.
    pub fn renew(&mut self, registration: Registration) {
        self.change(registration);
        self.trouble = None;
        if matches!(self.state, State::Resting { .. }) {
            self.state = State::Idle;
        }
    }

    /// Its owner has missed a message in a room.
    pub fn miss(&mut self, room: RoomId, pending: Pending) {
        self.count_missed(room);
        match self.pending_in(room) {
            Some(newest) => {
                let older = std::mem::replace(newest, pending);
                newest.absorb(older);
            }
            None => self.pend(room, pending),
        }
    }

    /// A message came back that was sent to its owner when they seemed to be there; `key` tells it from others.
    /// Returns whether it is the first time. Whatever they have missed since then is newer.
    pub fn miss_returned(&mut self, room: RoomId, mut pending: Pending, key: u64) -> bool {
        let Some(returned_before) = self.returned.get_or_insert_default().add(room, key) else {
            return false;
        };
        let missed_before = self.count_missed(room);
        let is_newest = usize::try_from(missed_before).is_ok_and(|missed| missed <= returned_before);
        match self.pending_in(room) {
            Some(other) if is_newest => {
                let older = std::mem::replace(other, pending);
                other.absorb(older);
            }
            Some(newer) => newer.absorb(pending),
            None => {
                if !is_newest {
                    pending.content = Arc::new(pending.content.without_words());
                }
                self.pend(room, pending);
            }
        }
        true
    }

    /// Counts one more message, and returns how many there were before.
    fn count_missed(&mut self, room: RoomId) -> u32 {
        match self.missed.iter_mut().find(|missed| missed.room == room) {
            Some(missed) => {
                missed.count = missed.count.saturating_add(1);
                missed.count - 1
            }
            None => {
                self.missed.push(Missed { room, count: 1 });
                0
            }
        }
    }

    fn pending_in(&mut self, room: RoomId) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|(other, _)| *other == room).map(|(_, pending)| pending)
    }

    /// Something is to be told of a room of which nothing was.
    fn pend(&mut self, room: RoomId, pending: Pending) {
        if self.pending.is_empty() {
            // It seldom becomes more.
            self.pending.reserve_exact(1);
        }
        self.pending.push((room, pending));
    }

    /// Its owner is in a room again, or has no business there any more: nothing of it was missed.
    pub fn catch_up(&mut self, room: RoomId) {
        self.missed.retain(|missed| missed.room != room);
        self.pending.retain(|(pending, _)| *pending != room);
        self.returned.take_if(|returned| returned.forget(room));
        if let State::InFlight(in_flight) = &mut self.state {
            in_flight.told.retain(|(told, _)| *told != room);
        }
    }

    /// What is older than `oldest` is not told any more.
    pub fn expire(&mut self, oldest: f64) {
        self.pending.retain(|(_, pending)| pending.since >= oldest);
    }

    /// Takes what is to be told out of every room.
    pub fn take_pending(&mut self) -> Vec<(RoomId, Pending)> {
        std::mem::take(&mut self.pending)
    }

    /// Takes what is to be told out of the room where it has waited longest.
    pub fn take_oldest_pending(&mut self) -> Vec<(RoomId, Pending)> {
        let oldest = self.pending.iter().enumerate().min_by_key(|(_, (_, pending))| pending.order);
        let oldest = oldest.map(|(index, _)| index);
        oldest.map(|index| self.pending.swap_remove(index)).into_iter().collect()
    }

    /// What was told was not wanted: it does not count as missed.
    pub fn uncount(&mut self, told: &[(RoomId, Pending)]) {
        for (room, pending) in told {
            if let Some(missed) = self.missed.iter_mut().find(|missed| missed.room == *room) {
                missed.count = missed.count.saturating_sub(pending.messages);
            }
        }
        self.missed.retain(|missed| missed.count > 0);
        let missed = &self.missed;
        self.pending.retain(|(room, _)| missed.iter().any(|missed| missed.room == *room));
    }

    /// Puts back what could not be told. It merges into what is newer.
    pub fn put_back(&mut self, told: Vec<(RoomId, Pending)>) {
        for (room, pending) in told {
            if !self.missed.iter().any(|missed| missed.room == room) {
                continue;
            }
            match self.pending.iter_mut().find(|(other, _)| *other == room) {
                Some((_, newer)) => newer.absorb(pending),
                None => self.pend(room, pending),
            }
        }
    }

    /// Whether there is anything to be told.
    pub fn has_pending(&self) -> bool {
        self.pinged || !self.pending.is_empty()
    }

    /// What is still to be told of a room.
    pub fn untold(&self, room: RoomId) -> Option<&Pending> {
        self.pending.iter().find(|(other, _)| *other == room).map(|(_, pending)| pending)
    }

    /// How many messages its owner has missed, in all rooms, but for those that are still to be told.
    pub fn count(&self) -> u32 {
        self.missed.iter().fold(0, |sum, missed| {
            let untold = self.untold(missed.room).map_or(0, |pending| pending.messages);
            sum.saturating_add(missed.count.saturating_sub(untold))
        })
    }
}
