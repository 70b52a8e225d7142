-- Keeps Prosody alive when PostgreSQL is restarted.
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- LuaDBI's driver for PostgreSQL (0.7.2, and still 0.7.4) lets a prepared statement point to its connection, and does not keep
-- that from being collected as garbage. After a connection is lost, util.sql forgets it and keeps its statements until there is
-- another one: when those are collected, what they point to is gone, and the process ends with a segmentation fault.
--
-- So each connection is kept. One that is lost is closed already, and takes some hundred bytes.

module:set_global();

local is_there, dbi = pcall(require, "DBI");
if not is_there then
	module:log("debug", "LuaDBI is not there: %s", dbi);
	return;
end

local connect = dbi.Connect;
local kept = {};

local function keep(connection, ...)
	table.insert(kept, connection); -- nil where it could not be made
	return connection, ...;
end

-- It stays in place when this module is unloaded: what was kept is still pointed to.
function dbi.Connect(...)
	return keep(connect(...));
end
