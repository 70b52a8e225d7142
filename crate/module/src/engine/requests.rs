//! Requests: what they make of a user's record.

use mlua::{Lua, Result, Table, Value};
use muc_cloud_notify_core::UnixTime;

use super::super::input::{self, EnableFacts};
use super::super::{output, record};
use super::LuaEngine;

impl LuaEngine {
    pub(super) fn prepare_enable(
        lua: &Lua,
        this: &Self,
        (facts, iq, record, now): (Value, Table, Option<Table>, f64),
    ) -> Result<(Option<Table>, Option<Table>)> {
        let facts: EnableFacts = input::table(lua, facts)?;
        let (iq, record) = (input::stanza(&iq)?, record::read(record)?);
        let now = UnixTime::from_seconds(now);
        let change = this.with_engine("prepare_enable", |engine| {
            engine.prepare_enable(&facts.borrowed(), &iq, record, now)
        })?;
        output::change(lua, change)
    }

    pub(super) fn prepare_disable(
        lua: &Lua,
        this: &Self,
        (iq, app_server, record): (Table, Option<String>, Option<Table>),
    ) -> Result<(Option<Table>, Option<Table>)> {
        let (iq, record) = (input::stanza(&iq)?, record::read(record)?);
        let change = this.with_engine("prepare_disable", |engine| {
            engine.prepare_disable(&iq, app_server.as_deref(), record)
        })?;
        output::change(lua, change)
    }

    pub(super) fn admit_forwarding(lua: &Lua, this: &Self, user: String) -> Result<Option<Table>> {
        let admitted = this.with_engine("admit_forwarding", |engine| engine.admit_forwarding(&user))?;
        admitted.err().map(|error| output::refusal(lua, &error)).transpose()
    }

    pub(super) fn without_registration(
        lua: &Lua,
        _: &Self,
        (record, push_identifier): (Option<Table>, String),
    ) -> Result<(Option<Table>, bool)> {
        let mut record = record::read(record)?;
        let was_there = record.remove_identified(&push_identifier);
        Ok((record::write(lua, &record)?, was_there))
    }
}
