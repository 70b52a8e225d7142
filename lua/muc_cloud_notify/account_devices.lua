-- Accounts of this server that have devices of their own, registered with mod_cloud_notify on the account's host: a way to reach
-- members who have registered none here.
--
-- That module's store says which those are. It is listed once, in slices, so what it costs follows the accounts with devices;
-- from then on an account is looked at when it enables or disables push. What changes without that, as a device that the module gives up
-- or a change in another process, is found out before the next push.
--
-- A start waits a while for a store that fails, as nothing is counted for accounts that nobody knows, and then goes on without it: it is not
-- to keep everybody else from being pushed to. Nothing is lost of what the last run has left: who it was for is presumed to have devices,
-- and looked at before each push, until the accounts can be listed.
--
-- A host without mod_cloud_notify costs nothing, and nothing is asked of its storage.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local jid_join = require "util.jid".join;
local jid_split = require "util.jid".split;

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local user_lists = part "muc_cloud_notify/user_lists";

local hosts = prosody.hosts;

local module_name = "cloud_notify"; -- also the name of its store
local xmlns_push = "urn:xmpp:push:0";

-- When the accounts of a host are listed again that could not be listed.
local seconds_after_failure = 30;

-- How long a start waits for them the first time, twice as long each time, and how often: sixteen seconds, in which a store that is being
-- restarted is back. One that is not is away for longer, and messages are held for everybody meanwhile.
local first_pause, pauses = 0.25, 6;

