-- Work that is too much for one turn of the event loop: done in slices, so that nobody waits for it.
--
-- A task is a function that gets pause(), and calls it wherever it may be interrupted; after what may have taken any time,
-- such as a look into a store, it calls pause(true). Tasks are run one after the other, in the order in which they were
-- given. What a task raises ends it, and is logged.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";
local timers = part "shared/timers";

-- How often a task may ask for a pause before the clock is looked at, unless it says that it has been long.
local asked_per_look = 16;

-- seconds_per_turn: how long the other users of the event loop are kept waiting at most
local function new(seconds_per_turn)
	local tasks = {}; -- those that are not done, in their order
	local is_planned = false; -- whether a timer goes on with them
	local deadline, asked = 0, 0; -- of the slice that is being done

	-- is_due: whether what was done since the last call may have taken long
	local function pause(is_due)
		asked = asked + 1;
		if (is_due or asked % asked_per_look == 0) and monotonic() > deadline then
			coroutine.yield();
		end
	end

	-- Does as much of a task as fits into that many seconds. Returns whether the task has ended.
	local function advance(task, seconds)
		local outer_deadline = deadline; -- one task may begin another
		deadline = monotonic() + seconds;
		guard.attempt(task.what, function ()
			local ok, err = coroutine.resume(task.thread);
			if not ok then
				error(debug.traceback(task.thread, tostring(err)), 0);
			end
		end);
		deadline = outer_deadline;
		return coroutine.status(task.thread) == "dead";
	end

	-- Without a call of on_end().
	local function remove(task)
		for place, other in ipairs(tasks) do
			if other == task then
				table.remove(tasks, place);
				return;
			end
		end
	end

	local plan;

	local function on_timer()
		is_planned = false;
		local end_of_turn = monotonic() + seconds_per_turn;
		repeat
			local task = tasks[1];
			if task and advance(task, end_of_turn - monotonic()) then
				remove(task);
				guard.attempt(task.what, task.on_end);
			end
		until not task or monotonic() >= end_of_turn;
		plan();
	end

	function plan()
		if tasks[1] and not is_planned then
			is_planned = true;
			timers.add(0, on_timer);
		end
	end

	-- Plans a task: func(pause) is run in slices, from the next turn on, and on_end() once the task has ended.
	-- what: what is being done, for the log. Returns the task.
	local function later(what, func, on_end)
		local task = { what = what, on_end = on_end, thread = coroutine.create(function () func(pause); end) };
		table.insert(tasks, task);
		plan();
		return task;
	end

	-- Does one slice of a task at once. If that ends it, on_end() is called before this returns.
	local function hurry(task)
		if advance(task, seconds_per_turn) then
			remove(task);
			task.on_end();
		end
	end

	-- Plans a task like later(), and does the first slice at once.
	local function start(what, func, on_end)
		local task = later(what, func, on_end);
		hurry(task);
		return task;
	end

	-- A task that may be asked for at any time: what this returns plans it like later(). Where it is not done by then, it is done once more
	-- after that: what has changed meanwhile may be what it has gone past already. on_end() once nobody has asked since.
	local function on_demand(what, func, on_end)
		local is_under_way, is_asked_again = false, false;
		local function ask()
			is_asked_again = is_under_way;
			if is_under_way then return; end
			is_under_way = true;
			later(what, func, function ()
				is_under_way = false;
				if is_asked_again then ask(); else on_end(); end
			end);
		end
		return ask;
	end

	-- Does the rest of a task at once, however long it takes, or as much as fits into that many seconds. Nothing is done
	-- where the task has ended.
	local function finish(task, seconds)
		if coroutine.status(task.thread) == "dead" then return; end
		while not advance(task, seconds or math.huge) do
			if seconds then return; end
		end
		remove(task);
		task.on_end();
	end

	return { start = start, later = later, on_demand = on_demand, hurry = hurry, cancel = remove, finish = finish };
end

return { new = new };
