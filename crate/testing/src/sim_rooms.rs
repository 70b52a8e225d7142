//! Rooms, registrations and app servers in any order of events: the engine against a reference that keeps no index, no
//! queue and no clockwork. Both agree on absent members, on pushes, and on what these say.
//!
//! A run takes [`transitions`], applies one after the other to a [`Simulation`], and lets it [settle](Simulation::settle).

mod assertions;
mod reference;
mod revision;
mod simulation;
mod transition;
mod world;

pub use revision::{Reviser, Revision};
pub use simulation::Simulation;
pub use transition::{Event, Transition, transitions};
