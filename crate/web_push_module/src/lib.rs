//! The library of mod_web_push_app_server, `web_push_app_server.so`: converts what crosses the boundary, and lets Lua call the app
//! server. lua/web_push_app_server/library_types.lua says what each argument and result means.

mod app_server;
mod entropy;

use mlua::{Lua, LuaString, Result, Table};
use web_push_app_server_core::{PushServices, is_public_address};

/// The number of the contract in lua/web_push_app_server/library_types.lua.
const CONTRACT: u32 = 1;

/// What `package.loadlib` finds: the table `push_library` of the contract.
///
/// # Errors
///
/// Lua has no memory left.
#[mlua::lua_module]
fn web_push_app_server(lua: &Lua) -> Result<Table> {
    let exports = lua.create_table()?;
    exports.raw_set("contract", CONTRACT)?;
    exports.raw_set("new_keys", lua.create_function(app_server::new_keys)?)?;
    exports.raw_set("open", lua.create_function(app_server::open)?)?;
    exports.raw_set("is_push_service", lua.create_function(is_push_service)?)?;
    exports.raw_set("is_public_address", lua.create_function(is_public)?)?;
    Ok(exports)
}

fn is_push_service(_: &Lua, entry: LuaString) -> Result<bool> {
    Ok(entry.to_str().is_ok_and(|entry| PushServices::is_entry(&entry)))
}

fn is_public(_: &Lua, address: LuaString) -> Result<bool> {
    Ok(address.to_str().is_ok_and(|address| is_public_address(&address)))
}
