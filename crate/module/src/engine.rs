//! The engine in Lua's hands: the methods of the contract, in its order (lua/muc_cloud_notify/engine_types.lua says what each
//! argument and result means). The parts are the contract's sections.
//!
//! Every method converts its arguments first, asks the engine second, and converts the answer third: no Lua
//! runs while the engine is held, so Prosody may call it again from whatever our caller does next.

mod decisions;
mod facts;
mod questions;
mod requests;

use mlua::{AnyUserData, Error, Lua, Result, Table, UserData, UserDataMethods, Value};
use muc_cloud_notify_core::{Engine, Options};

use super::entropy::Entropy;
use super::input;
use super::originals::SharedOriginals;
use super::publish_options::SharedForms;
use super::registry::{self, SharedEngine};

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
}

impl UserData for LuaEngine {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        // Requests
        methods.add_method("prepare_enable", Self::prepare_enable);
        methods.add_method("prepare_disable", Self::prepare_disable);
        methods.add_method("without_registration", Self::without_registration);
        methods.add_method("admit_forwarding", Self::admit_forwarding);
        // Facts
        methods.add_method("set_registrations", Self::set_registrations);
        methods.add_method("await_registrations", Self::await_registrations);
        methods.add_method("set_account", Self::set_account);
        methods.add_method("await_accounts", Self::await_accounts);
        methods.add_method("establish", Self::establish);
        methods.add_method("set_suspended", Self::set_suspended);
        methods.add_method("set_blocked", Self::set_blocked);
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
        methods.add_method("handle_forgotten", Self::handle_forgotten);
        methods.add_method("handle_bounce", Self::handle_bounce);
        methods.add_method("handle_ping", Self::handle_ping);
        methods.add_method("handle_result", Self::handle_result);
        methods.add_method("handed_over", Self::handed_over);
        methods.add_method("put_off", Self::put_off);
        methods.add_method("handle_error", Self::handle_error);
        methods.add_method("handle_ended", Self::handle_ended);
        methods.add_method("handle_send_failure", Self::handle_send_failure);
        methods.add_method("withdraw", Self::withdraw);
        methods.add_method("suppress", Self::suppress);
        methods.add_method("set_publisher", Self::set_publisher);
        methods.add_method("link_lost", Self::link_lost);
        methods.add_method("link_restored", Self::link_restored);
        methods.add_method("handle_timeout", Self::handle_timeout);
        methods.add_method("spread", Self::spread);
        methods.add_method("prepare_restore", Self::prepare_restore);
        methods.add_method("restore", Self::restore);
        methods.add_method("keep_words", Self::keep_words);
        methods.add_method("batch_stored", Self::batch_stored);
        methods.add_method("batch_failed", Self::batch_failed);
        methods.add_method("bequest_stored", Self::bequest_stored);
        // Decisions
        methods.add_method("poll_batch", Self::poll_batch);
        methods.add_method("finish_batch", Self::finish_batch);
        methods.add_method("bequest", Self::bequest);
        methods.add_method("poll_push", Self::poll_push);
        methods.add_method("poll_event", Self::poll_event);
        methods.add_method("presumed_account", Self::presumed_account);
        methods.add_method("begin_lease_check", Self::begin_lease_check);
        methods.add_method("next_aged_devices", Self::next_aged_devices);
        methods.add_method("next_deadline", Self::next_deadline);
        // What the numbers mean, and a look inside
        methods.add_method("addressee", Self::addressee);
        methods.add_method("summary", Self::summary);
        methods.add_method("push_details", Self::push_details);
        methods.add_method("push_words", Self::push_words);
        methods.add_method("is_wanted", Self::is_wanted);
        methods.add_method("is_registered", Self::is_registered);
        methods.add_method("is_important", Self::is_important);
        methods.add_method("coverage", Self::coverage);
        methods.add_method("absent_members", Self::absent_members);
        methods.add_method("stats", Self::stats);
        methods.add_method("awaited_room", Self::awaited_room);
        methods.add_method("plan_snapshot", Self::plan_snapshot);
        methods.add_method("next_part", Self::next_part);
    }
}
