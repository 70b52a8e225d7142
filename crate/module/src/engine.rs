//! What Lua can ask of an engine.
//!
//! Every method converts its arguments first, asks the engine second, and converts the answer third: no Lua
//! runs while the engine is held, so Prosody may call it again from whatever our caller does next.
//!
//! An expected failure is returned as `nil` and an error `{ type, condition, text }`; anything else is
//! raised.

use mlua::serde::ser::Options as SerializeOptions;
use mlua::{
    Error, IntoLuaMulti, Lua, LuaSerdeExt, MultiValue, Result, Table, UserData, UserDataMethods, Value,
};
use muc_cloud_notify_core::Engine;
use muc_cloud_notify_core::delivery::{Disabled, Handling, Reason};
use muc_cloud_notify_core::engine::Change;
use muc_cloud_notify_core::error::RequestError;
use muc_cloud_notify_core::options::Options;
use muc_cloud_notify_core::outbox::Random;
use muc_cloud_notify_core::outcome::Outcome;
use muc_cloud_notify_core::publish_options::PublishOptions;
use muc_cloud_notify_core::registration::Registration;
use muc_cloud_notify_core::room::Knowledge;
use muc_cloud_notify_core::snapshot::Snapshot;
use muc_cloud_notify_core::undelivered::Undelivered;
use muc_cloud_notify_core::watch::Broadcast;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::facts::{self, BroadcastFacts, UndeliveredFacts};
use crate::form::Forms;
use crate::record;
use crate::registry::{self, SharedEngine};
use crate::stanza::{self, Form};
use crate::turn;

/// The engine of a MUC service, in Lua's hands.
struct Handle {
    engine: SharedEngine,
    random: Mutex<Entropy>,
    /// The metatable of `util.stanza`'s stanzas.
    stanza_mt: Table,
    forms: Forms,
}

/// A generator that is seeded by the operating system, and whose output cannot be guessed.
struct Entropy(StdRng);

impl Random for Entropy {
    fn secret(&mut self) -> [u8; 16] {
        self.0.random()
    }

    fn fraction(&mut self) -> f64 {
        self.0.random()
    }
}

/// `open(host, options, stanza_mt)`: the engine of a MUC service, and whether it is a new one. An engine
/// that is there already takes over the options.
///
/// # Errors
///
/// The options are not those the engine knows; the operating system has no randomness.
pub(crate) fn open(
    lua: &Lua,
    (host, options, stanza_mt): (String, Value, Table),
) -> Result<(mlua::AnyUserData, bool)> {
    let options: Options = facts::read(lua, options)?;
    let random = StdRng::try_from_rng(&mut rand::rngs::SysRng).map_err(Error::external)?;
    let (engine, is_new) = registry::open(&host, options.clone());
    let forms = Forms::new(lua, stanza_mt.clone())?;
    let handle = Handle { engine, random: Mutex::new(Entropy(random)), stanza_mt, forms };
    handle.ask("configure", |engine, _| engine.configure(options))?;
    Ok((lua.create_userdata(handle)?, is_new))
}

/// `close(host)`: lets go of the engine of a MUC service.
///
/// # Errors
///
/// None.
pub(crate) fn close(_: &Lua, host: String) -> Result<()> {
    registry::close(&host);
    Ok(())
}

impl Handle {
    /// Asks the engine. It is never waited for: who finds it held was called by who holds it.
    fn ask<T>(&self, method: &str, question: impl FnOnce(&mut Engine, &mut Entropy) -> T) -> Result<T> {
        #[cfg(feature = "faults")]
        crate::fault::strike(method)?;
        let held = || Error::runtime(format!("{method}: the engine was called while it was being called"));
        let mut engine = self.engine.try_lock().ok_or_else(held)?;
        let mut random = self.random.try_lock().ok_or_else(held)?;
        Ok(question(&mut engine, &mut random))
    }

    /// `user, iq, record, now` → `{ record, added, removed }`, where `record` is `nil` if nothing is left.
    fn enable(
        lua: &Lua,
        this: &Self,
        (user, iq, stored, now): (String, Table, Option<Table>, f64),
    ) -> Result<MultiValue> {
        let (iq, record) = (element(&iq)?, record::read(stored)?);
        let change = this.ask("enable", |engine, _| engine.enable(&user, &iq, record, now))?;
        change_or_error(lua, change)
    }

