//! A device: one registration, what its owner has missed, and how its app server answers.

use std::cmp::Ordering;
use std::sync::Arc;

use minidom::Element;
use smallvec::{SmallVec, smallvec};

use crate::ids::{RoomId, UserId};
use crate::registration::Registration;
use crate::returned::Returned;
use crate::summary::PushId;

/// What a push says about the newest message of a room, shared by all who get one.
#[derive(Debug)]
pub struct Content {
    /// The room's bare JID.
    pub room: Arc<str>,
    /// The occupant JID of who said it, where the app server may know.
    pub sender: Option<Arc<str>>,
    /// What was said, where the app server may know.
    pub body: Option<Arc<str>>,
    /// The broadcast message, where another module wants to see it.
    pub original: Option<Element>,
    /// When it was said; seconds on the engine's clock.
    pub since: f64,
    /// Tells which of two messages is the newer one.
    pub order: u64,
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
}

/// What is to be told, room by room. Nearly always that is one room, for which no memory is to be asked for: there
/// is one of this for every push.
pub type Untold = SmallVec<[(RoomId, Pending); 1]>;

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
    pub told: Untold,
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
    pub pending: Untold,
    /// Another module asked for a push without a message.
    pub pinged: bool,
    /// Whether its address, or the form that goes along with a push, is another one than at the last push.
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
        let (room, original) = (self.room.clone(), self.original.clone());
        Content { room, sender: None, body: None, original, ..*self }
    }
}

impl Pending {
    /// Which of two has the message that was sent later.
    pub fn cmp_sent(&self, other: &Self) -> Ordering {
        self.content.since.total_cmp(&other.content.since).then(self.content.order.cmp(&other.content.order))
    }

    /// Takes over what another one stands for. The message that was sent later speaks for both.
    fn merge(&mut self, mut other: Pending) {
        if other.content.since > self.content.since {
            std::mem::swap(self, &mut other);
        }
        self.mention = self.mention.take().or(other.mention);
        self.messages = self.messages.saturating_add(other.messages);
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
            pending: Untold::new(),
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
    pub fn land(&mut self, id: PushId) -> Option<Box<InFlight>> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InFlight(in_flight) if in_flight.id == id => Some(in_flight),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// What is registered for it is not what it was.
    pub fn change(&mut self, registration: Registration) {
        let before = &self.registration;
        self.is_changed |= before.publish_options != registration.publish_options
            // Which a key need not tell apart: it is one text made of both.
            || before.app_server != registration.app_server
            || before.node != registration.node;
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
        self.pend(room, pending);
    }

    /// A message came back that was sent to its owner when they seemed to be there; `key` tells it from others.
    /// Returns whether it is the first time. Whatever they have missed since then is newer.
    pub fn miss_returned(&mut self, room: RoomId, mut pending: Pending, key: u64) -> bool {
        let returned = self.returned.get_or_insert_default();
        let Some(before) = returned.add(room, key, pending.content.since) else { return false };
        let missed_before = self.count_missed(room);
        let is_newest = usize::try_from(missed_before).is_ok_and(|missed| missed <= before.count)
            && before.newest <= pending.content.since;
        if !is_newest {
            pending.content = Arc::new(pending.content.without_words());
        }
        self.pend(room, pending);
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

    /// Something is to be told of a room, besides what already is.
    fn pend(&mut self, room: RoomId, pending: Pending) {
        match self.pending.iter_mut().find(|(other, _)| *other == room) {
            Some((_, other)) => {
                let before = std::mem::replace(other, pending);
                other.merge(before);
            }
            None => self.pending.push((room, pending)),
        }
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
        self.pending.retain(|(_, pending)| pending.content.since >= oldest);
    }

    /// Takes what is to be told out of every room.
    pub fn take_pending(&mut self) -> Untold {
        std::mem::take(&mut self.pending)
    }

    /// Takes what is to be told out of the room where it has waited longest.
    pub fn take_oldest_pending(&mut self) -> Untold {
        let oldest = self.pending.iter().enumerate().min_by_key(|(_, (_, pending))| pending.content.order);
        let oldest = oldest.map(|(index, _)| index);
        oldest.map_or_else(Untold::new, |index| smallvec![self.pending.swap_remove(index)])
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

    /// Puts back what could not be told. It merges into what has come up meanwhile.
    pub fn put_back(&mut self, told: Untold) {
        for (room, pending) in told {
            if !self.missed.iter().any(|missed| missed.room == room) {
                continue;
            }
            match self.pending.iter_mut().find(|(other, _)| *other == room) {
                Some((_, other)) => other.merge(pending),
                None => self.pending.push((room, pending)),
            }
        }
    }

    /// Whether there is anything to be told.
    pub fn has_pending(&self) -> bool {
        self.pinged || !self.pending.is_empty()
    }

    /// What is still to be told of a room.
    pub fn pending_in(&self, room: RoomId) -> Option<&Pending> {
        self.pending.iter().find(|(other, _)| *other == room).map(|(_, pending)| pending)
    }

    /// How many messages its owner has missed, in all rooms, but for those that are still to be told.
    pub fn count(&self) -> u32 {
        self.missed.iter().fold(0, |sum, missed| {
            let untold = self.pending_in(missed.room).map_or(0, |pending| pending.messages);
            sum.saturating_add(missed.count.saturating_sub(untold))
        })
    }
}
