//! Members who look present and are gone: whatever the order of what is sent, of connections that are lost and
//! resumed, of what comes back and of who enters, a member who wants a message and whose client never got it is
//! pushed to, and nobody else ever is.
//!
//! But for one thing: what came back from one session of a member is told to them though another session got it, if
//! that one has gone or hibernates by then. The engine knows of occupants, not of sessions and what each was sent:
//! that is seen to in Lua (`elsewhere` of mod_muc_undelivered), before the engine is asked.

#![expect(clippy::expect_used, reason = "what the helpers of a test are given, the test has written")]

#[path = "../common/mod.rs"]
mod common;
mod device;
mod world;

use common::{ALL, HALL, JULIET, NURSE, ORCHARD, ROMEO};
use muc_cloud_notify_core::outcome::Outcome;
use proptest::prelude::*;
use world::World;

const USERS: [&str; 3] = [JULIET, ROMEO, NURSE];
/// Of each user.
const SESSIONS: usize = 2;
/// In the orchard every message is wanted, in the hall those that mention somebody.
const ROOMS: [&str; 2] = [ORCHARD, HALL];
const NODES: [&str; 2] = ["phone", "tablet"];

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// It mentions a user.
    Mention(usize),
    /// It is not worth a push.
    Hint,
}

/// How the connection of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Alive,
    /// Nobody knows yet that it is lost. What is sent over it comes back some time.
    Dead,
    /// Its server knows (XEP-0198): what it is sent is kept until it resumes, or comes back when it does not.
    Hibernating,
}

/// Users, rooms, nodes, nicknames and sessions are numbers.
#[derive(Debug, Clone)]
enum Step {
    Enable(usize, usize),
    Disable(usize, usize),
    Affiliation(usize, usize, bool),
    Join(usize, usize, usize),
    Leave(usize, usize),
    /// A session, or the room itself, says something.
    Say(usize, Option<usize>, Kind),
    /// A connection is lost, and with it the last messages that were sent over it.
    Lose(usize, Link, usize),
    Resume(usize),
    /// A session that hibernates does not resume.
    End(usize),
    /// One message comes back over a dead connection.
    Return(usize),
    /// Only so many of the last messages are remembered.
    Forget(usize),
    Restore(usize),
    Turn(usize),
    Reply(usize, Outcome),
    Wait(f64),
}

fn step() -> impl Strategy<Value = Step> {
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
        2 => (user.clone(), node.clone()).prop_map(|(user, node)| Step::Enable(user, node)),
        1 => (user.clone(), node).prop_map(|(user, node)| Step::Disable(user, node)),
        2 => (room.clone(), user, prop_oneof![1 => Just(false), 3 => Just(true)])
            .prop_map(|(room, user, is_member)| Step::Affiliation(room, user, is_member)),
        10 => (session.clone(), room.clone(), 0..2_usize)
            .prop_map(|(session, room, nick)| Step::Join(session, room, nick)),
        2 => (session.clone(), room.clone()).prop_map(|(session, room)| Step::Leave(session, room)),
        20 => (room.clone(), proptest::option::of(session.clone()), kind)
            .prop_map(|(room, session, kind)| Step::Say(room, session, kind)),
        8 => (session.clone(), link, 0..3_usize)
            .prop_map(|(session, link, lost)| Step::Lose(session, link, lost)),
        3 => session.clone().prop_map(Step::Resume),
        3 => session.clone().prop_map(Step::End),
        10 => session.prop_map(Step::Return),
        1 => (0..8_usize).prop_map(Step::Forget),
        1 => room.prop_map(Step::Restore),
        8 => prop_oneof![Just(1), Just(ALL)].prop_map(Step::Turn),
        8 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Reply(which, outcome)),
        2 => (0.0..200.0).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_never_got_a_message_is_pushed_to_and_nobody_else(
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
        }
        world.settle();
    }
}