    /// `iq, record` → as [`Handle::enable`].
    fn disable(lua: &Lua, this: &Self, (iq, stored): (Table, Option<Table>)) -> Result<MultiValue> {
        let (iq, record) = (element(&iq)?, record::read(stored)?);
        let change = this.ask("disable", |engine, _| engine.disable(&iq, record))?;
        change_or_error(lua, change)
    }

    /// `record, key` → the record without that registration, and whether it was in it.
    fn without(lua: &Lua, _: &Self, (stored, key): (Option<Table>, String)) -> Result<(Option<Table>, bool)> {
        let mut record = record::read(stored)?;
        let was_there = record.remove_key(&key);
        Ok((record::write(lua, &record)?, was_there))
    }

    /// `user, record, renewed` → whether the user is new. `renewed` is the key of what was just asked for.
    fn register(
        _: &Lua,
        this: &Self,
        (user, stored, renewed): (String, Option<Table>, Option<String>),
    ) -> Result<bool> {
        let record = record::read(stored)?;
        this.ask("register", |engine, _| engine.register(&user, record.registrations, renewed.as_deref()))
    }

    /// `facts, message, now, present` → how many devices are told. `present`, an array of bare JIDs, is who was
    /// there when the message was sent; it may be left out where that was just now.
    fn message(
        lua: &Lua,
        this: &Self,
        (broadcast, message, now, present): (Value, Table, f64, Option<Vec<String>>),
    ) -> Result<usize> {
        let broadcast: BroadcastFacts = facts::read(lua, broadcast)?;
        let message = element(&message)?;
        let broadcast = Broadcast {
            room: &broadcast.room,
            sender: broadcast.sender.as_deref(),
            message: &message,
            privacy: broadcast.privacy(),
            keep_original: broadcast.keep_original,
            present: present.as_deref().unwrap_or_default(),
        };
        this.ask("message", |engine, _| engine.message(broadcast, now))
    }

    /// `facts, message, now` → how many devices are told. `message` may be `nil`.
    fn undelivered(
        lua: &Lua,
        this: &Self,
        (facts, message, now): (Value, Option<Table>, f64),
    ) -> Result<usize> {
        let facts: UndeliveredFacts = facts::read(lua, facts)?;
        let message = message.as_ref().map(element).transpose()?;
        let undelivered = Undelivered {
            room: &facts.room,
            user: &facts.user,
            gone: facts.gone.as_deref(),
            sender: facts.sender.as_deref(),
            message: message.as_ref(),
            key: &facts.key,
            sent: facts.sent,
            privacy: facts.privacy(),
            keep_original: facts.keep_original,
        };
        this.ask("undelivered", |engine, _| engine.undelivered(undelivered, now))
    }

    /// `now, limit, with_events` → what is to be sent, in as few values as it takes:
    ///
    /// - pushes: an array with three values for each, `id, device, summary`, where `device` is a number that
    ///   [`Handle::addressee`] knows, and `summary` a place in
    /// - summaries: an array of tables of the summary form's fields. Pushes that say the same share one.
    /// - disabled: an array of the devices that were disabled.
    /// - changed: an array of the numbers of devices whose addressee is not what it was at their last push.
    /// - events: with `with_events`, when no push is about more than one room, an array with a table for each
    ///   push of what other modules want to know: `push_info`, `mentioned`, `room`, `original`.
    fn turn(lua: &Lua, this: &Self, (now, limit, with_events): (f64, usize, bool)) -> Result<MultiValue> {
        let (turn, registrations) = this.ask("turn", |engine, random| {
            let turn = if with_events {
                engine.turn_by_room(now, limit, random)
            } else {
                engine.turn(now, limit, random)
            };
            let pushed = turn.pushes.iter().filter(|_| with_events);
            let registrations: Vec<Option<Registration>> =
                pushed.map(|push| Some(engine.addressee(push.id.device)?.1.clone())).collect();
            (turn, registrations)
        })?;
        let (pushes, summaries) = turn::write_pushes(lua, &turn.pushes)?;
        let disabled = lua.create_table()?;
        for device in &turn.disabled {
            disabled.raw_push(write_disabled(lua, device)?)?;
        }
        let changed: Vec<i64> = turn.changed.into_iter().map(turn::device_number).collect();
        let events = with_events
            .then(|| turn::write_events(lua, &turn.pushes, &registrations, Form::Stanza(&this.stanza_mt)))
            .transpose()?;
        (pushes, summaries, disabled, changed, events).into_lua_multi(lua)
    }

