//! A device: one registration, what its owner has missed, and how its app server answers.

use std::collections::HashSet;
use std::sync::Arc;

use minidom::Element;

use crate::key::{RoomId, UserId};
use crate::push::PushId;
use crate::registration::Registration;

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
    /// What is still to be told of them.
    pub pending: Option<Pending>,
    /// The newest of those that were sent while they were absent, and its order.
    pub newest: Option<(u64, Arc<Content>)>,
    /// Those that came back undelivered, by hashes of their keys.
    pub returned: Option<Box<HashSet<u64>>>,
}

/// How many messages that came back are told apart. Beyond that, one that comes back from two sessions counts twice.
const RETURNED_KEPT: usize = 1000;

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
    /// Another module asked for a push without a message.
    pub pinged: bool,
    /// Whether the form that goes along with a push is another one than at the last push.
    pub is_changed: bool,
    /// Where it stands with its app server.
    pub state: State,
    /// The time of its valid entry among the outbox's deadlines.
    pub armed: Option<f64>,
}

impl Pending {
    /// Takes over what an older one stands for.
    fn absorb(&mut self, older: Pending) {
        self.mention = self.mention.take().or(older.mention);
        self.messages = self.messages.saturating_add(older.messages);
    }
}

impl Missed {
    /// Nothing yet.
    pub fn none(room: RoomId) -> Self {
        Missed { room, count: 0, pending: None, newest: None, returned: None }
    }

    /// A message was sent while they were absent: it is the newest one.
    fn add(&mut self, mut pending: Pending) {
        self.count = self.count.saturating_add(1);
        self.newest = Some((pending.order, pending.content.clone()));
        if let Some(older) = self.pending.take() {
            pending.absorb(older);
        }
        self.pending = Some(pending);
    }

    /// A message came back that was sent while they seemed to be there. Whatever was sent while they were absent
    /// is newer, and goes on speaking for all.
    fn add_returned(&mut self, mut pending: Pending) {
        self.count = self.count.saturating_add(1);
        self.pending = Some(match (self.pending.take(), &self.newest) {
            (Some(mut newer), Some(_)) => {
                newer.absorb(pending);
                newer
            }
            (Some(older), None) => {
                pending.absorb(older);
                pending
            }
            (None, Some((order, content))) => Pending { order: *order, content: content.clone(), ..pending },
            (None, None) => pending,
        });
    }

    /// Whether a message has not come back before.
    fn is_news(&mut self, key: u64) -> bool {
        let returned = self.returned.get_or_insert_default();
        returned.len() >= RETURNED_KEPT || returned.insert(key)
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
            pinged: false,
            is_changed: false,
            state: State::Idle,
            armed: None,
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
        self.missed_in(room).add(pending);
    }

    /// A message came back that was sent to its owner. Returns whether it is the first time.
    pub fn miss_returned(&mut self, room: RoomId, pending: Pending, key: u64) -> bool {
        let missed = self.missed_in(room);
        let is_news = missed.is_news(key);
        if is_news {
            missed.add_returned(pending);
        }
        is_news
    }

    fn missed_in(&mut self, room: RoomId) -> &mut Missed {
        let place = self.missed.iter().position(|missed| missed.room == room);
        let place = place.unwrap_or_else(|| {
            self.missed.push(Missed::none(room));
            self.missed.len() - 1
        });
        &mut self.missed[place]
    }

    /// Its owner is in a room again, or has no business there any more: nothing of it was missed.
    pub fn catch_up(&mut self, room: RoomId) {
        self.missed.retain(|missed| missed.room != room);
        if let State::InFlight(in_flight) = &mut self.state {
            in_flight.told.retain(|(told, _)| *told != room);
        }
    }

    /// What is older than `oldest` is not told any more.
    pub fn expire(&mut self, oldest: f64) {
        for missed in &mut self.missed {
            missed.pending.take_if(|pending| pending.since < oldest);
        }
    }

    /// Takes what is to be told out of every room.
    pub fn take_pending(&mut self) -> Vec<(RoomId, Pending)> {
        self.missed.iter_mut().filter_map(|missed| Some((missed.room, missed.pending.take()?))).collect()
    }

    /// Takes what is to be told out of the room where it has waited longest.
    pub fn take_oldest_pending(&mut self) -> Vec<(RoomId, Pending)> {
        let waiting = self.missed.iter_mut().filter(|missed| missed.pending.is_some());
        let oldest = waiting.min_by_key(|missed| missed.pending.as_ref().map(|pending| pending.order));
        oldest.and_then(|missed| Some((missed.room, missed.pending.take()?))).into_iter().collect()
    }

    /// What was told was not wanted: it does not count as missed.
    pub fn uncount(&mut self, told: &[(RoomId, Pending)]) {
        for (room, pending) in told {
            if let Some(missed) = self.missed.iter_mut().find(|missed| missed.room == *room) {
                missed.count = missed.count.saturating_sub(pending.messages);
            }
        }
        self.missed.retain(|missed| missed.count > 0);
    }

    /// Puts back what could not be told. It merges into what is newer.
    pub fn put_back(&mut self, told: Vec<(RoomId, Pending)>) {
        for (room, pending) in told {
            let Some(missed) = self.missed.iter_mut().find(|missed| missed.room == room) else { continue };
            match &mut missed.pending {
                Some(newer) => newer.absorb(pending),
                none => *none = Some(pending),
            }
        }
    }

    /// Whether there is anything to be told.
    pub fn has_pending(&self) -> bool {
        self.pinged || self.missed.iter().any(|missed| missed.pending.is_some())
    }

    /// How many messages its owner has missed, in all rooms, but for those that are still to be told.
    pub fn count(&self) -> u32 {
        self.missed.iter().fold(0, |sum, missed| {
            let untold = missed.pending.as_ref().map_or(0, |pending| pending.messages);
            sum.saturating_add(missed.count.saturating_sub(untold))
        })
    }
}
