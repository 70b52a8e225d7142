//! Hostile input for the engine.
//!
//! A target turns bytes into what a stranger may send, hands it to the engine, and panics where something is not as it must
//! be. The bytes are read as [`choices`], so that most of them make stanzas that come far: names that mean something, and
//! shapes that are hard on a reader ([`stanza`]).
//!
//! The same targets are run by `cargo test`, with the kept inputs in `inputs/` and random ones for some seconds, and by
//! libFuzzer, which knows what parts of the engine an input has reached (`make fuzz`). An input that has found something is
//! kept.

#![expect(clippy::expect_used, reason = "a target panics where it has found something")]

mod bounce;
pub mod choices;
mod enable;
mod message;
mod record;
mod reply;
mod room;
mod snapshot;
pub mod stanza;
mod work;

/// A target, with its name.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of the folder with its inputs.
    pub name: &'static str,
    /// Panics where the bytes find something.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target { name: "enable", run: enable::run },
    Target { name: "record", run: record::run },
    Target { name: "message", run: message::run },
    Target { name: "bounce", run: bounce::run },
    Target { name: "reply", run: reply::run },
    Target { name: "snapshot", run: snapshot::run },
];
