-- Users to whom nothing is pushed until their account can be looked at: what they miss counts, and is pushed then.
--
-- Of an account that could not be looked at when its devices were loaded it is not known whether it is gone or disabled. It is looked at
-- again with growing pauses; so is one that was found disabled before a push, as nobody says when another process enables it.
-- Once several in a row of a host cannot be looked at, the others of it are left for the next time, which begins with them.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local monotonic = require "util.time".monotonic;

local growing_pause = part "shared/growing_pause";
local timers = part "shared/timers";

-- In seconds. The longest is as long as a user who gets pushes is not looked at.
local first_pause, longest_pause = 1, 60;

local failures_per_host = 10;

-- How many are named in the log each time.
local named = 10;

-- parts: { engine; tasks = see lua/shared/tasks.lua; accounts = see accounts.lua; registrations }
local function new(parts)
	local engine, tasks, accounts, registrations = parts.engine, parts.tasks, parts.accounts, parts.registrations;
	local order = {}; -- users, in the order in which they are to be looked at
	local awaited = {}; -- user -> "unknown", "named" where the log has said so, or "disabled"
	local pauses = growing_pause.new(first_pause, longest_pause);
	local planned = math.huge; -- when they are looked at next
	local unknown = 0; -- how many accounts cannot be looked at
	local on_looked = function () end;

	-- kind: see awaited; nil: the user waits no longer
	local function note(user, kind)
		local before = awaited[user];
		if before and before ~= "disabled" then unknown = unknown - 1; end
		if kind and kind ~= "disabled" then unknown = unknown + 1; end
		awaited[user] = kind;
	end

	-- Does what follows from the account of a user. Returns whether it can be looked at. There is no pause after the look at it: somebody may
	-- register a device in one.
	local function settle(user, pause)
		local account, is_asked = accounts.find(user, pause);
		if account == nil and is_asked then return false; end
		local ok, record = pcall(registrations.read, user);
		if not ok then return false; end
		if record and accounts.former(account, record)[1] and not registrations.remove_former(user, account) then return false; end
		if account == false then engine:set_account(user, false); end
		local is_disabled = accounts.is_disabled(user, account);
		engine:set_suspended(user, is_disabled);
		if not is_disabled or awaited[user] ~= "disabled" then note(user, nil); end
		if account and record and accounts.unmarked(account, record)[1] then registrations.mark_all({ user }, pause); end
		return true;
	end

	-- Names those in the log, once, whose account cannot be looked at though others of the host can: somebody has to mend it.
	local function name_failures(users, failed)
		local count = 0;
		for _, user in ipairs(users) do
			if (failed[jid_host(user)] or 0) < failures_per_host then
				note(user, "named");
				count = count + 1;
				if count <= named then
					module:log("error", "The account %s cannot be looked at, so nothing is pushed to it until it can", user);
				end
			end
		end
		if count > named then module:log("error", "The accounts of %d more users cannot be looked at", count - named); end
	end

	local function look_at_all(pause)
		local users, left, unnamed, failed = order, {}, {}, {};
		order = {};
		for _, user in ipairs(users) do
			local host = jid_host(user);
			local is_tried = (failed[host] or 0) < failures_per_host;
			local ok, is_settled;
			if is_tried then ok, is_settled = pcall(settle, user, pause); end
			if ok and is_settled then
				failed[host] = nil;
				if not awaited[user] then pauses.reset(); end
			elseif is_tried then
				failed[host] = (failed[host] or 0) + 1;
				if awaited[user] == "unknown" then table.insert(unnamed, user); end
			end
			if awaited[user] then table.insert(is_tried and order or left, user); end
			pause(true);
		end
		table.move(order, 1, #order, #left + 1, left); -- those that were not tried are the first
		order = left;
		name_failures(unnamed, failed);
		on_looked();
	end

	local plan;

	-- Looks at them again, from the next turn on.
	local retry = tasks.on_demand("look at accounts again", look_at_all, function () plan(); end);

	function plan()
		if not order[1] or planned < monotonic() + first_pause then return; end
		local due = monotonic() + pauses.take();
		if due >= planned then return; end
		planned = due;
		timers.add(due - monotonic(), function ()
			if planned == due then planned = math.huge; end
			retry();
		end);
	end

	local function add(user, kind)
		engine:set_suspended(user, true);
		if awaited[user] then return; end
		note(user, kind);
		table.insert(order, user);
		plan();
	end

	-- The account of a user with a device cannot be looked at.
	local function await(user)
		pauses.reset();
		add(user, "unknown");
	end

	-- The account of a user with a device is disabled, which nobody has said.
	local function await_enabled(user)
		add(user, "disabled");
	end

	-- For the module that follows this one after a reload.
	local function hand_over()
		return awaited;
	end

	-- The engine knows of them already.
	local function take_over(users)
		for user, kind in pairs(users) do
			note(user, kind);
			table.insert(order, user);
		end
		plan();
	end

	-- How many accounts cannot be looked at.
	local function count()
		return unknown;
	end

	return {
		await = await, await_enabled = await_enabled, count = count, retry = retry, hand_over = hand_over, take_over = take_over;
		-- handler: called when they were looked at
		on_looked = function (handler) on_looked = handler; end;
	};
end

return { new = new };
