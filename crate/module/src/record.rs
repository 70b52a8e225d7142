//! A user's record as it is stored: the format of mod_cloud_notify and of the earlier mod_muc_cloud_notify.
//!
//! A table of registrations, each under its push identifier `jid<node`, with the fields `jid`, `node`,
//! `options` (the publish-options form, preserialized) and `timestamp`, and two of ours: a `last_sign` of life, and the number of
//! its `arrival`. What else stands in a registration is other modules' and is kept.

use mlua::{Lua, Result, Table, Value};
use muc_cloud_notify_core::{AppServer, PublishOptions, Record, Registration, UnixTime};

use super::stanza::{self, Shape};
use super::stored_value;

/// The fields that are ours.
const OWN_FIELDS: [&str; 6] = ["jid", "node", "options", "timestamp", "last_sign", "arrival"];

/// Larger numbers of arrivals are not exact where a store keeps them as floating-point numbers.
const MAX_ARRIVAL: u64 = 1 << 53;

/// Reads a record; `None`: the user has never registered.
///
/// # Errors
///
/// It holds something that cannot come out of a store.
pub(crate) fn read(table: Option<Table>) -> Result<Record> {
    let mut record = Record::default();
    let Some(table) = table else { return Ok(record) };
    for pair in table.pairs() {
        let (key, value): (Value, Value) = pair?;
        match registration(&key, &value)? {
            Some(registration) => record.registrations.push(registration),
            None => record.unreadable.push((stored_value::read(&key, 0)?, stored_value::read(&value, 0)?)),
        }
    }
    Ok(record)
}

/// Writes a record; `None` where there is nothing left to store.
pub(crate) fn write(lua: &Lua, record: &Record) -> Result<Option<Table>> {
    if record.is_empty() {
        return Ok(None);
    }
    let table = lua.create_table()?;
    for registration in &record.registrations {
        table.raw_set(&*registration.push_identifier(), write_registration(lua, registration)?)?;
    }
    stored_value::write_into(lua, &record.unreadable, &table)?;
    Ok(Some(table))
}

/// Writes one registration: what `push_info` is in the events for other modules.
pub(crate) fn write_registration(lua: &Lua, registration: &Registration) -> Result<Table> {
    let table = lua.create_table()?;
    stored_value::write_into(lua, registration.extra_fields(), &table)?;
    table.raw_set("jid", registration.app_server.as_str())?;
    table.raw_set("node", registration.node.as_deref())?;
    table.raw_set("timestamp", number(registration.timestamp.as_seconds()))?;
    table.raw_set("last_sign", registration.last_sign.map(|sign| number(sign.as_seconds())))?;
    table.raw_set("arrival", registration.arrival.map(|number| Value::Integer(number as i64)))?;
    if let Some(form) = &registration.publish_options {
        table.raw_set("options", stanza::from_element(lua, &form.element(), Shape::Preserialized)?)?;
    }
    Ok(table)
}

/// Whole seconds, as other modules store them, stay whole numbers.
fn number(seconds: f64) -> Value {
    let whole = seconds as i64;
    if whole as f64 == seconds { Value::Integer(whole) } else { Value::Number(seconds) }
}

fn registration(key: &Value, value: &Value) -> Result<Option<Registration>> {
    let (Value::String(key), Value::Table(table)) = (key, value) else { return Ok(None) };
    if key.as_bytes().is_empty() {
        return Ok(None); // it would be taken for what stands in for a record
    }
    let Value::String(jid) = table.raw_get("jid")? else { return Ok(None) };
    // What is of another type than ours is nothing we can read: it is kept as it is, not guessed at.
    let node = match table.raw_get("node")? {
        Value::String(node) if !node.as_bytes().is_empty() => Some(node.to_string_lossy().into()),
        Value::String(_) | Value::Nil => None,
        _ => return Ok(None),
    };
    let publish_options = match table.raw_get("options")? {
        Value::Table(form) => match stanza::to_element(&form)? {
            Some(form) => Some(PublishOptions::from(&form)),
            None => return Ok(None),
        },
        Value::Nil => None,
        _ => return Ok(None),
    };
    let timestamp = match table.raw_get("timestamp")? {
        Value::Integer(seconds) => seconds as f64,
        Value::Number(seconds) => seconds,
        Value::Nil => 0.0,
        _ => return Ok(None),
    };
    let last_sign = match table.raw_get("last_sign")? {
        Value::Integer(seconds) => Some(seconds as f64),
        Value::Number(seconds) => Some(seconds),
        Value::Nil => None,
        _ => return Ok(None),
    };
    // One that makes no sense is none: it only says which device is the oldest.
    let arrival = match table.raw_get("arrival")? {
        Value::Integer(number) => u64::try_from(number).ok().filter(|number| *number < MAX_ARRIVAL),
        Value::Number(number) if (0.0..MAX_ARRIVAL as f64).contains(&number) => Some(number as u64),
        _ => None,
    };
    let mut extra = stored_value::read_table(table, 0)?;
    extra.retain(|(field, _)| OWN_FIELDS.iter().all(|own| *field != (*own).into()));
    let app_server = AppServer::prepared(&jid.to_string_lossy());
    let mut registration = Registration::stored(
        &key.to_string_lossy(),
        app_server,
        node,
        publish_options,
        UnixTime::from_seconds(timestamp),
    );
    registration.last_sign = last_sign.map(UnixTime::from_seconds);
    registration.arrival = arrival;
    Ok(Some(registration.with_extra_fields(extra)))
}
