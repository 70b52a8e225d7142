//! Plain values that are passed along as they are, in and out of the store.

use mlua::{Error, IntoLua, Lua, Result, Table, Value};
use muc_cloud_notify_core::{StoredTable, StoredValue};

/// How deep a stored table may be. Nothing that Prosody can store is deeper for a good reason.
const MAX_DEPTH: usize = 64;

/// Reads a table.
///
/// # Errors
///
/// It holds something that cannot be stored, or is nested too deeply, maybe in itself.
pub(crate) fn read_table(table: &Table, depth: usize) -> Result<StoredTable> {
    if depth > MAX_DEPTH {
        return Err(Error::runtime("a stored table is nested too deeply"));
    }
    table
        .pairs()
        .map(|pair| {
            let (key, value): (Value, Value) = pair?;
            Ok((read(&key, depth)?, read(&value, depth)?))
        })
        .collect()
}

/// Reads a value.
///
/// # Errors
///
/// As [`read_table`].
pub(crate) fn read(value: &Value, depth: usize) -> Result<StoredValue> {
    Ok(match value {
        Value::Boolean(value) => StoredValue::Boolean(*value),
        Value::Integer(value) => StoredValue::Integer(*value),
        Value::Number(value) => StoredValue::Number(*value),
        Value::String(value) => StoredValue::Text(value.as_bytes().as_ref().into()),
        Value::Table(table) => StoredValue::Table(read_table(table, depth + 1)?),
        value => return Err(Error::runtime(format!("a {} cannot be stored", value.type_name()))),
    })
}

/// Writes the fields of a table into a Lua table.
pub(crate) fn write_into(lua: &Lua, fields: &[(StoredValue, StoredValue)], table: &Table) -> Result<()> {
    fields.iter().try_for_each(|(key, value)| table.raw_set(write(lua, key)?, write(lua, value)?))
}

fn write(lua: &Lua, value: &StoredValue) -> Result<Value> {
    match value {
        StoredValue::Boolean(value) => value.into_lua(lua),
        StoredValue::Integer(value) => value.into_lua(lua),
        StoredValue::Number(value) => value.into_lua(lua),
        StoredValue::Text(value) => lua.create_string(value)?.into_lua(lua),
        StoredValue::Table(fields) => {
            let table = lua.create_table()?;
            write_into(lua, fields, &table)?;
            table.into_lua(lua)
        }
    }
}
