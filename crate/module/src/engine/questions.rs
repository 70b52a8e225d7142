//! What the numbers mean, and a look inside.

use mlua::{AnyUserData, IntoLuaMulti, Lua, LuaString, MultiValue, Result, Table};
use muc_cloud_notify_core::{Engine, Instant, PublishOptions};

use super::super::input;
use super::super::output::{self, OwnedPushDetails};
use super::super::snapshot::{self, LuaPlan};
use super::LuaEngine;

impl LuaEngine {
    pub(super) fn addressee(lua: &Lua, this: &Self, device: i64) -> Result<MultiValue> {
        let found = this.with_engine("addressee", |engine| {
            let (user, registration) = engine.addressee(output::device(device))?;
            let form = registration.publish_options.as_ref().map(PublishOptions::element);
            let way = registration.way().map(output::way);
            Some((user.to_owned(), registration.app_server.clone(), registration.node.clone(), form, way))
        })?;
        let Some((user, app_server, node, form, way)) = found else { return Ok(MultiValue::new()) };
        let form = form.map(|form| this.forms.write(lua, &form)).transpose()?;
        (user, app_server.as_str(), node.as_deref(), form, way).into_lua_multi(lua)
    }

    pub(super) fn summary(lua: &Lua, this: &Self, number: u64) -> Result<Option<Table>> {
        let summary = this.with_engine("summary", |engine| engine.summary(number).cloned())?;
        summary.map(|summary| output::summary(lua, &summary)).transpose()
    }

    pub(super) fn push_details(lua: &Lua, this: &Self, id: String) -> Result<Option<Table>> {
        let details =
            this.with_engine("push_details", |engine| engine.push_details(&id).map(OwnedPushDetails::from))?;
        details.map(|details| output::push_details(lua, &details, &this.originals)).transpose()
    }

    pub(super) fn push_words(lua: &Lua, this: &Self, id: String) -> Result<MultiValue> {
        let words = this.with_engine("push_words", |engine| {
            let words = engine.words(&id)?;
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some((words.is_mention, owned(words.sender), owned(words.body), owned(words.room)))
        })?;
        words.map_or_else(|| Ok(MultiValue::new()), |words| words.into_lua_multi(lua))
    }

    pub(super) fn is_wanted(_: &Lua, this: &Self, id: String) -> Result<bool> {
        this.with_engine("is_wanted", |engine| engine.is_wanted(&id))
    }

    pub(super) fn is_registered(_: &Lua, this: &Self, user: LuaString) -> Result<bool> {
        let user = user.to_str()?;
        this.with_engine("is_registered", |engine| engine.is_registered(&user))
    }

    pub(super) fn is_important(
        _: &Lua,
        this: &Self,
        (room, sender, message): (String, Option<String>, Table),
    ) -> Result<bool> {
        let message = input::stanza(&message)?;
        this.with_engine("is_important", |_| Engine::is_important(&room, sender.as_deref(), &message))
    }

    pub(super) fn coverage(_: &Lua, this: &Self, room: LuaString) -> Result<(&'static str, bool, bool)> {
        let room = room.to_str()?;
        this.with_engine("coverage", |engine| {
            (
                output::coverage(engine.coverage(&room)),
                engine.is_anybody_absent(&room),
                engine.has_devices(&room),
            )
        })
    }

    pub(super) fn absent_members(_: &Lua, this: &Self, room: String) -> Result<Vec<String>> {
        this.with_engine("absent_members", |engine| {
            engine.absent_members(&room).into_iter().map(str::to_owned).collect()
        })
    }

    pub(super) fn stats(lua: &Lua, this: &Self, _: ()) -> Result<Table> {
        let stats = this.with_engine("stats", |engine| engine.stats())?;
        output::stats(lua, &stats)
    }

    pub(super) fn awaited_room(_: &Lua, this: &Self, _: ()) -> Result<Option<String>> {
        this.with_engine("awaited_room", |engine| engine.awaited_rooms().next().map(str::to_owned))
    }

    pub(super) fn plan_snapshot(
        lua: &Lua,
        this: &Self,
        plan: Option<AnyUserData>,
    ) -> Result<(AnyUserData, Option<usize>)> {
        let plan = match plan {
            Some(plan) => plan,
            None => {
                let plan = this.with_engine("plan_snapshot", |engine| engine.plan_snapshot())?;
                lua.create_userdata(LuaPlan(plan))?
            }
        };
        let mut it = plan.borrow_mut::<LuaPlan>()?;
        let is_done = this.with_engine("plan_snapshot", |engine| engine.go_on_with_plan(&mut it.0))?;
        let devices = is_done.then(|| it.0.devices_left());
        drop(it);
        Ok((plan, devices))
    }

    pub(super) fn next_part(
        lua: &Lua,
        this: &Self,
        (plan, now, devices, detail): (AnyUserData, f64, usize, LuaString),
    ) -> Result<(Option<Table>, usize, usize)> {
        let mut plan = plan.borrow_mut::<LuaPlan>()?;
        let (now, detail) = (Instant::from_seconds(now), input::detail(&detail)?);
        let part =
            this.with_engine("next_part", |engine| engine.next_part(&mut plan.0, devices, detail, now))?;
        let left = plan.0.devices_left();
        match part {
            Some(part) => {
                let (table, bytes) = snapshot::write(lua, &part)?;
                Ok((Some(table), bytes, left))
            }
            None => Ok((None, 0, left)),
        }
    }
}
