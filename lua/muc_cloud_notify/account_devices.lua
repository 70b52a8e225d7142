-- Accounts of this server that have devices of their own, registered with mod_cloud_notify on the account's host: a way to reach
-- members who have registered none here.
--
-- That module's store says which those are. It is listed once, in slices, so what it costs follows the accounts with devices;
-- from then on an account is looked at when it enables or disables push. What changes without that, as a device that the module gives up
-- or a change in another process, is found out before the next push.
--
-- A host without mod_cloud_notify costs nothing, and nothing is asked of its storage.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local jid_join = require "util.jid".join;
local jid_split = require "util.jid".split;

local guard = part "shared/guard";
local timers = part "shared/timers";
local local_hosts = part "muc_cloud_notify/local_hosts";

local hosts = prosody.hosts;

local module_name = "cloud_notify"; -- also the name of its store
local xmlns_push = "urn:xmpp:push:0";

-- When the accounts of a host are listed again that could not be listed.
local seconds_after_failure = 30;

-- parts: { engine; standby; tasks = see lua/shared/tasks.lua; accounts = see accounts.lua; blocklists; find_memberships,
-- when_searchable = see rooms.lua; is_wanted = whether accounts are to be reached at all }
local function watch(parts)
	local engine, standby, tasks, accounts, is_wanted = parts.engine, parts.standby, parts.tasks, parts.accounts, parts.is_wanted;
	local stores = {}; -- host -> the store of mod_cloud_notify there
	local is_looked_at = {}; -- user -> whether it is going to be

	local function has_module(host)
		local session = is_wanted and hosts[host];
		return session and session.type == "local" and session.modules[module_name] ~= nil or false;
	end

	local function store_of(host)
		stores[host] = stores[host] or module:context(host):open_store(module_name);
		return stores[host];
	end

	-- Whether the account of a user has devices; nil where the store cannot tell.
	local function has_devices(user)
		local username, host = jid_split(user);
		if not username or not has_module(host) then return false; end
		local stored, err = store_of(host):get(username);
		if not stored and err then
			module:log("debug", "Reading the devices of the account %s: %s", user, err);
			return nil;
		end
		return type(stored) == "table" and next(stored) ~= nil;
	end

	-- Whether a user could be reached by the devices of their account, whether or not it has any now.
	local function may_reach(user)
		return has_module(jid_host(user));
	end

	local function find_rooms(user)
		parts.blocklists.look(user);
		parts.find_memberships(user, function () end);
	end

	-- on_first_device(user): called for a user who had no device before
	local function add(user, on_first_device)
		local account = accounts.find(user);
		if account == false then return; end
		if engine:set_account(user, true) then on_first_device(user); end
		if accounts.is_disabled(user, account) then engine:set_suspended(user, true); end
	end

	local function look(user)
		local has_any = has_devices(user);
		if has_any then
			add(user, find_rooms);
		elseif has_any == false then
			engine:set_account(user, false);
		end
	end

	-- Once they can be searched for: func() may make it known that they have a device.
	local function look_in_turn(user, func)
		parts.when_searchable(user, func, function () end); -- who has an account here is never sent away
	end

	-- From the next turn on: by then mod_cloud_notify has stored what was asked of it.
	local function look_later(event)
		local origin = event.origin;
		if not origin.username or not standby.is_serving() then return; end
		local user = jid_join(origin.username, origin.host);
		if is_looked_at[user] then return; end
		is_looked_at[user] = true;
		tasks.later("look at the devices of the account "..user, function ()
			look_in_turn(user, function ()
				is_looked_at[user] = nil;
				look(user);
			end);
		end, function () end);
	end

	-- Adds the accounts of a host by add_account(user). Returns false where they cannot be listed.
	local function load_host(host, pause, add_account)
		if not has_module(host) then return true; end
		local usernames = {};
		local ok, err = pcall(function ()
			local store = store_of(host);
			if not store.users then error("its storage cannot list its users", 0); end
			for username in store:users() do
				table.insert(usernames, username);
				pause(true);
			end
		end);
		if not ok then
			module:log("error", "The accounts of %s with devices cannot be listed, so they are not reached until they can: %s", host, tostring(err));
			return false;
		end
		for _, username in ipairs(usernames) do
			local user = jid_join(username, host);
			guard.attempt("take note of the devices of the account "..user, add_account, user);
			pause(true);
		end
		return true;
	end

	local load_later;

	local function retry(host)
		timers.add(seconds_after_failure, guard.watch("list accounts with devices again", function () load_later(host); end));
	end

	function load_later(host)
		tasks.later("load the accounts of "..host.." with devices", function (pause)
			local function add_in_turn(user)
				look_in_turn(user, function () add(user, find_rooms); end);
			end
			if not load_host(host, pause, add_in_turn) then retry(host); end
		end, function () end);
	end

	-- Adds the accounts of all hosts, before any room is read. In a task; pause: see lua/shared/tasks.lua
	local function load(pause)
		local names = {};
		for host in pairs(hosts) do table.insert(names, host); end
		local function add_first(user) add(user, function () end); end
		for _, host in ipairs(names) do
			if not load_host(host, pause, add_first) then retry(host); end
		end
	end

	-- The same where rooms were read already.
	local function load_again()
		for host in pairs(hosts) do
			if has_module(host) then load_later(host); end
		end
	end

	local function watch_host(host)
		local events = hosts[host].events;
		for _, name in ipairs { "enable", "disable" } do
			module:hook_object_event(events, "iq-set/self/"..xmlns_push..":"..name, guard.watch("take note of a device of an account", look_later), 1);
		end
		module:hook_object_event(events, "module-loaded", guard.watch("take note of devices of accounts", function (event)
			if event.module == module_name and standby.is_serving() then load_later(host); end
		end));
	end

	if is_wanted then
		local_hosts.watch(watch_host);
		local_hosts.watch_new(function (host) -- its modules may be loaded by then
			if standby.is_serving() then load_later(host); end
		end);
		module:hook_global("user-deleted", guard.watch("forget the devices of an account that is deleted", function (event)
			engine:set_account(jid_join(event.username, event.host), false);
		end));
	end

	return { has_devices = has_devices, may_reach = may_reach, load = load, load_again = load_again };
end

return { watch = watch };
