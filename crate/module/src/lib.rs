//! The engine of mod_muc_cloud_notify as a Lua library, `muc_cloud_notify.so`.
//!
//! This is the only crate that knows Lua. It converts what crosses the boundary (`stanza`, `stored`,
//! `record`, `facts`), keeps the engines of the process (`registry`), and lets Lua call them
//! (`engine`). No call holds an engine while Lua runs.

mod engine;
mod facts;
#[cfg(feature = "faults")]
mod fault;
mod form;
mod record;
mod registry;
mod stanza;
mod stored;
mod turn;

use mlua::{Lua, Result, Table};

/// What `package.loadlib` finds: a table with
///
/// - `version`: the version of this library, which has to be that of the Lua files;
/// - `open(host, options, stanza_mt)`: the engine of a MUC service, and whether it is a new one;
/// - `close(host)`: lets go of it.
///
/// # Errors
///
/// Lua has no memory left.
#[mlua::lua_module]
fn muc_cloud_notify(lua: &Lua) -> Result<Table> {
    let exports = lua.create_table()?;
    exports.raw_set("version", env!("CARGO_PKG_VERSION"))?;
    exports.raw_set("open", lua.create_function(engine::open)?)?;
    exports.raw_set("close", lua.create_function(engine::close)?)?;
    #[cfg(feature = "faults")]
    exports.raw_set("fault", lua.create_function(fault::arm)?)?;
    Ok(exports)
}
