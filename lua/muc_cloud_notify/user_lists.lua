-- What a module on the hosts with accounts keeps of their users, in the store of its own name: who they are is listed in slices, later, and
-- again where that has failed.
--
-- This file is MIT/X11 licensed.

local part = ...;

local growing_pause = part "shared/growing_pause";
local timers = part "shared/timers";
local host_stores = part "muc_cloud_notify/host_stores";

local hosts = prosody.hosts;

-- parts: { module_name; tasks = see lua/shared/tasks.lua; read(host, pause) = reads what there is of the users of a host, and returns whether
-- that could be done; what(host) = what that is, failure(host, err) = that it could not be done, for the log; seconds_until_retry;
-- longest_until_retry = up to which that grows, nil: it does not }
local function new(parts)
	local module_name = parts.module_name;
	local stores = host_stores.new(module_name);
	local is_planned, is_retried = {}, {}; -- host -> whether its users are about to be read, or will be again in a while
	local pauses = {}; -- host -> those between retries
	local has_failed = {}; -- host -> whether the log says that they cannot be

	local function has_module(host)
		local session = hosts[host];
		return session ~= nil and session.type == "local" and session.modules[module_name] ~= nil;
	end

	local function can_list(host)
		local ok, store = pcall(stores.open, host);
		return ok and store ~= nil and store.users ~= nil;
	end

	-- The users of a host of whom something is stored, and who are of interest. Raises an error where they cannot be listed.
	local function list(host, pause, is_of_interest)
		if not can_list(host) then error("the storage cannot list its users", 0); end
		local found = {};
		for username in stores.open(host):users() do
			if is_of_interest(username) then table.insert(found, username); end
			pause();
		end
		return found;
	end

	local function note_failure(host, err)
		if not has_failed[host] then
			has_failed[host] = true;
			module:log("error", "%s", parts.failure(host, tostring(err)));
		end
		module:log("debug", "Failed to %s: %s", parts.what(host), tostring(err));
	end

	local function note_success(host)
		has_failed[host], pauses[host] = nil, nil;
	end

	local later;

	local function retry(host)
		if is_retried[host] then return; end
		is_retried[host] = true;
		pauses[host] = pauses[host] or growing_pause.new(parts.seconds_until_retry, parts.longest_until_retry or parts.seconds_until_retry);
		timers.add(pauses[host].take(), function ()
			is_retried[host] = nil;
			later(host);
		end);
	end

	-- Reads what there is of the users of a host, from the next turn on, and again if that fails.
	function later(host)
		if is_planned[host] then return; end
		is_planned[host] = true;
		parts.tasks.later(parts.what(host), function (pause)
			is_planned[host] = nil;
			if not parts.read(host, pause) then retry(host); end
		end, function () end);
	end

	return {
		has_module = has_module, can_list = can_list, get = stores.get, list = list, note_failure = note_failure, note_success = note_success;
		later = later, retry = retry;
	};
end

return { new = new };
