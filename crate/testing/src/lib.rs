//! What the engine is tested with, by its own tests and by benchmarks.
//!
//! - [`driver`] is the one place that calls the engine. It has the clock and the randomness.
//! - [`service`] adds the store of registrations, and short forms for tests of one thing; [`names`] and [`stanza`] are
//!   what these are written with.
//! - [`sim_rooms`], [`sim_bounces`] and [`sim_domains`] are simulations: each has `transitions` that a strategy makes up, a `reference` of
//!   what is known to be true, simulated surroundings (`sim_*`), and `assertions` that hold the engine against the
//!   reference. [`seeds`] says where those that found something are kept.
//! - [`sim_service`] is a whole service with its store, which is killed at any step, and [`sim_shards`] many of them that share app servers:
//!   a seed decides what happens.
//! - [`sim_load`] is a service of any size for benchmarks.
//!
//! A test of one thing:
//!
//! ```
//! use muc_cloud_notify_testing::names::{JULIET, ORCHARD};
//! use muc_cloud_notify_testing::service::{Service, with_body};
//!
//! let mut service = Service::with_juliet(with_body());
//! assert_eq!(service.say(ORCHARD, "But soft!"), 1, "she is absent");
//! assert_eq!(service.push().body(), Some("But soft!"));
//! service.occupant_present(ORCHARD, JULIET, "Juliet");
//! assert_eq!(service.say(ORCHARD, "It is the east."), 0, "she is there");
//! ```
//!
//! A run of a simulation, which panics where the engine and the reference differ:
//!
//! ```
//! use muc_cloud_notify_testing::sim_rooms::{Event, Simulation, Transition};
//!
//! let mut simulation = Simulation::new(1);
//! simulation.apply(Transition::Enable(0, 0));
//! simulation.apply(Transition::InRoom(0, Event::Affiliation(0, true)));
//! simulation.apply(Transition::Message(0, None));
//! simulation.settle();
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the helpers of a test are given, the test has written"
)]

pub mod driver;
pub mod journaled;
pub mod mutations;
pub mod names;
pub mod seeds;
pub mod service;
pub mod sim_bounces;
mod sim_chance;
pub mod sim_domains;
pub mod sim_load;
mod sim_random;
pub mod sim_rooms;
pub mod sim_service;
pub mod sim_shards;
pub mod stanza;
