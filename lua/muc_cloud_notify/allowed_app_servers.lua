-- Whether an app server may be pushed to, as muc_push_app_servers says. The engine asks that list when a device is registered; here it
-- is asked for each push, for devices that were registered while it said something else. They stay registered.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;

local bounded_cache = part "shared/bounded_cache";

-- The log names each of so many once.
local max_told = 1000;

-- list: as from options.lua, nil: any is allowed. Returns is_allowed(app_server), by its JID, its bare JID or its domain
local function new(list)
	if not list then return function () return true; end end
	local named, is_told = {}, bounded_cache.new(max_told);
	for _, jid in ipairs(list) do named[jid] = true; end

	return function (app_server)
		if named[app_server] or named[jid_bare(app_server)] or named[jid_host(app_server)] then return true; end
		if not is_told.get(app_server) then
			is_told.set(app_server, true);
			module:log("info", "%s is not pushed to: muc_push_app_servers does not allow it. The devices there stay registered", app_server);
		end
		return false;
	end
end

return { new = new };
