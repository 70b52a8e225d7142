//! Members who look present although their connection is lost. Messages, lost and resumed connections, bounces and visits
//! come in any order. In the end a member who wants a message and whose clients never got it has got a push for it, and
//! nobody else ever has.
//!
//! With one exception: what bounced from one session of a member is pushed to them although another session got it, if
//! that one has gone or hibernates by then. The engine knows of occupants, not of sessions and what each was sent: Lua
//! takes care of that (`elsewhere` of mod_muc_undelivered), before it asks the engine.
//!
//! A run takes [`transitions`], applies one after the other to a [`Simulation`], and lets it [settle](Simulation::settle).

mod assertions;
mod connections;
mod reference;
mod sim_app_servers;
mod sim_session;
mod simulation;
mod transition;

use crate::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};

pub use sim_session::Link;
pub use simulation::Simulation;
pub use transition::{Kind, Transition, transitions};

const USERS: [&str; 3] = [JULIET, ROMEO, NURSE];
/// Of each user.
const SESSIONS: usize = 2;
/// In the orchard every message is wanted, in the hall those that mention the member.
const ROOMS: [&str; 2] = [ORCHARD, HALL];
const NODES: [&str; 2] = ["phone", "tablet"];

fn user_of(session: usize) -> usize {
    session / SESSIONS
}
