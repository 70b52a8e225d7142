//! A session of a user, and its connection.

use std::collections::VecDeque;

/// How the connection of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// What is sent over it arrives.
    Alive,
    /// It is lost, but nobody knows yet. What is sent over it bounces some time.
    Dead,
    /// Its server knows that it is lost (XEP-0198): what the session is sent is kept until it resumes, or bounces when
    /// it does not.
    Hibernating,
}

/// A session.
#[derive(Debug)]
pub(super) struct SimSession {
    pub(super) link: Link,
    /// By room, the number of its nickname.
    pub(super) nicks: [Option<usize>; 2],
    /// What its client has got, in the order of sending, and may yet turn out to have lost.
    pub(super) sent: Vec<usize>,
    /// What will bounce, or be sent again, in the order of sending.
    pub(super) queue: VecDeque<usize>,
}

impl SimSession {
    /// A session that is connected, and in no room.
    pub(super) fn new() -> Self {
        SimSession { link: Link::Alive, nicks: [None; 2], sent: Vec::new(), queue: VecDeque::new() }
    }

    /// Whether it looks present in a room, though its connection may be dead.
    pub(super) fn looks_present(&self, room: usize) -> bool {
        self.nicks[room].is_some() && self.link != Link::Hibernating
    }
}
