-- Leases: a registration lasts for `muc_push_lease` without a sign of life, which is a request of its user, a result of its
-- app server, or a membership of its user in a live room. Nobody tells a service that a user has gone for good.
--
-- The leases are looked at once a day. What is stored of a sign of life is refreshed when it is older than a tenth of the lease,
-- so that neither results nor looks cost a write each.
--
-- Nobody's lease runs out while nobody looks: from before the first look, and from before two looks that lie further apart
-- than they should (the server was down, or its clock was set), no lease counts.
--
-- This file is MIT/X11 licensed.

local part = ...;

local now = require "util.time".now; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";
local timers = part "shared/timers";
local uninterrupted = part "shared/uninterrupted";

local seconds_between_looks = 86400;
-- The first look after a start: by then clients are back, and their rooms are live.
local seconds_before_first = 3600;
-- After that long without a look, leases begin anew.
local longest_gap = 2 * seconds_between_looks;

-- How many users are searched for at a time: whatever happens in a room meanwhile, it is looked into for all of them.
local users_at_once = 500;

-- parts: { engine; tasks = see lua/shared/tasks.lua; registrations; find_memberships = see rooms.lua; lease = in seconds }
local function new(parts)
	local engine, tasks, registrations, lease = parts.engine, parts.tasks, parts.registrations, parts.lease;
	local store = module:open_store(module.name.."_leases");

	local since; -- no lease has begun before, on the clock of util.time.now
	local to_refresh, is_refreshing = {}, false; -- devices

	-- Notes a look, and finds out since when leases count. Returns when the last look was.
	local function note_look(is_look)
		local time = now();
		local kept = store:get(nil) or {};
		local last = type(kept.looked) == "number" and kept.looked or -math.huge;
		since = type(kept.since) == "number" and kept.since or time;
		if time - last > longest_gap or last > time + seconds_between_looks or since > time then
			since = time;
		end
		if is_look or last == -math.huge then
			local ok, err = uninterrupted(store.set, store, nil, { since = since, looked = time });
			if not ok then module:log("warn", "It cannot be stored when leases were looked at: %s", err); end
		end
		return last;
	end

	local function refresh_all(pause)
		while true do
			local device = table.remove(to_refresh);
			if not device then return; end
			guard.attempt("store a sign of life of a device of "..device.user, registrations.refresh, device.user, device.push_identifier);
			pause(true);
		end
	end

	local function refresh(device)
		table.insert(to_refresh, device);
		if is_refreshing then return; end
		is_refreshing = true;
		tasks.later("store signs of life", refresh_all, function () is_refreshing = false; end);
	end

	local function days(seconds)
		return math.floor(seconds / 86400);
	end

	-- What becomes of a device of which there was no sign of life for a while.
	local function judge(device, is_member)
		if is_member then
			refresh(device);
		elseif device.is_over and registrations.expire(device.user, device.push_identifier) then
			module:log("info", "%s is not pushed to through %s any more: there was no sign of life for %d days",
				device.user, device.app_server, days(lease));
		end
	end

	-- with_device: nil where the devices are only to be looked at, so that the next result of each is told
	local function look_at_devices(pause, with_device)
		engine:begin_lease_check();
		local aged = engine:next_aged_devices(now(), since);
		while aged do
			for _, device in ipairs(with_device and aged or {}) do
				with_device(device);
				pause();
			end
			pause(true);
			aged = engine:next_aged_devices(now(), since);
		end
	end

	-- users: bare JIDs; devices_of: bare JID -> aged devices
	local function judge_all(users, devices_of)
		local last = 0;
		local function go_on()
			local first, left = last + 1, math.min(users_at_once, #users - last);
			last = last + left;
			for i = first, last do
				parts.find_memberships(users[i], function (is_member)
					left = left - 1;
					if left == 0 then go_on(); end
					for _, device in ipairs(devices_of[users[i]]) do
						judge(device, is_member);
					end
				end);
			end
		end
		go_on();
	end

	-- Looks at all leases, from the next turn on.
	local function look()
		note_look(true);
		local users, devices_of = {}, {};
		tasks.later("look at the leases", function (pause)
			look_at_devices(pause, function (device)
				if not devices_of[device.user] then
					devices_of[device.user] = {};
					table.insert(users, device.user);
				end
				table.insert(devices_of[device.user], device);
			end);
		end, function () judge_all(users, devices_of); end);
	end

	local function look_daily()
		guard.attempt("look at the leases", look);
		return seconds_between_looks;
	end

	-- The registrations are loaded.
	local function start()
		local last = note_look(false);
		tasks.later("find out how old the leases are", look_at_devices, function () end);
		local due = last + seconds_between_looks - now();
		timers.add(math.max(seconds_before_first, math.min(due, seconds_between_looks)), look_daily);
	end

	return { start = start, look = look, refresh = refresh };
end

return { new = new };
