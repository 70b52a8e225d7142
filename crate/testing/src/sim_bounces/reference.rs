//! What is known to be true of messages and devices: what is unread, and what got a push.

use std::collections::{BTreeMap, BTreeSet};

use minidom::Element;

use super::transition::Kind;
use crate::driver::Publish;

/// How long an app server may take to answer: as long as one that is not known to be there, so that it is the same for all.
pub(super) const REPLY_TIMEOUT: f64 = 15.0;

/// What was said.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) room: usize,
    pub(super) at: u32,
    pub(super) sent: f64,
    pub(super) sender: Option<usize>,
    pub(super) kind: Kind,
    pub(super) stanza: Element,
    pub(super) is_forgotten: bool,
    /// The users that were absent when it was sent, and ever since.
    pub(super) absent: BTreeSet<usize>,
    /// The devices that are owed a push unless a client gets it, or their owner enters the room.
    pub(super) owed: BTreeSet<(usize, usize)>,
    /// The sessions whose client has got it.
    pub(super) got: BTreeSet<usize>,
}

impl Message {
    pub(super) fn concerns(&self, user: usize) -> bool {
        let is_wanted = match self.kind {
            Kind::Plain => self.room == 0,
            Kind::Mention(mentioned) => self.room == 0 || mentioned == user,
            Kind::Hint => false,
        };
        is_wanted && self.sender != Some(user)
    }

    pub(super) fn unread_by(&self, number: usize, user: usize) -> Unread {
        let is_mention = self.kind == Kind::Mention(user);
        Unread { room: self.room, message: number, text: Some(number.to_string()), is_mention }
    }
}

/// A message that is unread.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    pub(super) room: usize,
    /// The number of the message.
    pub(super) message: usize,
    /// What a push may say of it; `None` where nobody remembers.
    pub(super) text: Option<String>,
    pub(super) is_mention: bool,
}

/// A push that is not answered yet.
#[derive(Debug)]
pub(super) struct InFlight {
    push: Publish,
    since: f64,
    about: BTreeSet<u32>,
}

/// What is unread is identified by when it was sent. What nobody remembers is as new as its bounce.
#[derive(Debug, Default)]
pub(super) struct ReferenceDevice {
    pub(super) unread: BTreeMap<u32, Unread>,
    pending: BTreeSet<u32>,
    pub(super) in_flight: Option<InFlight>,
    /// What bounced, by room, message, and whether it was remembered.
    bounced: BTreeSet<(usize, usize, bool)>,
    /// The messages it ever got a push for.
    pub(super) pushed: BTreeSet<usize>,
}

impl ReferenceDevice {
    pub(super) fn add_unread(&mut self, at: u32, unread: Unread) {
        self.unread.insert(at, unread);
        self.pending.insert(at);
    }

    /// As [`ReferenceDevice::add_unread`], of what bounced. Returns whether it is the first time.
    pub(super) fn add_bounced(&mut self, at: u32, unread: Unread) -> bool {
        let is_new = self.bounced.insert((unread.room, unread.message, unread.text.is_some()));
        if is_new {
            self.add_unread(at, unread);
        }
        is_new
    }

    /// Its owner is in a room, or no member of it.
    pub(super) fn forget(&mut self, room: usize) {
        self.unread.retain(|_, unread| unread.room != room);
        self.bounced.retain(|(of, _, _)| *of != room);
        let unread = &self.unread;
        self.pending.retain(|at| unread.contains_key(at));
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.about.retain(|at| unread.contains_key(at));
        }
    }

    /// A push goes to it, for all that is unread and still to be pushed.
    pub(super) fn sent(&mut self, push: Publish, now: f64) {
        let about = std::mem::take(&mut self.pending);
        self.assert_push(&push, &about);
        self.pushed.extend(about.iter().map(|at| self.unread[at].message));
        self.in_flight = Some(InFlight { push, since: now, about });
    }

    pub(super) fn pending_rooms(&self) -> impl Iterator<Item = usize> {
        self.pending.iter().map(|at| self.unread[at].room)
    }

    pub(super) fn push(&self) -> Option<&Publish> {
        self.in_flight.as_ref().map(|in_flight| &in_flight.push)
    }

    pub(super) fn is_late(&self, now: f64) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.since + REPLY_TIMEOUT <= now)
    }

    /// Its push is answered. What one that `failed` was about is to be pushed again.
    pub(super) fn answered(&mut self, failed: bool) {
        self.pending.extend(self.in_flight.take().filter(|_| failed).into_iter().flat_map(|it| it.about));
    }
}
