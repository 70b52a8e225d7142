//! Facts: what has happened.

use mlua::{Lua, LuaString, Result, Table, Value};
use muc_cloud_notify_core::{Engine, Instant, Membership};

use super::super::input::{self, BounceFacts, MessageFacts};
use super::super::{record, snapshot};
use super::LuaEngine;

impl LuaEngine {
    pub(super) fn set_registrations(
        _: &Lua,
        this: &Self,
        (user, record, renewed): (String, Option<Table>, Option<String>),
    ) -> Result<bool> {
        let record = record::read(record)?;
        this.with_engine("set_registrations", |engine| {
            engine.set_registrations(&user, record.registrations, renewed.as_deref())
        })
    }

    pub(super) fn await_registrations(_: &Lua, this: &Self, user: String) -> Result<bool> {
        this.with_engine("await_registrations", |engine| engine.await_registrations(&user))
    }

    pub(super) fn set_account(_: &Lua, this: &Self, (user, has_devices): (String, bool)) -> Result<bool> {
        this.with_engine("set_account", |engine| engine.set_account(&user, has_devices))
    }

    pub(super) fn await_accounts(_: &Lua, this: &Self, host: String) -> Result<()> {
        this.with_engine("await_accounts", |engine| engine.await_accounts(&host))
    }

    pub(super) fn establish(_: &Lua, this: &Self, user: String) -> Result<()> {
        this.with_engine("establish", |engine| engine.establish(&user))
    }

    pub(super) fn set_suspended(_: &Lua, this: &Self, (user, is_suspended): (String, bool)) -> Result<()> {
        this.with_engine("set_suspended", |engine| engine.set_suspended(&user, is_suspended))
    }

    pub(super) fn set_blocked(
        _: &Lua,
        this: &Self,
        (user, jids): (String, Option<Vec<String>>),
    ) -> Result<()> {
        let jids = jids.iter().flatten().map(String::as_str);
        this.with_engine("set_blocked", |engine| engine.set_blocked(&user, jids))
    }

    pub(super) fn begin_members(_: &Lua, this: &Self, room: String) -> Result<()> {
        this.with_engine("begin_members", |engine| engine.begin_members(&room))
    }

    pub(super) fn add_members(
        _: &Lua,
        this: &Self,
        (room, members, without_consent, forwarding): (String, Table, Option<Vec<String>>, Option<Table>),
    ) -> Result<()> {
        let members = input::strings(&members)?;
        let members = members.iter().map(|(jid, nick)| (jid.as_str(), nick.as_deref()));
        let without_consent = without_consent.iter().flatten().map(String::as_str);
        let forwarding = forwarding.as_ref().map(input::forwardings).transpose()?.unwrap_or_default();
        let forwarding = forwarding.iter().map(|(jid, forwarding)| (jid.as_str(), *forwarding));
        this.with_engine("add_members", |engine| {
            engine.add_members(&room, members, without_consent, forwarding);
        })
    }

    pub(super) fn end_members(_: &Lua, this: &Self, room: String) -> Result<bool> {
        this.with_engine("end_members", |engine| engine.end_members(&room))
    }

    pub(super) fn set_occupants(
        _: &Lua,
        this: &Self,
        (room, occupants, now): (String, Table, f64),
    ) -> Result<()> {
        let occupants = input::strings(&occupants)?;
        let occupants = occupants.iter().filter_map(|(nick, jid)| Some((jid.as_deref()?, nick.as_str())));
        let now = Instant::from_seconds(now);
        this.with_engine("set_occupants", |engine| engine.set_occupants(&room, occupants, now))
    }

    pub(super) fn forget_room(_: &Lua, this: &Self, room: String) -> Result<()> {
        this.with_engine("forget_room", |engine| engine.forget_room(&room))
    }

    pub(super) fn forget_rooms(_: &Lua, this: &Self, _: ()) -> Result<()> {
        this.with_engine("forget_rooms", Engine::forget_rooms)
    }

    pub(super) fn room_destroyed(_: &Lua, this: &Self, room: String) -> Result<()> {
        this.with_engine("room_destroyed", |engine| engine.room_destroyed(&room))
    }

    pub(super) fn affiliation_changed(
        _: &Lua,
        this: &Self,
        (room, bare_jid, is_member, nick, lacks_consent, forwarding): (
            String,
            String,
            bool,
            Option<String>,
            Option<bool>,
            Option<LuaString>,
        ),
    ) -> Result<()> {
        let forwarding = input::forwarding(forwarding.as_ref())?;
        let membership = match (is_member, lacks_consent) {
            (false, _) => Membership::None,
            (true, Some(true)) => Membership::WithoutConsent,
            (true, _) => Membership::Consented,
        };
        this.with_engine("affiliation_changed", |engine| {
            engine.affiliation_changed(&room, &bare_jid, membership, nick.as_deref(), forwarding);
        })
    }

    pub(super) fn occupant_present(
        _: &Lua,
        this: &Self,
        (room, bare_jid, nick): (String, String, String),
    ) -> Result<()> {
        this.with_engine("occupant_present", |engine| engine.occupant_present(&room, &bare_jid, &nick))
    }