    /// `device` → `user, app_server, node, form`, or nothing where it is gone. `node` and `form` may be `nil`;
    /// `form` is the publish-options form as a stanza that shares parts with others, and must not be changed.
    fn addressee(lua: &Lua, this: &Self, device: i64) -> Result<MultiValue> {
        let found = this.ask("addressee", |engine, _| {
            let (user, registration) = engine.addressee(turn::device(device))?;
            let form = registration.publish_options.as_ref().map(PublishOptions::element);
            Some((user.to_owned(), registration.app_server.clone(), registration.node.clone(), form))
        })?;
        let Some((user, app_server, node, form)) = found else { return Ok(MultiValue::new()) };
        let form = form.map(|form| this.forms.write(lua, &form)).transpose()?;
        (user, app_server.as_str(), node.as_deref(), form).into_lua_multi(lua)
    }

    /// `id, from, is_error, error_type, condition, now` → whether it was expected, and what was disabled.
    fn reply(
        lua: &Lua,
        this: &Self,
        (id, from, is_error, error_type, condition, now): (
            String,
            String,
            bool,
            Option<String>,
            Option<String>,
            f64,
        ),
    ) -> Result<(bool, Option<Table>)> {
        let outcome = if is_error {
            Outcome::of_error(error_type.as_deref(), condition.as_deref())
        } else {
            Outcome::Delivered
        };
        match this.ask("reply", |engine, random| engine.reply(&id, &from, outcome, now, random))? {
            Handling::Unknown => Ok((false, None)),
            Handling::Taken => Ok((true, None)),
            Handling::Disabled(device) => Ok((true, Some(write_disabled(lua, &device)?))),
        }
    }

    /// `id, now` → what was disabled.
    fn sending_failed(lua: &Lua, this: &Self, (id, now): (String, f64)) -> Result<Option<Table>> {
        let disabled =
            this.ask("sending_failed", |engine, random| engine.sending_failed(&id, now, random))?;
        disabled.map(|device| write_disabled(lua, &device)).transpose()
    }

    /// `room, members` with members `{ jid, nick, jid, nick, … }`, `false` for no nickname.
    fn set_members(_: &Lua, this: &Self, (room, members): (String, Vec<Value>)) -> Result<()> {
        let members: Vec<Option<String>> =
            members.iter().map(|value| value.as_string().map(|text| text.to_string_lossy())).collect();
        let pairs = members.chunks_exact(2).filter_map(|pair| match pair {
            [Some(jid), nick] => Some((jid.as_str(), nick.as_deref())),
            _ => None,
        });
        this.ask("set_members", |engine, _| engine.set_members(&room, pairs))
    }

    /// `room, occupants, now` with occupants `{ jid, nick, jid, nick, … }`.
    fn set_occupants(_: &Lua, this: &Self, (room, occupants, now): (String, Vec<String>, f64)) -> Result<()> {
        let pairs = occupants.chunks_exact(2).filter_map(|pair| match pair {
            [jid, nick] => Some((jid.as_str(), nick.as_str())),
            _ => None,
        });
        this.ask("set_occupants", |engine, _| engine.set_occupants(&room, pairs, now))
    }
}

