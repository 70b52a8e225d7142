-- The hosts of this server that have accounts, those that are activated later included.
--
-- This file is MIT/X11 licensed.

local part = ...;

local guard = part "shared/guard";

local hosts = prosody.hosts;

-- watch_host(host): called for each of them, once
local function watch(watch_host)
	for host, session in pairs(hosts) do
		if session.type == "local" then watch_host(host); end
	end
	module:hook_global("host-activated", guard.watch("watch a host", function (host)
		if hosts[host].type == "local" then watch_host(host); end
	end));
end

return { watch = watch };
