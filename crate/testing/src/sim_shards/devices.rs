//! Devices as they are: what their owners have read, and what they were told.

use super::layout::SLOTS;

/// How long an answer is waited for at least, whatever is known of the app server.
pub(super) const LEAST_PATIENCE: f64 = 15.0;

/// The one device of a user.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SimDevice {
    /// How many messages of each room are read.
    pub(super) read: [u32; SLOTS],
    /// Whether the owner is in a room.
    pub(super) is_present: [bool; SLOTS],
    /// A push is on its way since then.
    pub(super) sent: Option<f32>,
    /// The newest message that the device has heard of.
    pub(super) told: u32,
    /// The newest message of which it may have heard by a push that did not tell of all: others were still on their way to it.
    pub(super) partly_told: u32,
    /// The newest message that this run of the engine knows it to have heard of.
    pub(super) answered: u32,
}

/// What a push stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) device: u32,
    pub(super) app_server: u8,
    /// The run of the shard, and how often the link was lost in it.
    pub(super) run: u32,
    pub(super) epoch: u32,
    pub(super) sent: f64,
    /// The newest message that it tells of; 0 where it does not tell of all.
    pub(super) covers: u32,
    /// The newest message that there was.
    pub(super) newest: u32,
}
