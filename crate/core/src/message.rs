//! A groupchat message, read once: all that the engine wants to know of it.

mod revision;

pub(crate) use revision::{IdHash, MessageIds, Revision, StanzaIds};
