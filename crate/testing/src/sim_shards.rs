//! A simulation of a service that has outgrown one process: many shards, each an engine with a MUC domain, devices and a journal of
//! its own, and app servers that all of them share.
//!
//! All of them run at once, on one clock: app servers go away, said or unsaid, come back, and refuse what is too much for them;
//! shards are killed, stopped, and taken over; at one moment everybody is told something at once. One seed is one run, and always
//! the same. What has to be true: everybody hears of everything that the store knows of, and within 30 seconds of the return of
//! their app server; nobody is told of what they have read, or twice without a reason; and no app server gets more at once than
//! documented, from all shards together.
//!
//! What happens *within* a shard, step by step, is the matter of [`sim_service`](crate::sim_service).

mod app_servers;
mod devices;
mod figures;
mod layout;
mod lifecycle;
mod load;
mod pushes;
mod rooms;
mod shard;
mod simulation;
mod store;
mod timeline;

pub use figures::{AppServerFigures, Figures};
pub use layout::Size;
pub use simulation::Simulation;
