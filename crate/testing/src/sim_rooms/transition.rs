//! What can happen.

use proptest::prelude::*;

use super::revision::{Reviser, Revision};
use super::world::{NODES, ROOMS, USERS};
use crate::driver::Outcome;
use crate::service::ALL;

/// What happens in a room, whether or not the engine learns of it. Users and nicknames are numbers.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// A user becomes a member, or is none any more.
    Affiliation(usize, bool),
    /// A user enters with a nickname.
    Enter(usize, usize),
    /// A user's occupant with a nickname leaves.
    Leave(usize, usize),
}

/// What happens on a service. Users, rooms and nodes are numbers.
#[derive(Debug, Clone)]
pub enum Transition {
    /// A user registers a node.
    Enable(usize, usize),
    /// A user disables a node, or all of them.
    Disable(usize, Option<usize>),
    /// Something happens in a room, and the engine learns of it.
    InRoom(usize, Event),
    /// A user, or the room itself, says something in a room.
    Message(usize, Option<usize>),
    /// The engine is polled for so many pushes.
    Poll(usize),
    /// The app server answers one of the pushes in flight.
    Reply(usize, Outcome),
    /// Another entity answers one of the pushes in flight.
    Forgery(usize),
    /// So many seconds pass.
    Wait(f64),
    /// What the engine knows of a room may be wrong.
    ForgetRoom(usize),
    /// Things happen that the engine does not learn of: then what it knows of all rooms may be wrong.
    ForgetRooms(Vec<(usize, Event)>),
    /// A room is destroyed.
    DestroyRoom(usize),
    /// One of the newest messages, counted backwards, is to be taken back or corrected.
    Revise(usize, Reviser, Revision),
    /// The account of a user is disabled, or enabled again.
    Suspend(usize, bool),
    /// The service is stopped and started again.
    Restart,
}

/// Any course of events.
pub fn transitions() -> impl Strategy<Value = Vec<Transition>> {
    proptest::collection::vec(transition(), 1..150)
}

fn event() -> impl Strategy<Value = Event> {
    let user = 0..USERS.len();
    prop_oneof![
        3 => (user.clone(), any::<bool>()).prop_map(|(user, is_member)| Event::Affiliation(user, is_member)),
        2 => (user.clone(), 0..2_usize).prop_map(|(user, nick)| Event::Enter(user, nick)),
        3 => (user, 0..2_usize).prop_map(|(user, nick)| Event::Leave(user, nick)),
    ]
}

fn reviser() -> impl Strategy<Value = Reviser> {
    prop_oneof![
        3 => Just(Reviser::Author),
        1 => (0..USERS.len()).prop_map(Reviser::User),
        1 => Just(Reviser::Room),
    ]
}

fn transition() -> impl Strategy<Value = Transition> {
    let (user, room, node) = (0..USERS.len(), 0..ROOMS.len(), 0..NODES.len());
    let outcome = prop_oneof![
        3 => Just(Outcome::Delivered),
        2 => Just(Outcome::Transient),
        2 => Just(Outcome::Rejected),
        1 => Just(Outcome::Silent),
    ];
    let revision = prop_oneof![2 => Just(Revision::Retract), 1 => Just(Revision::Correct)];
    prop_oneof![
        6 => (user.clone(), node.clone()).prop_map(|(user, node)| Transition::Enable(user, node)),
        1 => (user.clone(), proptest::option::of(node)).prop_map(|(user, node)| Transition::Disable(user, node)),
        12 => (room.clone(), event()).prop_map(|(room, event)| Transition::InRoom(room, event)),
        12 => (room.clone(), proptest::option::of(user)).prop_map(|(room, user)| Transition::Message(room, user)),
        8 => prop_oneof![Just(1), Just(2), Just(ALL)].prop_map(Transition::Poll),
        8 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Transition::Reply(which, outcome)),
        1 => any::<usize>().prop_map(Transition::Forgery),
        3 => (0.0..200.0).prop_map(Transition::Wait),
        1 => room.clone().prop_map(Transition::ForgetRoom),
        1 => proptest::collection::vec((room.clone(), event()), 0..4).prop_map(Transition::ForgetRooms),
        1 => room.prop_map(Transition::DestroyRoom),
        6 => (0..8_usize, reviser(), revision).prop_map(|(which, by, how)| Transition::Revise(which, by, how)),
        2 => (0..USERS.len(), any::<bool>()).prop_map(|(user, is_suspended)| Transition::Suspend(user, is_suspended)),
        1 => Just(Transition::Restart),
    ]
}
