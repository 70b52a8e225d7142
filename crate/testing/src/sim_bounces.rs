//! Members who look present although their connection is lost. Messages, lost and resumed connections, bounces and visits
//! come in any order. In the end every member that wants a message got a push for it if none of their clients got it, and
//! nobody else did.
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
mod world;

pub use sim_session::Link;
pub use simulation::Simulation;
pub use transition::{Kind, Transition, transitions};
