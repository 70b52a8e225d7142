//! What there is in this simulation. Elsewhere users, rooms and nodes are numbers: their places in these lists.

use crate::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};

pub(super) const USERS: [&str; 4] = [JULIET, ROMEO, NURSE, "tybalt@capulet.example"];
pub(super) const ROOMS: [&str; 2] = [ORCHARD, HALL];
pub(super) const NODES: [&str; 3] = ["phone", "tablet", "desk"];
pub(super) const MAX_DEVICES: usize = 2;
pub(super) const MAX_ERRORS: u32 = 3;
/// To the domain that all app servers are at.
pub(super) const MAX_IN_FLIGHT: u32 = 3;
