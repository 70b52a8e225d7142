-- How long anything else in the server has to wait during a fan-out.

local raw_component = require "bench.raw_component";

local measurement = { name = "lateness" };

function measurement.run(results, server)
	local sizes = results.sizes;
	local count = sizes.many_devices;
	local crowd = server:make_room("great-crowd", { { prefix = "d", count = count, host = server.users_host } });
	server.users:join("bob", crowd);
	local captured = {};
	server.app.captured = captured;
	server:fan_out(crowd, count);
	server.app.captured = nil;

	-- In milliseconds: how late the timer was, and the most CPU between two ticks.
	local function probe(action)
		server:call("collect");
		server:wait_until_idle();
		server:probe_start();
		action();
		local latest, busiest = server:probe_stop();
		return latest * 1e3, busiest * 1e3;
	end

	local late, busy, idle, floor, floor_busy = {}, {}, {}, {}, {};
	for i = 1, sizes.long_repetitions do
		late[i], busy[i] = probe(function () server:fan_out(crowd, count); end);
		idle[i] = probe(function () raw_component.pause(sizes.idle_seconds); end);
	end
	-- Not by turns with the others: what the floor keeps in Lua would hold them up too.
	server:load_floor(captured, count);
	for i = 1, sizes.long_repetitions do
		floor[i], floor_busy[i] = probe(function () server:floor(count); end);
	end
	server:call("unload_floor");
	local what = results.number(count);
	results:add {
		id = "late", text = "longest lateness of a 1 ms timer, fan-out to " .. what;
		unit = "ms", digits = 1, limit = 10, strict = true, samples = late;
	};
	results:add { id = "late_busy", text = "– longest use of the CPU between two ticks", unit = "ms", digits = 1, samples = busy };
	results:add { id = "late_idle", text = "– lateness in an idle server", unit = "ms", digits = 1, samples = idle };
	results:add { id = "late_floor", text = "– lateness with " .. what .. " IQs from the bare loop", unit = "ms", digits = 1, samples = floor };
	results:add { id = "late_floor_busy", text = "– and its longest use of the CPU", unit = "ms", digits = 1, samples = floor_busy };
end

return measurement;
