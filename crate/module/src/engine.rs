//! The engine in Lua's hands: the methods of the contract, in its order (lua/muc_cloud_notify/engine_types.lua says what each
//! argument and result means).
//!
//! Every method converts its arguments first, asks the engine second, and converts the answer third: no Lua
//! runs while the engine is held, so Prosody may call it again from whatever our caller does next.

use mlua::{
    AnyUserData, Error, IntoLuaMulti, Lua, LuaString, MultiValue, Result, Table, UserData, UserDataMethods,
    Value,
};
use muc_cloud_notify_core::{Engine, Instant, Membership, Options, PublishOptions, UnixTime};

use super::entropy::Entropy;
use super::input::{self, BounceFacts, EnableFacts, MessageFacts};
use super::originals::SharedOriginals;
use super::output::{self, OwnedPushDetails};
use super::publish_options::SharedForms;
use super::record;
use super::registry::{self, SharedEngine};
use super::snapshot::{self, LuaPlan};

/// The engine of a MUC service, in Lua's hands.
struct LuaEngine {
    engine: SharedEngine,
    forms: SharedForms,
    originals: SharedOriginals,
}

/// `native.open`: the engine of a MUC service, and whether it is a new one.
///
/// # Errors
///
/// The options are not those the engine knows; the operating system has no randomness.
pub(crate) fn open(
    lua: &Lua,
    (host, options, stanza_mt): (String, Value, Table),
) -> Result<(AnyUserData, bool)> {
    let options: Options = input::table(lua, options)?;
    let (engine, is_new) = match registry::find(&host) {
        Some(engine) => (engine, false),
        None => (registry::insert(&host, Engine::new(&host, options.clone(), Entropy::new()?)), true),
    };
    let forms = SharedForms::new(lua, stanza_mt.clone())?;
    let this = LuaEngine { engine, forms, originals: SharedOriginals::new(stanza_mt) };
    this.with_engine("configure", |engine| engine.configure(options))?;
    Ok((lua.create_userdata(this)?, is_new))
}

/// `native.close`: lets go of the engine of a MUC service.
///
/// # Errors
///
/// None.
pub(crate) fn close(_: &Lua, host: String) -> Result<()> {
    registry::remove(&host);
    Ok(())
}

impl LuaEngine {
    /// Asks the engine. Never blocks: if the engine is held, its holder is further up this call stack.
    fn with_engine<T>(&self, method: &str, question: impl FnOnce(&mut Engine) -> T) -> Result<T> {
        #[cfg(feature = "faults")]
        super::faults::strike(method)?;
        let held = || Error::runtime(format!("{method}: the engine was called while it was being called"));
        let mut engine = self.engine.try_lock().ok_or_else(held)?;
        Ok(question(&mut engine))
    }

