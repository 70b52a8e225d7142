-- What users of this server have blocked (XEP-0191, mod_blocklist): of a room that a user has blocked, or its service, or an
-- occupant of it, the user gets no push.
--
-- The engine knows what of this service each user with a device has blocked. It is told once the registrations are loaded, when a
-- user registers the first device, and when a user blocks or unblocks something, after mod_blocklist has stored it. So no store is
-- read for a message or a push, and nothing is kept of users who have blocked nothing here. What another process writes into that
-- store is not noticed, nor is it by mod_blocklist itself as long as that has the list in its cache.
--
-- Where a list cannot be read, what was known of the user counts, and it is tried again: users who have blocked nothing would get no
-- pushes otherwise.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local jid_join = require "util.jid".join;
local jid_resource = require "util.jid".resource;
local jid_split = require "util.jid".split;

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local user_lists = part "muc_cloud_notify/user_lists";

local hosts = prosody.hosts;

-- mod_blocklist keeps its lists in the store of its own name.
local module_name = "blocklist";

local xmlns_blocking = "urn:xmpp:blocking";

-- How much of this service somebody may have blocked, by their JIDs, and how long these may be together; of more than that, rooms
-- count first.
local max_blocked, max_bytes = 200, 16 * 1024;

-- One list that is damaged stays so until somebody mends it, and all of them are read again.
local seconds_until_retry, longest_until_retry = 60, 3600;

-- The JIDs of a list that are of this service: its own, those of rooms, and then those of occupants.
local function of_this_service(list)
	local jids, occupants = {}, {};
	for jid in pairs(list) do
		-- Most are not, and it is cheaper to see that there is no such text in it.
		if type(jid) == "string" and jid:find(module.host, 1, true) and jid_host(jid) == module.host then
			table.insert(jid_resource(jid) and occupants or jids, jid);
		end
	end
	table.move(occupants, 1, #occupants, #jids + 1, jids);
	local kept, bytes = {}, 0;
	for place = 1, math.min(#jids, max_blocked) do
		bytes = bytes + #jids[place];
		if bytes > max_bytes then break; end
		kept[place] = jids[place];
	end
	return kept;
end

-- parts: { engine; tasks = see lua/shared/tasks.lua }
local function watch(parts)
	local engine = parts.engine;
	local lists;
	local has_begun = false; -- whether all lists were read, or are being read
	local was_active = {}; -- host -> whether there was mod_blocklist when they were last read

	-- Tells the engine what a user has blocked of this service. Raises an error where that cannot be read.
	local function tell(username, host)
		local list = lists.has_module(host) and lists.get(username, host) or nil;
		engine:set_blocked(jid_join(username, host), list and of_this_service(list) or nil);
	end

	-- Tells the engine what all users of a host have blocked: those who have a device here, and have ever blocked anything. Returns
	-- whether all of that could be read.
	local function read_host(host, pause)
		local is_active = lists.has_module(host);
		if not is_active and not was_active[host] then return true; end
		was_active[host] = is_active;
		local ok, users = pcall(lists.list, host, pause, function (username) return engine:is_registered(jid_join(username, host)); end);
		if not ok then
			lists.note_failure(host, users);
			return false;
		end
		local failure;
		for _, username in ipairs(users) do
			local is_told, err = pcall(tell, username, host);
			if not is_told then failure = err; end
			pause(true);
		end
		if failure then
			lists.note_failure(host, failure);
			return false;
		end
		lists.note_success(host);
		return true;
	end

	local function what(host)
		return "read what users of "..host.." have blocked";
	end

	lists = user_lists.new {
		module_name = module_name, tasks = parts.tasks, read = read_host, what = what, seconds_until_retry = seconds_until_retry;
		longest_until_retry = longest_until_retry;
		failure = function (host)
			return "What users of "..host.." have blocked cannot be read, so they may get pushes about rooms that they have blocked;"
				.." it is tried again";
		end;
	};

	-- Reads the lists of a host, a little later.
	local function plan(host)
		if has_begun then lists.later(host); end
	end

	-- A user has a device, or has changed what they have blocked.
	local function look(user)
		local username, host = jid_split(user);
		if not username or not lists.has_module(host) or not engine:is_registered(user) then return; end
		local ok, err = pcall(tell, username, host);
		if not ok then
			lists.note_failure(host, err);
			lists.retry(host);
		end
	end

	local note_change = guard.watch("take note of what a user has blocked", function (event)
		local session = event.origin;
		if session.username and session.host then look(jid_join(session.username, session.host)); end
	end);

	-- Once mod_blocklist is done with it: it ends the event.
	local function after_change(handlers, name, event)
		local result = handlers(name, event);
		note_change(event);
		return result;
	end

	local function watch_host(host)
		local events = hosts[host].events;
		for _, action in ipairs { "block", "unblock" } do
			module:wrap_object_event(events, "iq-set/self/"..xmlns_blocking..":"..action, after_change);
		end
		local note_module = guard.watch("take note of a module", function (event)
			if event.module == module_name then plan(host); end
		end);
		for _, name in ipairs { "module-loaded", "module-reloaded", "module-unloaded" } do
			module:hook_object_event(events, name, note_module);
		end
	end

	local_hosts.watch(watch_host);
	local_hosts.watch_new(plan); -- its modules may be loaded by then

	-- Tells the engine what all users have blocked; pause() is called wherever there may be an interruption.
	local function read_all(pause)
		has_begun = true;
		local names = {};
		for host, session in pairs(hosts) do
			if session.type == "local" then table.insert(names, host); end
		end
		for _, host in ipairs(names) do
			local ok, is_read = guard.attempt(what(host), read_host, host, pause);
			if ok and not is_read then lists.retry(host); end
		end
	end

	return { look = look, read_all = read_all };
end

return { watch = watch };
