-- Loads the registrations from the store into the engine, however the store behaves meanwhile.
--
-- A store that cannot be listed, or cannot be read at all, is tried again until it can, with growing pauses; until then nobody is
-- pushed to, and messages are held. A record that cannot be read while others can is left for later: its user counts as
-- one with a device that nothing is known of, and the record is tried again, with pauses that grow up to `longest_retry`.
-- Nothing is pushed to a user whose account cannot be looked at, until it can: see awaited_accounts.lua.
--
-- This file is MIT/X11 licensed.

local part = ...;

local growing_pause = part "shared/growing_pause";
local guard = part "shared/guard";
local timers = part "shared/timers";
local status = part "muc_cloud_notify/status";

-- Pauses, in seconds, while nothing can be read, and for records that cannot be.
local first_pause, longest_pause = 0.25, 30;
local first_retry, longest_retry = 5, 600;

-- After so many records in a row that cannot be read, it is found out whether any can be.
local failures_per_look = 10;

-- How many of them are named in the log.
local named = 10;

-- parts: { engine; accounts = see accounts.lua; awaited_accounts; tasks = see lua/shared/tasks.lua; records = see record_store.lua;
-- registrations }
local function new(parts)
	local engine, accounts, tasks, records, registrations = parts.engine, parts.accounts, parts.tasks, parts.records, parts.registrations;
	local awaited_accounts = parts.awaited_accounts;

	local pending; -- keys that are still to be read, from the last to the first; nil: they were not listed yet
	local pauses, told = growing_pause.new(first_pause, longest_pause), nil; -- and what the log has said of the store
	local unreadable = {}; -- key -> true, of records that are left for later
	local is_planned = false; -- whether they are tried again later
	local retry_now = first_retry;
	local gone = {}; -- users, where there are registrations of earlier accounts
	local unmarked = {}; -- users, where there are registrations that do not say for which account they are
	local is_loaded, reported = false, 0; -- whether all was tried, and how many accounts could not be looked at when that was reported

	local function count_unreadable()
		local count = 0;
		for _ in pairs(unreadable) do count = count + 1; end
		return count;
	end

	-- The user whose record stands under a key.
	local function user_of(key, pause)
		local user = records.user_of(key);
		if not user then
			user = records.get_by_key(key);
			pause(true);
		end
		return user;
	end

	-- Loads the record under a key. Raises an error where it cannot be read. There is no pause between the look at the record and
	-- the engine's hearing of it: somebody may register a device in one.
	local function load_key(key, pause)
		local user = user_of(key, pause);
		if not user then return; end
		local account, is_asked = accounts.find(user, pause);
		local _, stored = records.get_by_key(key);
		local record, removed = registrations.without_former(stored, account);
		engine:set_registrations(user, record);
		if removed > 0 then table.insert(gone, user); end
		if record and accounts.unmarked(account, record)[1] then table.insert(unmarked, user); end
		if record and account == nil and is_asked then
			awaited_accounts.await(user);
		elseif record and accounts.is_disabled(user, account) then
			engine:set_suspended(user, true);
		end
	end

	-- What follows from what was loaded, but not while it is: a store may do only one thing at a time.
	local function see_to_accounts(pause)
		while gone[1] do
			local user = table.remove(gone);
			-- It may have been made anew meanwhile.
			if not registrations.remove_former(user, accounts.find(user, pause)) then awaited_accounts.await(user); end
			pause(true);
		end
		registrations.mark_all(unmarked, pause);
		unmarked = {};
	end

	-- Loads the records under these keys, which are taken out of the list from its end. Returns a list of those that cannot be
	-- read, a table of why, and false where it seems that none can be: then what was not tried is left in `keys`.
	local function load_all(keys, pause)
		local failed, reasons, in_a_row = {}, {}, 0;
		while keys[1] do
			local key = table.remove(keys);
			local ok, err = pcall(load_key, key, pause);
			if ok then
				in_a_row = 0;
			else
				table.insert(failed, key);
				reasons[key] = tostring(err);
				in_a_row = in_a_row + 1;
			end
			pause(true);
			if in_a_row == failures_per_look then
				in_a_row = 0;
				if not records.is_readable() then return failed, reasons, false; end
			end
		end
		return failed, reasons, not failed[1] or records.is_readable();
	end

	local function report_loaded()
		local stats, missing = engine:stats(), count_unreadable();
		reported = awaited_accounts.count();
		local what = ("%d device(s) of %d user(s) are registered"):format(stats.devices, stats.users);
		if missing == 0 and reported == 0 then return status.report("info", "%s", what); end
		if missing > 0 then what = what..("; the records of %d user(s) cannot be read"):format(missing); end
		if reported > 0 then what = what..("; the accounts of %d user(s) cannot be looked at, so nothing is pushed to them"):format(reported); end
		status.report("error", "%s. They are tried again; see \"Records that cannot be read\" in docs/operators.md", what);
	end

	awaited_accounts.on_looked(function ()
		if is_loaded and awaited_accounts.count() ~= reported then report_loaded(); end
	end);

	local plan_retry;

	-- Tries the records again that could not be read.
	local function read_again(pause)
		local keys = {};
		for key in pairs(unreadable) do table.insert(keys, key); end
		pcall(records.find_removed, pause);
		local tried = table.move(keys, 1, #keys, 1, {});
		local failed = load_all(keys, pause);
		local is_left = {};
		for _, list in ipairs { failed, keys } do
			for _, key in ipairs(list) do is_left[key] = true; end
		end
		local mended = 0;
		for _, key in ipairs(tried) do
			if not is_left[key] then
				unreadable[key], mended = nil, mended + 1;
			end
		end
		see_to_accounts(pause);
		if mended > 0 then
			module:log("info", "The records of %d user(s) that could not be read can be", mended);
			report_loaded();
			retry_now = first_retry;
		end
	end

	local ask_for_reading = tasks.on_demand("read the records again that could not be read", read_again, function () plan_retry(); end);

	-- Tries them again, from the next turn on.
	local function retry()
		awaited_accounts.retry();
		ask_for_reading();
	end

	function plan_retry()
		if is_planned or not next(unreadable) then return; end
		is_planned = true;
		timers.add(retry_now, function ()
			is_planned = false;
			retry_now = math.min(2 * retry_now, longest_retry);
			retry();
		end);
	end

	-- These records cannot be read, though others can.
	local function leave_for_later(keys, reasons)
		for place, key in ipairs(keys) do
			unreadable[key] = true;
			local user = records.user_of(key);
			if user then guard.attempt("wait for the registrations of "..user, engine.await_registrations, engine, user); end
			if place <= named then module:log("error", "The registrations of %s cannot be read: %s", key, reasons[key]); end
		end
		if #keys > named then module:log("error", "The registrations of %d more users cannot be read", #keys - named); end
	end

	-- what: what cannot be done with the store
	local function wait(what)
		if what ~= told then
			told = what;
			status.report("error", status.store_cannot_be, what);
		end
		return pauses.take();
	end

	-- Lists the keys, if they were not listed yet. Returns whether they are.
	local function list(pause)
		if pending then return true; end
		local ok, keys = pcall(records.list, pause, records.expect);
		if not ok then
			module:log("debug", "Listing the registered users: %s", tostring(keys));
			return false;
		end
		pending = keys;
		return true;
	end

	-- Loads everything that is stored, or goes on with that; pause() is called wherever there may be an interruption. Returns after
	-- how many seconds that is to be called again; nil: what can be read is loaded.
	local function go_on(pause)
		if not records.can_list then
			status.report("error", "The storage of this host cannot list its users, so nobody who registered before is known; see docs/operators.md");
			return nil;
		end
		if not list(pause) then return wait("listed"); end
		local reasons;
		for _ = 1, 2 do -- some may have failed for a moment
			local failed, is_readable;
			failed, reasons, is_readable = load_all(pending, pause);
			table.move(failed, 1, #failed, #pending + 1, pending);
			if not is_readable then return wait("read"); end
		end
		leave_for_later(pending, reasons);
		see_to_accounts(pause);
		pending, is_loaded = {}, true;
		report_loaded();
		plan_retry();
		return nil;
	end

	-- Loads what is stored of the users of a host again: it was activated just now, and so its accounts can be looked at. Returns whether
	-- that could be listed; of what cannot be read, what was known counts.
	local function load_host(host, pause)
		local of_host = {};
		local ok = guard.attempt("list the registered users", records.list, pause, function (key)
			if not records.may_be_of(key, host) then return; end
			records.expect(key);
			table.insert(of_host, key);
		end);
		if not ok then return false; end
		local failed, reasons = load_all(of_host, pause);
		for _, key in ipairs(of_host) do reasons[key] = reasons[key] or "the store cannot be read"; end
		table.move(failed, 1, #failed, #of_host + 1, of_host);
		leave_for_later(of_host, reasons);
		see_to_accounts(pause);
		if is_loaded and of_host[1] then report_loaded(); end
		plan_retry();
		return true;
	end

	-- Finds out which keys there are, where the engine has the registrations already.
	local function find_keys(pause)
		guard.attempt("list the registered users", records.list, pause);
		is_loaded = true;
		if next(unreadable) or awaited_accounts.count() > 0 then report_loaded(); end
		plan_retry();
	end

	-- For the module that follows this one after a reload.
	local function hand_over()
		return unreadable;
	end

	local function take_over(keys)
		unreadable = keys;
		for key in pairs(keys) do records.expect(key); end
	end

	return { go_on = go_on, retry = retry, load_host = load_host, find_keys = find_keys, hand_over = hand_over, take_over = take_over };
end

return { new = new };