    fn prepare_enable(
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

    fn prepare_disable(
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

    fn without_registration(
        lua: &Lua,
        _: &Self,
        (record, push_identifier): (Option<Table>, String),
    ) -> Result<(Option<Table>, bool)> {
        let mut record = record::read(record)?;
        let was_there = record.remove_identified(&push_identifier);
        Ok((record::write(lua, &record)?, was_there))
    }

    fn set_registrations(
        _: &Lua,
        this: &Self,
        (user, record, renewed): (String, Option<Table>, Option<String>),
    ) -> Result<bool> {
        let record = record::read(record)?;
        this.with_engine("set_registrations", |engine| {
            engine.set_registrations(&user, record.registrations, renewed.as_deref())
        })
    }

    fn establish(_: &Lua, this: &Self, user: String) -> Result<()> {
        this.with_engine("establish", |engine| engine.establish(&user))
    }

    fn set_suspended(_: &Lua, this: &Self, (user, is_suspended): (String, bool)) -> Result<()> {
        this.with_engine("set_suspended", |engine| engine.set_suspended(&user, is_suspended))
    }

    fn begin_members(_: &Lua, this: &Self, room: String) -> Result<()> {
        this.with_engine("begin_members", |engine| engine.begin_members(&room))
    }

    fn add_members(
        _: &Lua,
        this: &Self,
        (room, members, without_consent): (String, Table, Option<Vec<String>>),
    ) -> Result<()> {
        let members = input::strings(&members)?;
        let members = members.iter().map(|(jid, nick)| (jid.as_str(), nick.as_deref()));
        let without_consent = without_consent.iter().flatten().map(String::as_str);
        this.with_engine("add_members", |engine| engine.add_members(&room, members, without_consent))
    }

    fn end_members(_: &Lua, this: &Self, room: String) -> Result<bool> {
        this.with_engine("end_members", |engine| engine.end_members(&room))
    }

    fn set_occupants(_: &Lua, this: &Self, (room, occupants, now): (String, Table, f64)) -> Result<()> {
        let occupants = input::strings(&occupants)?;
        let occupants = occupants.iter().filter_map(|(nick, jid)| Some((jid.as_deref()?, nick.as_str())));
        let now = Instant::from_seconds(now);
        this.with_engine("set_occupants", |engine| engine.set_occupants(&room, occupants, now))
    }

    fn forget_room(_: &Lua, this: &Self, room: String) -> Result<()> {
        this.with_engine("forget_room", |engine| engine.forget_room(&room))
    }

    fn forget_rooms(_: &Lua, this: &Self, _: ()) -> Result<()> {
        this.with_engine("forget_rooms", Engine::forget_rooms)
    }

    fn room_destroyed(_: &Lua, this: &Self, room: String) -> Result<()> {
        this.with_engine("room_destroyed", |engine| engine.room_destroyed(&room))
    }

    fn affiliation_changed(
        _: &Lua,
        this: &Self,
        (room, bare_jid, is_member, nick, lacks_consent): (
            String,
            String,
            bool,
            Option<String>,
            Option<bool>,
        ),
    ) -> Result<()> {
        let membership = match (is_member, lacks_consent) {
            (false, _) => Membership::None,
            (true, Some(true)) => Membership::WithoutConsent,
            (true, _) => Membership::Consented,
        };
        this.with_engine("affiliation_changed", |engine| {
            engine.affiliation_changed(&room, &bare_jid, membership, nick.as_deref());
        })
    }

    fn occupant_present(
        _: &Lua,
        this: &Self,
        (room, bare_jid, nick): (String, String, String),
    ) -> Result<()> {
        this.with_engine("occupant_present", |engine| engine.occupant_present(&room, &bare_jid, &nick))
    }

    fn occupant_gone(
        _: &Lua,
        this: &Self,
        (room, bare_jid, nick, now): (String, String, String, f64),
    ) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("occupant_gone", |engine| engine.occupant_gone(&room, &bare_jid, &nick, now))
    }

    fn handle_message(lua: &Lua, this: &Self, (facts, message, now): (Value, Table, f64)) -> Result<usize> {
        let facts: MessageFacts = input::table(lua, facts)?;
        let (message, now) = (input::stanza(&message)?, Instant::from_seconds(now));
        this.with_engine("handle_message", |engine| engine.handle_message(facts.broadcast(&message), now))
    }

    fn handle_bounce(
        lua: &Lua,
        this: &Self,
        (facts, message, now): (Value, Option<Table>, f64),
    ) -> Result<usize> {
        let facts: BounceFacts = input::table(lua, facts)?;
        let message = message.as_ref().map(input::stanza).transpose()?;
        let now = Instant::from_seconds(now);
        this.with_engine("handle_bounce", |engine| engine.handle_bounce(facts.bounce(message.as_ref()), now))
    }

    fn handle_ping(_: &Lua, this: &Self, user: String) -> Result<usize> {
        this.with_engine("handle_ping", |engine| engine.handle_ping(&user))
    }

    fn handle_result(_: &Lua, this: &Self, (id, from, now): (String, String, f64)) -> Result<bool> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_result", |engine| engine.handle_result(&id, &from, now))
    }

