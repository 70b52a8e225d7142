-- How long anything else in the server has to wait during a fan-out.

local wire = require "bench.raw_component";

local row = { name = "lateness" };

function row.run(bench, rig)
	local sizes = bench.sizes;
	local count = sizes.many_devices;
	local crowd = rig:make_room("great-crowd", { { prefix = "d", count = count, host = rig.users_host } });
	rig.users:join("bob", crowd);
	local captured = {};
	rig.app.captured = captured;
	rig:fan_out(crowd, count);
	rig.app.captured = nil;

	-- In milliseconds: how late the timer was, and the most CPU between two ticks.
	local function probe(action)
		rig:call("collect");
		rig:rest();
		rig:call("probe_start");
		action();
		local latest, busiest = rig:call("probe_stop");
		return latest * 1e3, busiest * 1e3;
	end

	local late, busy, idle, floor, floor_busy = {}, {}, {}, {}, {};
	for i = 1, sizes.long_repetitions do
		late[i], busy[i] = probe(function () rig:fan_out(crowd, count); end);
		idle[i] = probe(function () wire.pause(sizes.idle_seconds); end);
	end
	-- Not by turns with the others: what the floor keeps in Lua would hold them up too.
	rig:load_floor(captured, count);
	for i = 1, sizes.long_repetitions do
		floor[i], floor_busy[i] = probe(function () rig:floor(count); end);
	end
	rig:call("unload_floor");
	local what = bench.number(count);
	bench:add {
		id = "late", text = "longest lateness of a 1 ms timer, fan-out to " .. what;
		unit = "ms", digits = 1, limit = 10, strict = true, samples = late;
	};
	bench:add { id = "late_busy", text = "– longest use of the CPU between two ticks", unit = "ms", digits = 1, samples = busy };
	bench:add { id = "late_idle", text = "– lateness in an idle server", unit = "ms", digits = 1, samples = idle };
	bench:add { id = "late_floor", text = "– lateness with " .. what .. " IQs from the bare loop", unit = "ms", digits = 1, samples = floor };
	bench:add { id = "late_floor_busy", text = "– and its longest use of the CPU", unit = "ms", digits = 1, samples = floor_busy };
end

return row;
