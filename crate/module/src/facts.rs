//! Facts that Lua hands over in a table.

use mlua::{Lua, LuaSerdeExt, Result, Value};
use muc_cloud_notify_core::notify_level::RoomPrivacy;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What Lua tells of a broadcast, besides the message itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BroadcastFacts {
    /// The room's bare JID.
    pub(crate) room: String,
    /// The bare JID of who wrote the message; `nil` where it is the room itself.
    pub(crate) sender: Option<String>,
    /// Whether only members may enter.
    pub(crate) members_only: bool,
    /// Whether the room is listed.
    pub(crate) public: bool,
    /// Whether another module wants to see the message.
    pub(crate) keep_original: bool,
}

impl BroadcastFacts {
    pub(crate) fn privacy(&self) -> RoomPrivacy {
        RoomPrivacy { members_only: self.members_only, public: self.public }
    }
}

/// What Lua tells of a message that came back, besides the message itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndeliveredFacts {
    /// The room's bare JID.
    pub(crate) room: String,
    /// The bare JID of who it was sent to.
    pub(crate) user: String,
    /// The nickname of their occupant that is gone with the session.
    pub(crate) gone: Option<String>,
    /// The bare JID of who wrote it, where that is known.
    pub(crate) sender: Option<String>,
    /// Tells it from all other messages of the room.
    pub(crate) key: String,
    /// When it was sent, where that is known; on the engine's clock.
    pub(crate) sent: Option<f64>,
    /// Whether only members may enter.
    pub(crate) members_only: bool,
    /// Whether the room is listed.
    pub(crate) public: bool,
    /// Whether another module wants to see the message.
    pub(crate) keep_original: bool,
}

impl UndeliveredFacts {
    pub(crate) fn privacy(&self) -> RoomPrivacy {
        RoomPrivacy { members_only: self.members_only, public: self.public }
    }
}

/// Reads a table of facts.
///
/// # Errors
///
/// A field is missing, unknown, or of the wrong type.
pub(crate) fn read<T: DeserializeOwned>(lua: &Lua, facts: Value) -> Result<T> {
    lua.from_value(facts)
}
