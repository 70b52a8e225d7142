-- From whom publishes leave: from the MUC service, or from the host of the user's account where the operator says so of the app
-- server (muc_push_from). Some app servers know their nodes by the domain that these were registered for, which is that of the
-- account.
--
-- Only a user of this very server has such a host. Publishes for everybody else leave from the MUC service.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;

local local_hosts = part "muc_cloud_notify/local_hosts";

-- from: as from options.lua
local function new(from)
	local is_any = next(from) ~= nil;

	-- As in muc_push_app_servers: an app server is meant by its JID, its bare JID or its domain.
	local function is_of_account(app_server)
		return (from[app_server] or from[jid_bare(app_server)] or from[jid_host(app_server)]) == "account";
	end

	-- The host that a publish leaves from; nil: the MUC service.
	local function host_for(user, app_server)
		if is_any and is_of_account(app_server) and local_hosts.is_local(user) then
			return jid_host(user);
		end
	end

	-- watch_host(host): called for each host that publishes may leave from, besides the MUC service, also for those that are
	-- activated later
	local function watch_hosts(watch_host)
		if is_any then local_hosts.watch(watch_host); end
	end

	return { host_for = host_for, watch_hosts = watch_hosts };
end

return { new = new };
