-- Keeps Prosody alive when PostgreSQL is restarted.
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- LuaDBI's driver for PostgreSQL (up to 0.7.4 at least) lets a prepared statement point to its connection without keeping that
-- from being collected as garbage. After a connection is lost, util.sql forgets it and keeps its statements until there is
-- another one: when those are collected, what they point to is gone, and the process ends with a segmentation fault.
--
-- So each connection is kept. A dead one is closed already, and takes some hundred bytes.

module:set_global();

local dbi = require "DBI";

local connect = dbi.Connect;
local kept = {};

local function keep(connection, ...)
	if connection then table.insert(kept, connection); end
	return connection, ...;
end

function dbi.Connect(...)
	return keep(connect(...));
end

-- It stays in place when this module is unloaded: what was kept is still pointed to.
