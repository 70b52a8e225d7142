//! What the engine is tested with: a service with its store and its clock, two simulations that hold it against a
//! reference, and a service of any size for benchmarks.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the helpers of a test are given, the test has written"
)]

pub mod driver;
pub mod names;
pub mod seeds;
pub mod service;
pub mod sim_bounces;
pub mod sim_load;
mod sim_random;
pub mod sim_rooms;
pub mod stanza;
