//! The engine of mod_muc_cloud_notify: who of a room's members gets a push (XEP-0357), when, and what it
//! says.
//!
//! It is a state machine without I/O: it is told what happens on a MUC service, and says what is to be
//! stored and sent. It calls nobody, reads no clock, logs nothing, and has no randomness of its own.

pub mod app_server;
pub mod circuit_breaker;
pub mod delivery;
pub mod device;
pub mod engine;
pub mod error;
pub mod ids;
pub mod importance;
pub mod mention;
pub mod notify_level;
pub mod ns;
pub mod options;
pub mod outbox;
pub mod outcome;
pub mod publish_options;
pub mod registration;
pub mod request;
pub mod returned;
pub mod room;
pub mod snapshot;
pub mod summary;
pub mod undelivered;
pub mod watch;

pub use engine::Engine;
