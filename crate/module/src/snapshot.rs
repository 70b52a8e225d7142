//! Parts of a snapshot as they are stored: lists whose entries are texts in JSON, which Prosody's storage modules write in a
//! fraction of the time that tables would take. Earlier versions have stored tables, which are read as well.
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
    Ok((table, bytes))
}

/// Reads a part. Also returns how many entries cannot be read.
///
/// # Errors
///
/// One of its lists is no table.
pub(crate) fn read(lua: &Lua, table: &Table) -> Result<(Snapshot, usize)> {
    let devices = read_list(lua, table, "devices")?;
    let messages: Vec<Option<MessageState>> = read_list(lua, table, "messages")?;
    let nicknames = read_list(lua, table, "nicknames")?;
    let lost = lost(&devices) + lost(&nicknames);
    let part = Snapshot {
        devices: devices.into_iter().flatten().collect(),
        // Others are referred to by their places. The engine counts these.
        messages: messages.into_iter().map(|it| it.unwrap_or_else(MessageState::unreadable)).collect(),
        nicknames: nicknames.into_iter().flatten().collect(),
    };
    Ok((part, lost))
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
    let list = lua.create_table_with_capacity(entries.len(), 0)?;
    for entry in entries {
        let text = serde_json::to_string(entry).map_err(mlua::Error::external)?;
        *bytes += text.len();
        list.raw_push(text)?;
    }
    table.raw_set(name, list)
}

/// The entries of a list; `None` for those that cannot be read.
fn read_list<T: DeserializeOwned>(lua: &Lua, table: &Table, name: &str) -> Result<Vec<Option<T>>> {
    let Some(list) = table.raw_get::<Option<Table>>(name)? else { return Ok(Vec::new()) };
    (1..=list.raw_len()).map(|place| Ok(read_entry(lua, list.raw_get(place)?))).collect()
}

fn read_entry<T: DeserializeOwned>(lua: &Lua, entry: Value) -> Option<T> {
    match entry {
        Value::String(text) => serde_json::from_slice(&text.as_bytes()).ok(),
        Value::Table(_) => lua.from_value(entry).ok(),
        _ => None,
    }
}
