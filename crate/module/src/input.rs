//! What Lua hands over in tables.

use mlua::{Lua, LuaSerdeExt, LuaString, Result, Table, Value};
use muc_cloud_notify_core::{Bounce, Broadcast, Detail, Forgotten, Forwarding, Instant, RoomPrivacy, Scope};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::stanza;

/// `enable_facts` of the contract.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnableFacts {
    user: String,
    app_server: Option<String>,
    is_local: bool,
    is_member: bool,
}

impl EnableFacts {
    /// The facts as the engine takes them.
    pub(crate) fn borrowed(&self) -> muc_cloud_notify_core::EnableFacts<'_> {
        muc_cloud_notify_core::EnableFacts {
            user: &self.user,
            app_server: self.app_server.as_deref(),
            is_local: self.is_local,
            is_member: self.is_member,
        }
    }
}

/// `message_facts` of the contract: a broadcast, but for the message itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageFacts {
    room: String,
    sender: Option<String>,
    reply_author: Option<String>,
    members_only: bool,
    public: bool,
    keep_original: bool,
    #[serde(default)]
    present: Vec<String>,
}

impl MessageFacts {
    /// The broadcast that these facts and the message make.
    pub(crate) fn broadcast<'a>(&'a self, message: &'a minidom::Element) -> Broadcast<'a> {
        Broadcast {
            room: &self.room,
            sender: self.sender.as_deref(),
            reply_author: self.reply_author.as_deref(),
            message,
            privacy: RoomPrivacy { members_only: self.members_only, public: self.public },
            keep_original: self.keep_original,
            present: &self.present,
        }
    }

    /// So many messages of which these facts are all that is kept.
    pub(crate) fn forgotten(&self, messages: u32) -> Forgotten<'_> {
        Forgotten {
            room: &self.room,
            sender: self.sender.as_deref(),
            privacy: RoomPrivacy { members_only: self.members_only, public: self.public },
            present: &self.present,
            messages,
        }
    }
}

/// `bounce_facts` of the contract: a message that came back, but for the message itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BounceFacts {
    room: String,
    user: String,
    gone_nick: Option<String>,
    sender: Option<String>,
    reply_author: Option<String>,
    message_key: String,
    sent: Option<f64>,
    members_only: bool,
    public: bool,
    keep_original: bool,
}

impl BounceFacts {
    /// The bounce that these facts and the message make.
    pub(crate) fn bounce<'a>(&'a self, message: Option<&'a minidom::Element>) -> Bounce<'a> {
        Bounce {
            room: &self.room,
            user: &self.user,
            gone_nick: self.gone_nick.as_deref(),
            sender: self.sender.as_deref(),
            reply_author: self.reply_author.as_deref(),
            message,
            message_key: &self.message_key,
            sent: self.sent.map(Instant::from_seconds),
            privacy: RoomPrivacy { members_only: self.members_only, public: self.public },
            keep_original: self.keep_original,
        }
    }
}

/// Reads a table of facts or of options.
///
/// # Errors
///
/// A field is missing, unknown, or of the wrong type.
pub(crate) fn table<T: DeserializeOwned>(lua: &Lua, table: Value) -> Result<T> {
    lua.from_value(table)
}

/// Reads a stanza.
///
/// # Errors
///
/// The table is none.
pub(crate) fn stanza(table: &Table) -> Result<minidom::Element> {
    stanza::to_element(table)?.ok_or_else(|| mlua::Error::runtime("this table is no stanza"))
}

/// Reads the scope of a push.
///
/// # Errors
///
/// There is no such scope.
pub(crate) fn scope(name: &mlua::LuaString) -> Result<Scope> {
    match &*name.as_bytes() {
        b"all-rooms" => Ok(Scope::AllRooms),
        b"one-room" => Ok(Scope::OneRoom),
        _ => Err(mlua::Error::runtime("a push is about \"all-rooms\" or \"one-room\"")),
    }
}

/// Reads how much a snapshot tells.
///
/// # Errors
///
/// There is no such detail.
pub(crate) fn detail(name: &mlua::LuaString) -> Result<Detail> {
    match &*name.as_bytes() {
        b"words" => Ok(Detail::Words),
        b"counts" => Ok(Detail::Counts),
        _ => Err(mlua::Error::runtime("a snapshot tells \"words\" or \"counts\"")),
    }
}

/// Reads a table of strings by strings. What is no string is passed over as a key, and as a value it is `None`.
pub(crate) fn strings(table: &Table) -> Result<Vec<(String, Option<String>)>> {
    let mut pairs = Vec::new();
    table.for_each(|key: Value, value: Value| {
        if let Some(key) = key.as_string() {
            pairs.push((key.to_string_lossy(), value.as_string().map(|text| text.to_string_lossy())));
        }
        Ok(())
    })?;
    Ok(pairs)
}

/// `forwarding`
pub(crate) fn forwarding(name: Option<&LuaString>) -> Result<Forwarding> {
    let Some(name) = name else { return Ok(Forwarding::Unset) };
    match &*name.as_bytes() {
        b"asked" => Ok(Forwarding::Asked),
        b"refused" => Ok(Forwarding::Refused),
        _ => Err(mlua::Error::runtime("forwarding is neither \"asked\" nor \"refused\"")),
    }
}

/// `table<string, forwarding>`
pub(crate) fn forwardings(table: &Table) -> Result<Vec<(String, Forwarding)>> {
    let pairs = table.pairs::<String, LuaString>();
    pairs.map(|pair| pair.and_then(|(jid, name)| Ok((jid, forwarding(Some(&name))?)))).collect()
}
