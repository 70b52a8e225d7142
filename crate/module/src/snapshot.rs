//! Parts of a snapshot as they are stored: lists that are texts with an entry in JSON on each line, which Prosody's storage
//! modules write in a fraction of the time that tables would take. Earlier versions have stored tables, which are read as well.
//!
//! Each entry stands for itself: one that cannot be read costs none of the others.

use mlua::{Lua, LuaSerdeExt, Result, Table, UserData, Value};
use muc_cloud_notify_core::{MessageState, Snapshot, SnapshotPlan};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What of a snapshot was not handed out yet, in Lua's hands.
pub(crate) struct LuaPlan(pub(crate) SnapshotPlan);

impl UserData for LuaPlan {}

/// Writes a part. Also returns how many bytes its texts have.
///
/// # Errors
///
/// Lua has no memory left.
pub(crate) fn write(lua: &Lua, part: &Snapshot) -> Result<(Table, usize)> {
    let table = lua.create_table()?;
    let mut bytes = 0;
    write_list(lua, &table, "devices", &part.devices, &mut bytes)?;
    write_list(lua, &table, "messages", &part.messages, &mut bytes)?;
    write_list(lua, &table, "nicknames", &part.nicknames, &mut bytes)?;
    write_list(lua, &table, "domains", &part.domains, &mut bytes)?;
    write_list(lua, &table, "accounts", &part.accounts, &mut bytes)?;
    write_list(lua, &table, "unread", &part.unread, &mut bytes)?;
    // What it says of nothing needs none.
    if let Some(key) = part.key.as_deref().filter(|_| bytes > 0) {
        bytes += key.len();
        table.raw_set("key", key)?;
    }
    Ok((table, bytes))
}

/// Reads a part. Also returns how many entries cannot be read.
///
/// # Errors
///
/// One of its lists is neither a text nor a table.
pub(crate) fn read(lua: &Lua, table: &Table) -> Result<(Snapshot, usize)> {
    let devices = read_list(lua, table, "devices")?;
    let messages: Vec<Option<MessageState>> = read_list(lua, table, "messages")?;
    let nicknames = read_list(lua, table, "nicknames")?;
    let domains = read_list(lua, table, "domains")?;
    let accounts = read_list(lua, table, "accounts")?;
    let unread = read_list(lua, table, "unread")?;
    let key = key(table)?;
    let lost = lost(&devices) + lost(&nicknames) + lost(&domains) + lost(&accounts) + lost(&unread);
    let part = Snapshot {
        devices: devices.into_iter().flatten().collect(),
        // Others are referred to by their places. The engine counts these.
        messages: messages.into_iter().map(|it| it.unwrap_or_else(MessageState::unreadable)).collect(),
        nicknames: nicknames.into_iter().flatten().collect(),
        domains: domains.into_iter().flatten().collect(),
        accounts: accounts.into_iter().flatten().collect(),
        unread: unread.into_iter().flatten().collect(),
        key,
    };
    Ok((part, lost))
}

/// The key of a part; `None` where it has none.
///
/// # Errors
///
/// None.
pub(crate) fn key(table: &Table) -> Result<Option<String>> {
    let key: Value = table.raw_get("key")?;
    Ok(key.as_string().map(|key| key.to_string_lossy()))
}

fn lost<T>(entries: &[Option<T>]) -> usize {
    entries.iter().filter(|entry| entry.is_none()).count()
}

/// A list in which nothing is, is left out.
fn write_list(
    lua: &Lua,
    table: &Table,
    name: &str,
    entries: &[impl Serialize],
    bytes: &mut usize,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(mlua::Error::external)?;
        text.push(b'\n');
    }
    *bytes += text.len();
    table.raw_set(name, lua.create_string(text)?)
}

/// The entries of a list; `None` for those that cannot be read.
fn read_list<T: DeserializeOwned>(lua: &Lua, table: &Table, name: &str) -> Result<Vec<Option<T>>> {
    match table.raw_get(name)? {
        Value::Nil => Ok(Vec::new()),
        Value::String(text) => {
            let text = text.as_bytes();
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            Ok(lines.map(|line| serde_json::from_slice(line).ok()).collect())
        }
        Value::Table(list) => {
            (1..=list.raw_len()).map(|place| Ok(lua.from_value(list.raw_get(place)?).ok())).collect()
        }
        value => Err(mlua::Error::runtime(format!("{name} is a {}", value.type_name()))),
    }
}
