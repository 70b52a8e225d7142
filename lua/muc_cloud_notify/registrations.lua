-- What is registered: the store, and what the engine knows of it.
--
-- Invariant: the store is the truth. A change is in it before it is confirmed, and before the engine counts on it. A record
-- that cannot be read is never taken for "nothing registered".
--
-- This file is MIT/X11 licensed.

local part = ...;

local now = require "util.time".now; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local record_store = part "muc_cloud_notify/record_store";

-- parts: { engine; accounts = see accounts.lua; find_memberships = see rooms.lua }
local function new(parts)
	local engine, accounts, find_memberships = parts.engine, parts.accounts, parts.find_memberships;
	local records = record_store.new();
	local read_record, write_record = records.get, records.set;
	-- A user has a device, and had none before. A user of this server is no stranger, nor is a member of a room.
	local function on_first_device(user)
		if local_hosts.is_local(user) then
			engine:establish(user);
		end
		find_memberships(user, function (is_member)
			if is_member then engine:establish(user); end
		end);
	end

	local function set_registrations(user, record, added)
		if engine:set_registrations(user, record, added) then
			on_first_device(user);
		end
	end

	-- Makes a change count: in the store first, in the engine second. Should the engine fail, both are as they were.
	local function commit(user, before, change)
		write_record(user, change.record);
		local ok, is_first_device = pcall(engine.set_registrations, engine, user, change.record, change.added);
		if not ok then
			guard.attempt("take back what was stored of "..user, write_record, user, before);
			pcall(set_registrations, user, before); -- which most likely fails as well
			error(is_first_device, 0);
		end
		if is_first_device then
			on_first_device(user);
		end
	end

	-- A record without what was registered for an account that is gone, and how many registrations that were. account: see
	-- accounts.lua
	local function without_former(record, account)
		local former = record and accounts.former(account, record) or {};
		for _, push_identifier in ipairs(former) do
			record = engine:without_registration(record, push_identifier);
		end
		return record, #former;
	end

	-- Takes the registrations of an account that is gone from a user. The engine first: whatever the store does, nothing is
	-- pushed to them any more.
	local function remove_former(user, account)
		guard.attempt("remove the devices of the earlier account "..user, function ()
			local ok, record, removed = pcall(function () return without_former(read_record(user), account); end);
			if not ok then
				engine:set_registrations(user, nil);
				error(record, 0);
			end
			set_registrations(user, record);
			if removed > 0 then
				module:log("info", "%s is not pushed to through %d device(s) any more: the account is gone", user, removed);
				write_record(user, record);
			end
		end);
	end

	-- The same for all of them.
	local function remove_all(user)
		remove_former(user, false);
	end

	-- Makes what a user registered before there were markers, or before they were lost, say for which account it is.
	local function mark(user)
		local account = accounts.find(user);
		local record = without_former(read_record(user), account);
		if record and accounts.mark(user, account, record) then
			write_record(user, record);
			set_registrations(user, record);
		end
	end

	local function mark_all(users, pause)
		local failed, reason = 0, nil;
		for _, user in ipairs(users) do
			local ok, err = pcall(mark, user);
			if not ok then failed, reason = failed + 1, err; end
			pause();
		end
		if failed > 0 then
			module:log("error", "The accounts of %d user(s) could not be given a marker, so it may not be noticed if they are deleted and made again: %s",
				failed, reason);
		end
	end

	-- Loads what is stored under the keys for which is_wanted(key) holds. Returns whether it could be listed.
	local function load_where(is_wanted, pause)
		local gone = {}; -- users, where there are registrations of earlier accounts
		local unmarked = {}; -- users, where there are registrations that do not say for which account they are
		local is_listed = guard.attempt("list the registered users", function ()
			records.each_key(function (key)
				guard.attempt("load the registrations of "..tostring(key), function ()
					if not is_wanted(key) then return; end
					local user, stored = records.get_by_key(key);
					local account = accounts.find(user);
					local record, removed = without_former(stored, account);
					engine:set_registrations(user, record);
					if removed > 0 then table.insert(gone, user); end
					if record and accounts.unmarked(account, record)[1] then table.insert(unmarked, user); end
					if record and accounts.is_disabled(user, account) then
						engine:set_suspended(user, true);
					end
				end);
				pause(true);
			end);
		end);
		-- Not while they are listed: a store may do only one thing at a time.
		for _, user in ipairs(gone) do
			remove_former(user, accounts.find(user)); -- it may have been made anew meanwhile
			pause(true);
		end
		mark_all(unmarked, pause);
		return is_listed;
	end

	-- Loads everything that is stored into the engine; pause() is called wherever there may be an interruption.
	-- Returns false where that is to be tried again.
	local function load_all(pause)
		if not records.can_list then
			module:log_status("error", "The storage of this host cannot list its users, so nobody who registered before is known; see docs/operators.md");
			return true;
		end
		if not load_where(function () return true; end, pause) then
			module:log_status("error", "The store cannot be read, so nobody who registered before is known; reload mod_%s when it can", module.name);
			return false;
		end
		local stats = engine:stats();
		module:log_status("info", "%d device(s) of %d user(s) are registered", stats.devices, stats.users);
		return true;
	end

	-- Loads what is stored of the users of a host again: it was activated just now, and so its accounts can be looked at.
	local function load_host(host, pause)
		load_where(function (key) return records.may_be_of(key, host); end, pause);
	end

	-- The engine has disabled a device: takes it out of the store.
	---@param device device_disabled
	local function remove(device)
		if device.errors then
			module:log("warn", "%s is not pushed to through %s any more: %d errors in a row", device.user, device.app_server, device.errors);
		else
			module:log("warn", "%s is not pushed to through %s any more: it could not be reached for too long", device.user, device.app_server);
		end
		guard.attempt("remove a disabled device of "..device.user.." from the store", function ()
			local record, was_there = engine:without_registration(read_record(device.user), device.push_identifier);
			if was_there then
				write_record(device.user, record);
			end
		end);
	end

	-- Finds out which keys there are, where the engine has the registrations already.
	local function list(pause)
		guard.attempt("list the registered users", records.each_key, function () pause(); end);
	end

	-- There was a sign of life of a device: stores it, and then counts on it.
	local function refresh(user, push_identifier)
		local record = read_record(user);
		local registration = record and record[push_identifier];
		if not registration then return; end
		registration.last_sign = math.floor(now());
		write_record(user, record);
		engine:set_registrations(user, record);
	end

	-- Removes a device of which there was no sign of life for too long. Returns whether it was there.
	local function expire(user, push_identifier)
		local is_done, was_there = guard.attempt("remove an old device of "..user, function ()
			local record, was_there = engine:without_registration(read_record(user), push_identifier);
			if was_there then
				write_record(user, record);
				engine:set_registrations(user, record);
			end
			return was_there;
		end);
		return is_done and was_there;
	end

	return {
		read = read_record, set = set_registrations, commit = commit, without_former = without_former;
		load_all = load_all, load_host = load_host, list = list, mark = mark, refresh = refresh, expire = expire;
		remove = remove, remove_former = remove_former, remove_all = remove_all;
	};
end

return { new = new };
