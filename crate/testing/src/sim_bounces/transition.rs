//! What can happen.

use proptest::prelude::*;

use super::sim_session::Link;
use super::world::{NODES, ROOMS, SESSIONS, USERS};
use crate::driver::Outcome;
use crate::service::ALL;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It mentions nobody.
    Plain,
    /// It mentions a user.
    Mention(usize),
    /// It is not worth a push.
    Hint,
}

/// What happens on a service. Users, rooms, nodes, nicknames and sessions are numbers.
#[derive(Debug, Clone)]
pub enum Transition {
    /// A user registers a node.
    Enable(usize, usize),
    /// A user disables a node.
    Disable(usize, usize),
    /// In a room, a user becomes a member, or is none any more.
    Affiliation(usize, usize, bool),
    /// A session enters a room with a nickname.
    Join(usize, usize, usize),
    /// A session leaves a room.
    Leave(usize, usize),
    /// In a room, a session or the room itself says something.
    Say(usize, Option<usize>, Kind),
    /// A connection is lost, and with it so many of the last messages that were sent over it.
    Lose(usize, Link, usize),
    /// A session that hibernates resumes.
    Resume(usize),
    /// A session that hibernates does not resume.
    End(usize),
    /// One message bounces from a dead connection.
    Bounce(usize),
    /// Only so many of the last messages are remembered.
    ForgetMessages(usize),
    /// What the engine knows of a room may be wrong, and is read again.
    ForgetRoom(usize),
    /// The engine is polled for so many pushes.
    Poll(usize),
    /// The app server answers one of the pushes in flight.
    Reply(usize, Outcome),
    /// So many seconds pass.
    Wait(f64),
}

/// Any course of events.
pub fn transitions() -> impl Strategy<Value = Vec<Transition>> {
    proptest::collection::vec(transition(), 1..150)
}

fn transition() -> impl Strategy<Value = Transition> {
    let (user, room, node) = (0..USERS.len(), 0..ROOMS.len(), 0..NODES.len());
    let session = 0..USERS.len() * SESSIONS;
    let kind = prop_oneof![
        6 => Just(Kind::Plain),
        6 => user.clone().prop_map(Kind::Mention),
        1 => Just(Kind::Hint),
    ];
    let link = prop_oneof![Just(Link::Dead), Just(Link::Hibernating)];
    let outcome = prop_oneof![
        4 => Just(Outcome::Delivered),
        2 => Just(Outcome::Transient),
        1 => Just(Outcome::Rejected),
        1 => Just(Outcome::Silent),
    ];
    prop_oneof![
        2 => (user.clone(), node.clone()).prop_map(|(user, node)| Transition::Enable(user, node)),
        1 => (user.clone(), node).prop_map(|(user, node)| Transition::Disable(user, node)),
        2 => (room.clone(), user, prop_oneof![1 => Just(false), 3 => Just(true)])
            .prop_map(|(room, user, is_member)| Transition::Affiliation(room, user, is_member)),
        10 => (session.clone(), room.clone(), 0..2_usize)
            .prop_map(|(session, room, nick)| Transition::Join(session, room, nick)),
        2 => (session.clone(), room.clone()).prop_map(|(session, room)| Transition::Leave(session, room)),
        20 => (room.clone(), proptest::option::of(session.clone()), kind)
            .prop_map(|(room, session, kind)| Transition::Say(room, session, kind)),
        8 => (session.clone(), link, 0..3_usize)
            .prop_map(|(session, link, lost)| Transition::Lose(session, link, lost)),
        3 => session.clone().prop_map(Transition::Resume),
        3 => session.clone().prop_map(Transition::End),
        10 => session.prop_map(Transition::Bounce),
        1 => (0..8_usize).prop_map(Transition::ForgetMessages),
        1 => room.prop_map(Transition::ForgetRoom),
        8 => prop_oneof![Just(1), Just(ALL)].prop_map(Transition::Poll),
        8 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Transition::Reply(which, outcome)),
        2 => (0.0..200.0).prop_map(Transition::Wait),
    ]
}