-- parts: { engine; standby; tasks = see lua/shared/tasks.lua; accounts = see accounts.lua; awaited_accounts; blocklists; find_memberships,
-- when_searchable = see rooms.lua; is_wanted = whether accounts are to be reached at all }
local function watch(parts)
	local engine, standby, tasks, accounts, is_wanted = parts.engine, parts.standby, parts.tasks, parts.accounts, parts.is_wanted;
	local lists;
	local is_looked_at = {}; -- user -> whether it is going to be
	local is_listed = {}; -- host -> whether it is known since the module was loaded which of its accounts have devices
	local awaited; -- hosts whose accounts a start has yet to add
	local waited = 0; -- how often it has waited for them

	local function has_module(host)
		return is_wanted and lists.has_module(host);
	end

	-- Whether the account of a user has devices; nil where the store cannot tell, and why.
	local function has_devices(user)
		local username, host = jid_split(user);
		if not username or not has_module(host) then return false; end
		local ok, stored = pcall(lists.get, username, host);
		if not ok then
			module:log("debug", "Reading the devices of the account %s: %s", user, tostring(stored));
			return nil, tostring(stored);
		end
		return type(stored) == "table" and next(stored) ~= nil;
	end

	-- Whether the devices of an account can be pushed to: it has any, and is neither gone nor disabled. nil where that cannot be said, and
	-- why, or nothing where the engine knows that it has to wait. An account that is only presumed to have any was not looked at so far.
	local function may_push(user)
		local has_any, err = has_devices(user);
		if not has_any or is_listed[jid_host(user)] then return has_any, err; end
		local account, is_asked = accounts.look(user);
		if account == nil and is_asked then return nil, "the account cannot be looked at"; end
		if account == false then return false; end
		if not accounts.is_disabled(user, account) then return true; end
		parts.awaited_accounts.await_enabled(user);
		return nil;
	end

	-- Whether a user could be reached by the devices of their account, whether or not it has any now.
	local function may_reach(user)
		return has_module(jid_host(user));
	end

	local function find_rooms(user)
		parts.blocklists.look(user);
		parts.find_memberships(user, function () end);
	end

	-- on_first_device(user): called for a user who had no device before, in the same turn, so that what the user has blocked is known
	-- from then on
	local function add(user, on_first_device, pause)
		local account, is_asked = accounts.look(user, pause);
		if account == false then return; end
		if engine:set_account(user, true) then on_first_device(user); end
		if account == nil and is_asked then
			parts.awaited_accounts.await(user);
		elseif accounts.is_disabled(user, account) then
			engine:set_suspended(user, true);
		end
	end

	-- Returns whether the store could tell.
	local function look(user, pause)
		local has_any = has_devices(user);
		pause(true);
		if has_any then
			add(user, find_rooms, pause);
		elseif has_any == false then
			engine:set_account(user, false);
		end
		return has_any ~= nil;
	end

	-- Once they can be searched for, as func(pause) may make it known that they have a device. In a task; pause: see lua/shared/tasks.lua
	local function in_turn(user, func, pause)
		parts.when_searchable(user, function (pause_then) func(pause_then or pause); end, function () end); -- nobody of ours is sent away
	end

	-- From the next turn on: by then mod_cloud_notify has stored what was asked of it.
	local function look_later(event)
		local origin = event.origin;
		if not origin.username or not standby.is_serving() then return; end
		local user = jid_join(origin.username, origin.host);
		if is_looked_at[user] then return; end
		is_looked_at[user] = true;
		tasks.later("look at the devices of the account "..user, function (pause)
			in_turn(user, function (pause_then)
				is_looked_at[user] = nil;
				if not look(user, pause_then) then lists.retry(origin.host); end
			end, pause);
		end, function () end);
	end

	-- Finds out whether those accounts of a host have devices of which only the last run says so. Of one that cannot be read, that goes on
	-- to count.
	local function look_at_presumed(host, pause)
		local function next_one() return engine:presumed_account(host); end
		for user in next_one do
			guard.attempt("look at the devices of the account "..user, in_turn, user, function (pause_then) look(user, pause_then); end, pause);
			pause(true);
		end
	end

	-- Adds the accounts of a host by add_account(user, pause). Returns false where they cannot be listed, and whether that may be otherwise in a moment.
	local function load_host(host, pause, add_account)
		if not has_module(host) then return true; end
		local ok, usernames = pcall(lists.list, host, function () pause(true); end, function () return true; end);
		if not ok then
			lists.note_failure(host, usernames);
			return false, lists.can_list(host);
		end
		lists.note_success(host);
		for _, username in ipairs(usernames) do
			local user = jid_join(username, host);
			guard.attempt("take note of the devices of the account "..user, add_account, user, pause);
			pause(true);
		end
		return true;
	end

	local function add_first(user, pause)
		add(user, function () end, pause);
	end

	local function add_in_turn(user, pause)
		in_turn(user, function (pause_then) add(user, find_rooms, pause_then); end, pause);
	end

	lists = user_lists.new {
		module_name = module_name, tasks = parts.tasks, seconds_until_retry = seconds_after_failure;
		read = function (host, pause)
			if not load_host(host, pause, add_in_turn) then return false; end
			look_at_presumed(host, pause);
			is_listed[host] = true;
			return true;
		end;
		what = function (host) return "load the accounts of "..host.." with devices"; end;
		failure = function (host, err)
			return "The accounts of "..host.." with devices cannot be listed, so until they can only those are reached that are known already: "..err;
		end;
	};

	-- Adds the accounts of all hosts, before what the last run has left is taken up, and before any room is read. In a task; pause: see
	-- lua/shared/tasks.lua. Returns after how many seconds it is to be called again, nil: it is done.
	local function load(pause)
		if not awaited then
			awaited = {};
			for host in pairs(hosts) do table.insert(awaited, host); end
		end
		local left = {};
		for _, host in ipairs(awaited) do
			local is_loaded, is_waited_for = load_host(host, pause, add_first);
			if is_loaded then
				is_listed[host] = true;
			elseif is_waited_for and waited < pauses then
				table.insert(left, host);
			else
				guard.attempt("presume which accounts of "..host.." have devices", engine.await_accounts, engine, host);
				lists.retry(host);
			end
		end
		awaited = left;
		if not left[1] then return nil; end
		waited = waited + 1;
		return first_pause * 2 ^ (waited - 1);
	end

	-- The same where rooms were read already.
	local function load_again()
		for host in pairs(hosts) do
			if has_module(host) then lists.later(host); end
		end
	end

	local function forget_account(event)
		engine:set_account(jid_join(event.username, event.host), false);
	end

	local function watch_host(host)
		local events = hosts[host].events;
		for _, name in ipairs { "enable", "disable" } do
			module:hook_object_event(events, "iq-set/self/"..xmlns_push..":"..name, guard.watch("take note of a device of an account", look_later), 1);
		end
		module:hook_object_event(events, "module-loaded", guard.watch("take note of devices of accounts", function (event)
			if event.module == module_name and standby.is_serving() then lists.later(host); end
		end));
		module:hook_object_event(events, "user-registered", guard.watch("forget the devices of an earlier account", forget_account));
	end

	if is_wanted then
		local_hosts.watch(watch_host);
		local_hosts.watch_new(function (host) -- its modules may be loaded by then
			if standby.is_serving() then lists.later(host); end
		end);
		module:hook_global("user-deleted", guard.watch("forget the devices of an account that is deleted", forget_account));
	end

	return { may_push = may_push, may_reach = may_reach, load = load, load_again = load_again };
end

return { watch = watch };