    fn handle_error(
        _: &Lua,
        this: &Self,
        (id, from, error_type, condition, now): (String, String, Option<String>, Option<String>, f64),
    ) -> Result<bool> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_error", |engine| {
            engine.handle_error(&id, &from, error_type.as_deref(), condition.as_deref(), now)
        })
    }

    fn handle_send_failure(_: &Lua, this: &Self, (id, now): (String, f64)) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_send_failure", |engine| engine.handle_send_failure(&id, now))
    }

    fn withdraw(_: &Lua, this: &Self, id: String) -> Result<()> {
        this.with_engine("withdraw", |engine| engine.withdraw(&id))
    }

    fn suppress(_: &Lua, this: &Self, id: String) -> Result<()> {
        this.with_engine("suppress", |engine| engine.suppress(&id))
    }

    fn handle_timeout(_: &Lua, this: &Self, now: f64) -> Result<()> {
        this.with_engine("handle_timeout", |engine| engine.handle_timeout(Instant::from_seconds(now)))
    }

    fn spread(_: &Lua, this: &Self, _: ()) -> Result<bool> {
        this.with_engine("spread", Engine::spread)
    }

    fn restore(lua: &Lua, this: &Self, (part, now): (Table, f64)) -> Result<usize> {
        let (part, lost) = snapshot::read(lua, &part)?;
        let now = Instant::from_seconds(now);
        this.with_engine("restore", |engine| lost + engine.restore(&part, now))
    }

    /// There is one of these calls for every push, so what it returns is in as few values as it takes, and no table.
    fn poll_push(lua: &Lua, this: &Self, (now, scope): (f64, LuaString)) -> Result<MultiValue> {
        let (now, scope) = (Instant::from_seconds(now), input::scope(&scope)?);
        match this.with_engine("poll_push", |engine| engine.poll_push(now, scope))? {
            Some(push) => {
                let device = output::device_number(push.id.device());
                (push.id.to_string(), device, push.summary).into_lua_multi(lua)
            }
            None => Ok(MultiValue::new()),
        }
    }

    fn poll_event(lua: &Lua, this: &Self, _: ()) -> Result<Option<Table>> {
        let event = this.with_engine("poll_event", Engine::poll_event)?;
        event.map(|event| output::event(lua, &event)).transpose()
    }

    fn begin_lease_check(_: &Lua, this: &Self, _: ()) -> Result<()> {
        this.with_engine("begin_lease_check", Engine::begin_lease_check)
    }

    fn next_aged_devices(lua: &Lua, this: &Self, (now, since): (f64, f64)) -> Result<Option<Vec<Table>>> {
        let (now, since) = (UnixTime::from_seconds(now), UnixTime::from_seconds(since));
        let aged = this.with_engine("next_aged_devices", |engine| engine.next_aged_devices(now, since))?;
        aged.map(|aged| aged.iter().map(|device| output::aged_device(lua, device)).collect()).transpose()
    }

    fn next_deadline(_: &Lua, this: &Self, _: ()) -> Result<(Option<f64>, Option<&'static str>)> {
        this.with_engine("next_deadline", |engine| output::deadline(engine.next_deadline()))
    }

    fn addressee(lua: &Lua, this: &Self, device: i64) -> Result<MultiValue> {
        let found = this.with_engine("addressee", |engine| {
            let (user, registration) = engine.addressee(output::device(device))?;
            let form = registration.publish_options.as_ref().map(PublishOptions::element);
            Some((user.to_owned(), registration.app_server.clone(), registration.node.clone(), form))
        })?;
        let Some((user, app_server, node, form)) = found else { return Ok(MultiValue::new()) };
        let form = form.map(|form| this.forms.write(lua, &form)).transpose()?;
        (user, app_server.as_str(), node.as_deref(), form).into_lua_multi(lua)
    }

    fn summary(lua: &Lua, this: &Self, number: u64) -> Result<Option<Table>> {
        let summary = this.with_engine("summary", |engine| engine.summary(number).cloned())?;
        summary.map(|summary| output::summary(lua, &summary)).transpose()
    }

    fn push_details(lua: &Lua, this: &Self, id: String) -> Result<Option<Table>> {
        let details =
            this.with_engine("push_details", |engine| engine.push_details(&id).map(OwnedPushDetails::from))?;
        details.map(|details| output::push_details(lua, &details, &this.originals)).transpose()
    }

    fn is_wanted(_: &Lua, this: &Self, id: String) -> Result<bool> {
        this.with_engine("is_wanted", |engine| engine.is_wanted(&id))
    }

    fn is_registered(_: &Lua, this: &Self, user: LuaString) -> Result<bool> {
        let user = user.to_str()?;
        this.with_engine("is_registered", |engine| engine.is_registered(&user))
    }

    fn coverage(_: &Lua, this: &Self, room: LuaString) -> Result<(&'static str, bool, bool)> {
        let room = room.to_str()?;
        this.with_engine("coverage", |engine| {
            (
                output::coverage(engine.coverage(&room)),
                engine.is_anybody_absent(&room),
                engine.has_devices(&room),
            )
        })
    }

    fn absent_members(_: &Lua, this: &Self, room: String) -> Result<Vec<String>> {
        this.with_engine("absent_members", |engine| {
            engine.absent_members(&room).into_iter().map(str::to_owned).collect()
        })
    }

    fn stats(lua: &Lua, this: &Self, _: ()) -> Result<Table> {
        let stats = this.with_engine("stats", |engine| engine.stats())?;
        output::stats(lua, &stats)
    }

    fn awaited_room(_: &Lua, this: &Self, _: ()) -> Result<Option<String>> {
        this.with_engine("awaited_room", |engine| engine.awaited_rooms().next().map(str::to_owned))
    }

    fn plan_snapshot(_: &Lua, this: &Self, _: ()) -> Result<(LuaPlan, usize)> {
        let plan = this.with_engine("plan_snapshot", |engine| engine.plan_snapshot())?;
        let devices = plan.devices_left();
        Ok((LuaPlan(plan), devices))
    }

    fn next_part(
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

impl UserData for LuaEngine {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        // Requests
        methods.add_method("prepare_enable", Self::prepare_enable);
        methods.add_method("prepare_disable", Self::prepare_disable);
        methods.add_method("without_registration", Self::without_registration);
        // Facts
        methods.add_method("set_registrations", Self::set_registrations);
        methods.add_method("establish", Self::establish);
        methods.add_method("set_suspended", Self::set_suspended);
        methods.add_method("begin_members", Self::begin_members);
        methods.add_method("add_members", Self::add_members);
        methods.add_method("end_members", Self::end_members);
        methods.add_method("set_occupants", Self::set_occupants);
        methods.add_method("forget_room", Self::forget_room);
        methods.add_method("forget_rooms", Self::forget_rooms);
        methods.add_method("room_destroyed", Self::room_destroyed);
        methods.add_method("affiliation_changed", Self::affiliation_changed);
        methods.add_method("occupant_present", Self::occupant_present);
        methods.add_method("occupant_gone", Self::occupant_gone);
        methods.add_method("handle_message", Self::handle_message);
        methods.add_method("handle_bounce", Self::handle_bounce);
        methods.add_method("handle_ping", Self::handle_ping);
        methods.add_method("handle_result", Self::handle_result);
        methods.add_method("handle_error", Self::handle_error);
        methods.add_method("handle_send_failure", Self::handle_send_failure);
        methods.add_method("withdraw", Self::withdraw);
        methods.add_method("suppress", Self::suppress);
        methods.add_method("handle_timeout", Self::handle_timeout);
        methods.add_method("spread", Self::spread);
        methods.add_method("restore", Self::restore);
        // Decisions
        methods.add_method("poll_push", Self::poll_push);
        methods.add_method("poll_event", Self::poll_event);
        methods.add_method("begin_lease_check", Self::begin_lease_check);
        methods.add_method("next_aged_devices", Self::next_aged_devices);
        methods.add_method("next_deadline", Self::next_deadline);
        // What the numbers mean, and a look inside
        methods.add_method("addressee", Self::addressee);
        methods.add_method("summary", Self::summary);
        methods.add_method("push_details", Self::push_details);
        methods.add_method("is_wanted", Self::is_wanted);
        methods.add_method("is_registered", Self::is_registered);
        methods.add_method("coverage", Self::coverage);
        methods.add_method("absent_members", Self::absent_members);
        methods.add_method("stats", Self::stats);
        methods.add_method("awaited_room", Self::awaited_room);
        methods.add_method("plan_snapshot", Self::plan_snapshot);
        methods.add_method("next_part", Self::next_part);
    }
}
