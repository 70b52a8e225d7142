//! A simulation of a whole service: the engine as the Lua files drive it, with a store that fails, app servers that answer as
//! they please, clocks, and a Prosody that is stopped, or killed between any two calls.
//!
//! One seed is one run, and always the same. What has to be true is checked all the time: nobody gets a push who is in the room,
//! no member, the sender, or has not consented; the count of each push is exact, and it says nothing that its reader does not
//! have to hear; a device has one publish in flight, and a domain no more than it may; turns end. From time to time nothing goes
//! wrong for a while: then everybody has to be told, and nothing may be left to be done.
//!
//! `promises` says what outlives a stop and a kill; `truth` is what is known to be true.

mod app_servers;
mod bequest;
mod blocking;
mod bounces;
mod calm;
mod caps;
mod devices;
mod journal;
mod leases;
mod lifecycle;
mod links;
mod module;
mod outbox_store;
mod promises;
mod reach;
mod requests;
mod revisions;
mod rooms;
mod settings;
mod simulation;
mod store;
mod texts;
mod truth;
mod ways;

pub use simulation::{Figures, Simulation};
