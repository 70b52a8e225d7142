//! What a turn of the outbox hands to Lua. There is one of it for every push, so it is in as few values as it
//! takes: see `turn` in the `engine` module for their meaning.

use std::collections::HashMap;

use mlua::{Lua, Result, Table};
use muc_cloud_notify_core::ids::DeviceId;
use muc_cloud_notify_core::registration::Registration;
use muc_cloud_notify_core::summary::{Push, Summary};

use crate::record;
use crate::stanza::{self, Form};

/// How many values there are for each push.
const VALUES: usize = 3;

/// Writes the pushes, and the summaries that they share.
pub(crate) fn write_pushes(lua: &Lua, pushes: &[Push]) -> Result<(Table, Table)> {
    let table = lua.create_table_with_capacity(pushes.len() * VALUES, 0)?;
    let summaries = lua.create_table()?;
    let mut places: HashMap<&Summary, usize> = HashMap::new();
    for (index, push) in pushes.iter().enumerate() {
        let next_place = places.len() + 1;
        let place = *places.entry(&push.summary).or_insert(next_place);
        if place == next_place {
            summaries.raw_seti(place, write_summary(lua, &push.summary)?)?;
        }
        let first = index * VALUES;
        table.raw_seti(first + 1, push.id.to_string())?;
        table.raw_seti(first + 2, device_number(push.id.device))?;
        table.raw_seti(first + 3, place)?;
    }
    Ok((table, summaries))
}

/// Writes what the events for other modules want to know of each push besides.
pub(crate) fn write_events(
    lua: &Lua,
    pushes: &[Push],
    registrations: &[Option<Registration>],
    form: Form<'_>,
) -> Result<Table> {
    let events = lua.create_table()?;
    for (push, registration) in pushes.iter().zip(registrations) {
        let table = lua.create_table()?;
        if let Some(registration) = registration {
            table.raw_set("push_info", record::write_registration(lua, registration)?)?;
        }
        table.raw_set("mentioned", push.mentioned)?;
        if let Some(content) = &push.judged_by {
            table.raw_set("room", &*content.room)?;
            if let Some(original) = &content.original {
                table.raw_set("original", stanza::from_element(lua, original, form)?)?;
            }
        }
        events.raw_push(table)?;
    }
    Ok(events)
}

fn write_summary(lua: &Lua, summary: &Summary) -> Result<Table> {
    let table = lua.create_table()?;
    for (field, value) in summary.fields() {
        table.raw_set(field, value)?;
    }
    Ok(table)
}

/// What a device is called in Lua.
pub(crate) fn device_number(device: DeviceId) -> i64 {
    device.number().cast_signed()
}

/// The device that is called so in Lua.
pub(crate) fn device(number: i64) -> DeviceId {
    DeviceId::from_number(number.cast_unsigned())
}
