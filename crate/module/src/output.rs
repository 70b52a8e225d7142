//! What Lua is handed: tables, and numbers that stand for what it cannot hold.

use std::sync::Arc;

use minidom::Element;
use mlua::serde::ser::Options as SerializeOptions;
use mlua::{Lua, LuaSerdeExt, Result, Table, Value};
use muc_cloud_notify_core::{
    AgedDevice, Answered, Change, Coverage, Deadline, DeviceId, Disabled, Event, PushDetails, Reason,
    RequestError, Stats, Summary, Way,
};
use serde::Serialize;

use super::originals::SharedOriginals;
use super::record;

/// What a device is called in Lua.
pub(crate) fn device_number(device: DeviceId) -> i64 {
    device.number().cast_signed()
}

/// The device that is called so in Lua.
pub(crate) fn device(number: i64) -> DeviceId {
    DeviceId::from_number(number.cast_unsigned())
}

/// Plain values: Prosody's stores take neither mlua's null nor its metatable for arrays.
pub(crate) fn plain(lua: &Lua, value: &impl Serialize) -> Result<Value> {
    lua.to_value_with(value, SerializeOptions::new().serialize_none_to_null(false).set_array_metatable(false))
}

/// `change`, or nothing and a `refusal`.
pub(crate) fn change(
    lua: &Lua,
    change: std::result::Result<Change, RequestError>,
) -> Result<(Option<Table>, Option<Table>)> {
    match change {
        Ok(change) => {
            let table = lua.create_table()?;
            table.raw_set("record", record::write(lua, &change.record)?)?;
            table.raw_set("added", change.added)?;
            table.raw_set("removed", change.removed)?;
            Ok((Some(table), None))
        }
        Err(error) => Ok((None, Some(refusal(lua, &error)?))),
    }
}

/// `refusal`
pub(crate) fn refusal(lua: &Lua, error: &RequestError) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("type", error.error_type().as_str())?;
    table.raw_set("condition", error.condition())?;
    table.raw_set("text", error.to_string())?;
    table.raw_set("unless_member", *error == RequestError::TooManyStrangers)?;
    Ok(table)
}

/// `way`
pub(crate) fn way(way: Way) -> &'static str {
    match way {
        Way::Account => "account",
        Way::Forward => "forward",
    }
}

/// An event, with its `type`.
pub(crate) fn event(lua: &Lua, event: &Event) -> Result<Table> {
    let table = lua.create_table()?;
    match event {
        Event::DeviceDisabled(Disabled { user, push_identifier, app_server, reason }) => {
            table.raw_set("type", "device-disabled")?;
            table.raw_set("user", &**user)?;
            table.raw_set("push_identifier", &**push_identifier)?;
            table.raw_set("app_server", app_server.as_str())?;
            match reason {
                Reason::Rejected(errors) => table.raw_set("errors", *errors)?,
                Reason::Unreachable => {}
                Reason::Ended => table.raw_set("has_ended", true)?,
            }
        }
        Event::DeviceAnswered(Answered { user, push_identifier }) => {
            table.raw_set("type", "device-answered")?;
            table.raw_set("user", &**user)?;
            table.raw_set("push_identifier", &**push_identifier)?;
        }
        Event::AddresseeChanged(device) => {
            table.raw_set("type", "addressee-changed")?;
            table.raw_set("device", device_number(*device))?;
        }
    }
    Ok(table)
}

/// `aged_device`
pub(crate) fn aged_device(lua: &Lua, device: &AgedDevice) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("user", &*device.user)?;
    table.raw_set("push_identifier", &*device.push_identifier)?;
    table.raw_set("app_server", device.app_server.as_str())?;
    table.raw_set("is_over", device.is_over)?;
    Ok(table)
}

/// The time and the reason of a deadline; the zero of the clock, which is always past, stands for at once.
pub(crate) fn deadline(deadline: Option<Deadline>) -> (Option<f64>, Option<&'static str>) {
    match deadline {
        Some(Deadline::PushWaiting) => (Some(0.0), Some("push waiting")),
        Some(Deadline::MessageSpreading) => (Some(0.0), Some("message spreading")),
        Some(Deadline::AnswerOverdue(at)) => (Some(at.as_seconds()), Some("answer overdue")),
        Some(Deadline::RetryDue(at)) => (Some(at.as_seconds()), Some("retry due")),
        Some(Deadline::BatchDue(at)) => (Some(at.as_seconds().max(0.0)), Some("batch due")),
        None => (None, None),
    }
}

/// The fields of the summary form.
pub(crate) fn summary(lua: &Lua, summary: &Summary) -> Result<Table> {
    let table = lua.create_table()?;
    for (field, value) in summary.fields() {
        table.raw_set(field, value)?;
    }
    Ok(table)
}

/// `push_details`
pub(crate) fn push_details(
    lua: &Lua,
    details: &OwnedPushDetails,
    originals: &SharedOriginals,
) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("push_info", record::write_registration(lua, &details.registration)?)?;
    table.raw_set("mentioned", details.is_mention)?;
    table.raw_set("room", details.room.as_deref())?;
    if let Some(original) = &details.original {
        table.raw_set("original", originals.write(lua, original)?)?;
    }
    Ok(table)
}

/// [`PushDetails`] that can leave the engine.
pub(crate) struct OwnedPushDetails {
    registration: muc_cloud_notify_core::Registration,
    is_mention: bool,
    room: Option<String>,
    original: Option<Arc<Element>>,
}

impl From<PushDetails<'_>> for OwnedPushDetails {
    fn from(details: PushDetails<'_>) -> Self {
        OwnedPushDetails {
            registration: details.registration.clone(),
            is_mention: details.is_mention,
            room: details.room.map(str::to_owned),
            original: details.original,
        }
    }
}

/// How much of a room is known.
pub(crate) fn coverage(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Nothing => "nothing",
        Coverage::Members => "members",
        Coverage::Complete => "complete",
    }
}

/// `stats`
pub(crate) fn stats(lua: &Lua, stats: &Stats) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("users", stats.users)?;
    table.raw_set("devices", stats.devices)?;
    table.raw_set("accounts", stats.accounts)?;
    table.raw_set("forwarded", stats.forwarded)?;
    table.raw_set("queued", stats.queued)?;
    table.raw_set("parked", stats.parked)?;
    table.raw_set("in_flight", stats.in_flight)?;
    table.raw_set("spreading", stats.spreading)?;
    table.raw_set("unstored", stats.unstored)?;
    table.raw_set("next_deadline", deadline(stats.next_deadline).1)?;
    Ok(table)
}
