//! Decisions: what is to be done.

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Result, Table};
use muc_cloud_notify_core::{Engine, Instant, Snapshot, UnixTime};

use super::super::{input, output, record, snapshot};
use super::LuaEngine;

impl LuaEngine {
    /// There is one of these calls for every push, so what it returns is in as few values as it takes, and no table.
    pub(super) fn poll_push(lua: &Lua, this: &Self, (now, scope): (f64, LuaString)) -> Result<MultiValue> {
        let (now, scope) = (Instant::from_seconds(now), input::scope(&scope)?);
        match this.with_engine("poll_push", |engine| engine.poll_push(now, scope))? {
            Some(push) => {
                let device = output::device_number(push.id.device());
                (push.id.to_string(), device, push.summary).into_lua_multi(lua)
            }
            None => Ok(MultiValue::new()),
        }
    }

    pub(super) fn poll_batch(lua: &Lua, this: &Self, now: f64) -> Result<(Option<Table>, usize)> {
        let batch = this.with_engine("poll_batch", |engine| engine.poll_batch(Instant::from_seconds(now)))?;
        write_part(lua, batch)
    }

    pub(super) fn finish_batch(lua: &Lua, this: &Self, now: f64) -> Result<(Option<Table>, usize)> {
        let batch =
            this.with_engine("finish_batch", |engine| engine.finish_batch(Instant::from_seconds(now)))?;
        write_part(lua, batch)
    }

    pub(super) fn bequest(
        lua: &Lua,
        this: &Self,
        (user, record, added, now): (String, Option<Table>, Option<String>, f64),
    ) -> Result<(Option<Table>, usize)> {
        let registrations = record::read(record)?.registrations;
        let part = this.with_engine("bequest", |engine| {
            engine.bequest(&user, &registrations, added.as_deref(), Instant::from_seconds(now))
        })?;
        write_part(lua, part)
    }

    pub(super) fn poll_event(lua: &Lua, this: &Self, _: ()) -> Result<Option<Table>> {
        let event = this.with_engine("poll_event", Engine::poll_event)?;
        event.map(|event| output::event(lua, &event)).transpose()
    }

    pub(super) fn presumed_account(_: &Lua, this: &Self, host: String) -> Result<Option<String>> {
        this.with_engine("presumed_account", |engine| engine.presumed_account(&host).map(str::to_owned))
    }

    pub(super) fn begin_lease_check(_: &Lua, this: &Self, _: ()) -> Result<()> {
        this.with_engine("begin_lease_check", Engine::begin_lease_check)
    }

    pub(super) fn next_aged_devices(
        lua: &Lua,
        this: &Self,
        (now, since): (f64, f64),
    ) -> Result<Option<Vec<Table>>> {
        let (now, since) = (UnixTime::from_seconds(now), UnixTime::from_seconds(since));
        let aged = this.with_engine("next_aged_devices", |engine| engine.next_aged_devices(now, since))?;
        aged.map(|aged| aged.iter().map(|device| output::aged_device(lua, device)).collect()).transpose()
    }

    pub(super) fn next_deadline(_: &Lua, this: &Self, _: ()) -> Result<(Option<f64>, Option<&'static str>)> {
        this.with_engine("next_deadline", |engine| output::deadline(engine.next_deadline()))
    }
}

fn write_part(lua: &Lua, part: Option<Snapshot>) -> Result<(Option<Table>, usize)> {
    let Some(part) = part else { return Ok((None, 0)) };
    let (table, bytes) = snapshot::write(lua, &part)?;
    Ok((Some(table), bytes))
}
