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
local timers = part "shared/timers";
local local_hosts = part "muc_cloud_notify/local_hosts";

local hosts = prosody.hosts;

-- mod_blocklist keeps its lists in the store of its own name.
local module_name = "blocklist";

local xmlns_blocking = "urn:xmpp:blocking";

-- How much of this service somebody may have blocked, by their JIDs, and how long these may be together; of more than that, rooms
-- count first.
local max_blocked, max_bytes = 200, 16 * 1024;

local seconds_until_retry = 60;

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
	local engine, tasks = parts.engine, parts.tasks;
	local stores = {}; -- host -> its store
	local is_planned, is_retried = {}, {}; -- host -> whether its lists are about to be read, or will be again in a while
	local has_failed = {}; -- host -> whether the log says that they cannot be
	local has_begun = false; -- whether all lists were read, or are being read
	local was_active = {}; -- host -> whether there was mod_blocklist when they were last read

	local function is_active(host)
		return hosts[host] ~= nil and hosts[host].modules[module_name] ~= nil;
	end

	local function store_of(host)
		stores[host] = stores[host] or module:context(host):open_store(module_name);
		return stores[host];
	end

	-- Tells the engine what a user has blocked of this service. Raises an error where that cannot be read.
	local function tell(username, host)
		local list;
		if is_active(host) then
			local stored, err = store_of(host):get(username);
			if not stored and err then error(err, 0); end
			list = stored;
		end
		engine:set_blocked(jid_join(username, host), list and of_this_service(list) or nil);
	end

	local plan;

	local function note_failure(host, err)
		if not has_failed[host] then
			has_failed[host] = true;
			module:log("error", "What users of %s have blocked cannot be read, so they may get pushes about rooms that they have blocked;"
				.." it is tried again", host);
		end
		module:log("debug", "Reading a blocklist of %s: %s", host, err);
		if is_retried[host] then return; end
		is_retried[host] = true;
		timers.add(seconds_until_retry, function ()
			is_retried[host] = nil;
			plan(host);
		end);
	end

	-- Those users of a host who have a device here, and have ever blocked anything.
	local function list_users(host, pause)
		local store, found = store_of(host), {};
		if not store.users then error("the storage cannot list its users", 0); end
		for username in store:users() do
			if engine:is_registered(jid_join(username, host)) then table.insert(found, username); end
			pause();
		end
		return found;
	end

	-- Tells the engine what all users of a host have blocked.
	local function read_host(host, pause)
		if not is_active(host) and not was_active[host] then return; end
		was_active[host] = is_active(host);
		local ok, users = pcall(list_users, host, pause);
		if not ok then return note_failure(host, users); end
		local failure;
		for _, username in ipairs(users) do
			local is_told, err = pcall(tell, username, host);
			if not is_told then failure = err; end
			pause(true);
		end
		if failure then return note_failure(host, failure); end
		has_failed[host] = nil;
	end

	-- Reads the lists of a host, a little later.
	function plan(host)
		if not has_begun or is_planned[host] then return; end
		is_planned[host] = true;
		tasks.later("read what users of "..host.." have blocked", function (pause)
			is_planned[host] = nil;
			read_host(host, pause);
		end, function () end);
	end

	-- A user has a device, or has changed what they have blocked.
	local function look(user)
		local username, host = jid_split(user);
		if not username or not is_active(host) or not engine:is_registered(user) then return; end
		local ok, err = pcall(tell, username, host);
		if not ok then note_failure(host, err); end
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
		for _, what in ipairs { "loaded", "reloaded", "unloaded" } do
			module:hook_object_event(events, "module-"..what, note_module);
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
			guard.attempt("read what users of "..host.." have blocked", read_host, host, pause);
		end
	end

	return { look = look, read_all = read_all };
end

return { watch = watch };
