-- The hosts of this server that have accounts, those that are activated later included.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

local hosts = prosody.hosts;

-- watch_host(host): called for each of them that is activated from now on
local function watch_new(watch_host)
	module:hook_global("host-activated", guard.watch("watch a host", function (host)
		if hosts[host].type == "local" then watch_host(host); end
	end));
end

-- watch_host(host): called for each of them, once
local function watch(watch_host)
	for host, session in pairs(hosts) do
		if session.type == "local" then watch_host(host); end
	end
	watch_new(watch_host);
end

-- Whether a user has an account of one of them.
local function is_local(bare_jid)
	local session = hosts[jid_host(bare_jid)];
	return session ~= nil and session.type == "local";
end

return { watch = watch, watch_new = watch_new, is_local = is_local };