impl UserData for Handle {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("enable", Handle::enable);
        methods.add_method("disable", Handle::disable);
        methods.add_method("without", Handle::without);
        methods.add_method("register", Handle::register);
        methods.add_method("is_registered", |_, this, user: String| {
            this.ask("is_registered", |engine, _| engine.is_registered(&user))
        });
        methods.add_method("knowledge", |_, this, room: mlua::LuaString| {
            let room = room.to_str()?;
            this.ask("knowledge", |engine, _| {
                let knowledge = match engine.knowledge(&room) {
                    Knowledge::Nothing => "nothing",
                    Knowledge::Members => "members",
                    Knowledge::Complete => "complete",
                };
                (knowledge, engine.is_anybody_absent(&room))
            })
        });
        methods.add_method("set_members", Handle::set_members);
        methods.add_method("set_occupants", Handle::set_occupants);
        methods.add_method("room_restored", |_, this, room: String| {
            this.ask("room_restored", |engine, _| engine.room_restored(&room))
        });
        methods.add_method("rooms_unwatched", |_, this, ()| {
            this.ask("rooms_unwatched", |engine, _| engine.rooms_unwatched())
        });
        methods.add_method("room_destroyed", |_, this, room: String| {
            this.ask("room_destroyed", |engine, _| engine.room_destroyed(&room))
        });
        methods.add_method(
            "affiliation_changed",
            |_, this, (room, jid, is_member, nick): (String, String, bool, Option<String>)| {
                this.ask("affiliation_changed", |engine, _| {
                    engine.affiliation_changed(&room, &jid, is_member, nick.as_deref());
                })
            },
        );
        methods.add_method("occupant_present", |_, this, (room, jid, nick): (String, String, String)| {
            this.ask("occupant_present", |engine, _| engine.occupant_present(&room, &jid, &nick))
        });
        methods.add_method(
            "occupant_gone",
            |_, this, (room, jid, nick, now): (String, String, String, f64)| {
                this.ask("occupant_gone", |engine, _| engine.occupant_gone(&room, &jid, &nick, now))
            },
        );
        methods.add_method("absent", |_, this, room: String| {
            this.ask("absent", |engine, _| -> Vec<String> {
                engine.absent(&room).into_iter().map(str::to_owned).collect()
            })
        });
        methods.add_method("message", Handle::message);
        methods.add_method("undelivered", Handle::undelivered);
        methods.add_method("ping", |_, this, user: String| this.ask("ping", |engine, _| engine.ping(&user)));
        methods.add_method("turn", Handle::turn);
        methods.add_method("addressee", Handle::addressee);
        methods.add_method("next_turn", |_, this, ()| this.ask("next_turn", |engine, _| engine.next_turn()));
        methods.add_method("reply", Handle::reply);
        methods.add_method("is_wanted", |_, this, id: String| {
            this.ask("is_wanted", |engine, _| engine.is_wanted(&id))
        });
        methods.add_method("withdraw", |_, this, (id, is_unwanted): (String, bool)| {
            this.ask("withdraw", |engine, _| engine.withdraw(&id, is_unwanted))
        });
        methods.add_method("sending_failed", Handle::sending_failed);
        methods.add_method("snapshot", |lua, this, now: f64| {
            let snapshot = this.ask("snapshot", |engine, _| engine.snapshot(now))?;
            // Prosody's stores take neither mlua's null nor its metatable for arrays.
            let plain = SerializeOptions::new().serialize_none_to_null(false).set_array_metatable(false);
            lua.to_value_with(&snapshot, plain)
        });
        methods.add_method("restore", |lua, this, (snapshot, now): (Value, f64)| {
            let snapshot: Snapshot = facts::read(lua, snapshot)?;
            this.ask("restore", |engine, _| engine.restore(&snapshot, now))
        });
        methods.add_method("census", |lua, this, ()| {
            let census = this.ask("census", |engine, _| engine.census())?;
            let table = lua.create_table()?;
            table.raw_set("users", census.users)?;
            table.raw_set("devices", census.devices)?;
            table.raw_set("in_flight", census.in_flight)?;
            Ok(table)
        });
    }
}

fn element(stanza: &Table) -> Result<minidom::Element> {
    stanza::to_element(stanza)?.ok_or_else(|| Error::runtime("this table is no stanza"))
}

fn change_or_error(lua: &Lua, change: std::result::Result<Change, RequestError>) -> Result<MultiValue> {
    let change = match change {
        Ok(change) => change,
        Err(error) => {
            let table = lua.create_table()?;
            table.raw_set("type", error.error_type().as_str())?;
            table.raw_set("condition", error.condition())?;
            table.raw_set("text", error.to_string())?;
            return Ok(MultiValue::from_vec(vec![Value::Nil, Value::Table(table)]));
        }
    };
    let table = lua.create_table()?;
    table.raw_set("record", record::write(lua, &change.record)?)?;
    table.raw_set("added", change.added)?;
    table.raw_set("removed", change.removed)?;
    Ok(MultiValue::from_vec(vec![Value::Table(table)]))
}

fn write_disabled(lua: &Lua, device: &Disabled) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("user", &*device.user)?;
    table.raw_set("key", &*device.key)?;
    table.raw_set("app_server", device.app_server.as_str())?;
    match device.reason {
        Reason::Rejected(errors) => table.raw_set("errors", errors)?,
        Reason::Unreachable => {}
    }
    Ok(table)
}
