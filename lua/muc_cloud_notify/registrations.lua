-- What is registered: the store, and what the engine knows of it.
--
-- Invariant: the store is the truth. A change is in it before it is confirmed, and before the engine counts on it. A record
-- that cannot be read is never taken for "nothing registered".
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local now = require "util.time".now;

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local uninterrupted = part "shared/uninterrupted";

-- parts: { engine; accounts = see accounts.lua; tasks = see lua/shared/tasks.lua; records = see record_store.lua; blocklists;
-- find_memberships = see rooms.lua; bequeath = see outbox_store.lua }
local function new(parts)
	local engine, accounts, tasks, find_memberships = parts.engine, parts.accounts, parts.tasks, parts.find_memberships;
	local write_record = parts.records.set;
	local disabled = {}; -- user -> the push identifiers of devices that the engine has given up, and that are still in the store
	local is_removing = false; -- whether a task sees to them

	-- Stores the record of a user, and makes it count by func(). Before it, the journal gets what is unread for whatever takes the place of
	-- something else by it. No stop comes in between. added: the push identifier of what the user has just asked for
	local function change_record(user, record, added, func)
		uninterrupted(function ()
			local is_bequeathed = parts.bequeath(user, record, added);
			write_record(user, record);
			func();
			if is_bequeathed then engine:bequest_stored(user, added); end
		end);
	end

	-- The record of a user, or nil. What the engine has given up of it is taken out of the store first.
	local function read_record(user)
		local record = parts.records.get(user);
		if not disabled[user] then return record; end
		local left, is_any = record, false;
		for _, push_identifier in ipairs(disabled[user]) do
			local was_there;
			left, was_there = engine:without_registration(left, push_identifier);
			is_any = is_any or was_there;
		end
		if is_any then write_record(user, left); end
		disabled[user] = nil;
		return left;
	end

	-- A user has a device, and had none before. A user of this server is no stranger, nor is a member of a room.
	local function on_first_device(user)
		if local_hosts.is_local(user) then
			engine:establish(user);
			parts.blocklists.look(user);
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
		local is_first_device;
		change_record(user, change.record, change.added, function ()
			local ok, result = pcall(engine.set_registrations, engine, user, change.record, change.added);
			if not ok then
				guard.attempt("take back what was stored of "..user, write_record, user, before);
				pcall(set_registrations, user, before); -- which most likely fails as well
				error(result, 0);
			end
			is_first_device = result;
		end);
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
	-- pushed to them any more. Returns false where the record cannot be read, so that it is not known which those are: then nothing is to
	-- be pushed to the user until it is.
	local function remove_former(user, account)
		local is_known = true;
		guard.attempt("remove the devices of the earlier account "..user, function ()
			local ok, record, removed = pcall(function () return without_former(read_record(user), account); end);
			if not ok then
				is_known = false;
				if account == false then engine:set_registrations(user, nil); end
				error(record, 0);
			end
			set_registrations(user, record);
			if removed > 0 then
				module:log("info", "%s is not pushed to through %d device(s) any more: the account is gone", user, removed);
				write_record(user, record);
			end
		end);
		return is_known;
	end

	-- The same for all of them.
	local function remove_all(user)
		remove_former(user, false);
	end

	-- Makes what a user registered before there were markers, or before they were lost, say for which account it is.
	-- pause: as for accounts.find()
	local function mark(user, pause)
		local account = accounts.find(user, pause);
		local record = without_former(read_record(user), account);
		if record and accounts.mark(user, account, record) then
			write_record(user, record);
			set_registrations(user, record);
		end
	end

	local function mark_all(users, pause)
		local failed, reason = 0, nil;
		for _, user in ipairs(users) do
			local ok, err = pcall(mark, user, pause);
			if not ok then failed, reason = failed + 1, err; end
			pause(true);
		end
		if failed > 0 then
			module:log("error", "The accounts of %d user(s) could not be given a marker, so it may not be noticed if they are deleted and made again: %s",
				failed, reason);
		end
	end

	-- Takes the devices that the engine has given up out of the store. deadline: nil for none
	local function remove_disabled(pause, deadline)
		local user = next(disabled);
		while user and not (deadline and monotonic() > deadline) do
			guard.attempt("remove a disabled device of "..user.." from the store", read_record, user);
			disabled[user] = nil;
			pause(true);
			user = next(disabled);
		end
	end

	-- The engine has disabled a device: it is taken out of the store, a little later, as there may be many at once.
	---@param device device_disabled
	local function remove(device)
		if device.has_ended then
			module:log("info", "%s is not pushed to through %s any more: the subscription has ended", device.user, device.app_server);
		elseif device.errors then
			module:log("warn", "%s is not pushed to through %s any more: %d errors in a row", device.user, device.app_server, device.errors);
		else
			module:log("warn", "%s is not pushed to through %s any more: it could not be reached for too long", device.user, device.app_server);
		end
		local of_user = disabled[device.user] or {};
		disabled[device.user] = of_user;
		table.insert(of_user, device.push_identifier);
		if is_removing then return; end
		is_removing = true;
		tasks.later("remove disabled devices from the store", remove_disabled, function () is_removing = false; end);
	end

	-- Removes as many of them as can be until a time on the clock of util.time.monotonic: before a stop. The others are given up
	-- again one day.
	local function finish(deadline)
		remove_disabled(function () end, deadline);
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
				change_record(user, record, nil, function () engine:set_registrations(user, record); end);
			end
			return was_there;
		end);
		return is_done and was_there;
	end

	return {
		read = read_record, set = set_registrations, commit = commit, without_former = without_former;
		mark = mark, mark_all = mark_all, refresh = refresh, expire = expire, finish = finish;
		remove = remove, remove_former = remove_former, remove_all = remove_all;
	};
end

return { new = new };
