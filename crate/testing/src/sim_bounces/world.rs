//! What there is in this simulation. Elsewhere users, rooms and nodes are numbers: their places in these lists.

use crate::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};

pub(super) const USERS: [&str; 3] = [JULIET, ROMEO, NURSE];
/// Sessions of each user. They are numbered throughout.
pub(super) const SESSIONS: usize = 2;
/// In the orchard every message is wanted, in the hall those that mention the member.
pub(super) const ROOMS: [&str; 2] = [ORCHARD, HALL];
pub(super) const NODES: [&str; 2] = ["phone", "tablet"];

pub(super) fn user_of(session: usize) -> usize {
    session / SESSIONS
}
