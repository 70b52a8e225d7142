//! The engine of mod_muc_cloud_notify as a Lua library, `muc_cloud_notify.so`.
//!
//! This is the only crate that knows Lua. It converts what crosses the boundary (`input`, `output`, `stanza`,
//! `publish_options`, `record`, `snapshot`, `stored_value`), keeps the engines of the process (`registry`), and lets Lua call them
//! (`engine`). No call holds an engine while Lua runs.

mod engine;
mod entropy;
#[cfg(feature = "faults")]
mod faults;
mod input;
mod originals;
mod output;
mod publish_options;
mod record;
mod registry;
mod snapshot;
mod stanza;
mod stored_value;

use mlua::{Lua, Result, Table};
use muc_cloud_notify_core::Options;

/// The number of the contract in lua/muc_cloud_notify/engine_types.lua.
const CONTRACT: u32 = 6;

/// What `package.loadlib` finds: the table `native` of the contract.
///
/// # Errors
///
/// Lua has no memory left.
#[mlua::lua_module]
fn muc_cloud_notify(lua: &Lua) -> Result<Table> {
    let exports = lua.create_table()?;
    exports.raw_set("contract", CONTRACT)?;
    exports.raw_set("default_options", output::plain(lua, &Options::default())?)?;
    exports.raw_set("open", lua.create_function(engine::open)?)?;
    exports.raw_set("close", lua.create_function(engine::close)?)?;
    #[cfg(feature = "faults")]
    exports.raw_set("fault", lua.create_function(faults::arm)?)?;
    Ok(exports)
}