    pub(super) fn occupant_gone(
        _: &Lua,
        this: &Self,
        (room, bare_jid, nick, now): (String, String, String, f64),
    ) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("occupant_gone", |engine| engine.occupant_gone(&room, &bare_jid, &nick, now))
    }

    pub(super) fn handle_message(
        lua: &Lua,
        this: &Self,
        (facts, message, now): (Value, Table, f64),
    ) -> Result<usize> {
        let facts: MessageFacts = input::table(lua, facts)?;
        let (message, now) = (input::stanza(&message)?, Instant::from_seconds(now));
        this.with_engine("handle_message", |engine| engine.handle_message(facts.broadcast(&message), now))
    }

    pub(super) fn handle_forgotten(
        lua: &Lua,
        this: &Self,
        (facts, messages, now): (Value, u32, f64),
    ) -> Result<usize> {
        let facts: MessageFacts = input::table(lua, facts)?;
        let now = Instant::from_seconds(now);
        this.with_engine("handle_forgotten", |engine| engine.handle_forgotten(facts.forgotten(messages), now))
    }

    pub(super) fn handle_bounce(
        lua: &Lua,
        this: &Self,
        (facts, message, now): (Value, Option<Table>, f64),
    ) -> Result<usize> {
        let facts: BounceFacts = input::table(lua, facts)?;
        let message = message.as_ref().map(input::stanza).transpose()?;
        let now = Instant::from_seconds(now);
        this.with_engine("handle_bounce", |engine| engine.handle_bounce(facts.bounce(message.as_ref()), now))
    }

    pub(super) fn handle_ping(_: &Lua, this: &Self, user: String) -> Result<usize> {
        this.with_engine("handle_ping", |engine| engine.handle_ping(&user))
    }

    pub(super) fn handle_result(
        _: &Lua,
        this: &Self,
        (id, from, now): (String, String, f64),
    ) -> Result<bool> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_result", |engine| engine.handle_result(&id, &from, now))
    }

    pub(super) fn handed_over(_: &Lua, this: &Self, (id, now): (String, f64)) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("handed_over", |engine| engine.handed_over(&id, now))
    }

    pub(super) fn put_off(_: &Lua, this: &Self, (id, now, seconds): (String, f64, f64)) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("put_off", |engine| engine.put_off(&id, now, seconds))
    }

    pub(super) fn handle_error(
        _: &Lua,
        this: &Self,
        (id, from, error_type, condition, now): (String, String, Option<String>, Option<String>, f64),
    ) -> Result<bool> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_error", |engine| {
            engine.handle_error(&id, &from, error_type.as_deref(), condition.as_deref(), now)
        })
    }

    pub(super) fn handle_ended(_: &Lua, this: &Self, (id, from, now): (String, String, f64)) -> Result<bool> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_ended", |engine| engine.handle_ended(&id, &from, now))
    }

    pub(super) fn handle_send_failure(_: &Lua, this: &Self, (id, now): (String, f64)) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("handle_send_failure", |engine| engine.handle_send_failure(&id, now))
    }

    pub(super) fn withdraw(_: &Lua, this: &Self, id: String) -> Result<()> {
        this.with_engine("withdraw", |engine| engine.withdraw(&id))
    }

    pub(super) fn suppress(_: &Lua, this: &Self, id: String) -> Result<()> {
        this.with_engine("suppress", |engine| engine.suppress(&id))
    }

    pub(super) fn set_publisher(_: &Lua, this: &Self, (id, host): (String, String)) -> Result<()> {
        this.with_engine("set_publisher", |engine| engine.set_publisher(&id, &host))
    }

    pub(super) fn link_lost(
        _: &Lua,
        this: &Self,
        (domain, now, host): (String, f64, Option<String>),
    ) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("link_lost", |engine| match host {
            Some(host) => engine.link_of_host_lost(&host, &domain, now),
            None => engine.link_lost(&domain, now),
        })
    }

    pub(super) fn link_restored(_: &Lua, this: &Self, (domain, now): (String, f64)) -> Result<()> {
        let now = Instant::from_seconds(now);
        this.with_engine("link_restored", |engine| engine.link_restored(&domain, now))
    }

    pub(super) fn handle_timeout(_: &Lua, this: &Self, now: f64) -> Result<()> {
        this.with_engine("handle_timeout", |engine| engine.handle_timeout(Instant::from_seconds(now)))
    }

    pub(super) fn spread(_: &Lua, this: &Self, _: ()) -> Result<bool> {
        this.with_engine("spread", Engine::spread)
    }

    pub(super) fn batch_stored(_: &Lua, this: &Self, (now, seconds): (f64, f64)) -> Result<()> {
        this.with_engine("batch_stored", |engine| engine.batch_stored(Instant::from_seconds(now), seconds))
    }

    pub(super) fn batch_failed(_: &Lua, this: &Self, now: f64) -> Result<()> {
        this.with_engine("batch_failed", |engine| engine.batch_failed(Instant::from_seconds(now)))
    }

    pub(super) fn bequest_stored(
        _: &Lua,
        this: &Self,
        (user, added): (String, Option<String>),
    ) -> Result<()> {
        this.with_engine("bequest_stored", |engine| engine.bequest_stored(&user, added.as_deref()))
    }

    pub(super) fn prepare_restore(_: &Lua, this: &Self, part: Table) -> Result<bool> {
        let key = snapshot::key(&part)?;
        this.with_engine("prepare_restore", |engine| key.is_none_or(|key| engine.prepare_restore(&key)))
    }

    pub(super) fn restore(lua: &Lua, this: &Self, (part, now): (Table, f64)) -> Result<usize> {
        let (part, lost) = snapshot::read(lua, &part)?;
        let now = Instant::from_seconds(now);
        this.with_engine("restore", |engine| lost + engine.restore(&part, now))
    }

    pub(super) fn keep_words(_: &Lua, this: &Self, is_asked_for: bool) -> Result<()> {
        this.with_engine("keep_words", |engine| engine.keep_words(is_asked_for))
    }
}
