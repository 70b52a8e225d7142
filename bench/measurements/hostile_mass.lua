-- A stop, and the start after it, while very many devices wait in many rooms: their app server has said nothing so far.

local raw_component = require "bench.raw_component";

local measurement = { name = "hostile, a stop and a start" };

local late_bar, stop_bar = 20, 600; -- ms

local rooms_at_once = 50;

-- Makes the rooms, and lets somebody say something in each of them.
local function fill(server, rooms, members)
	for i = 1, rooms do
		server:make_room("mass-" .. i, { { prefix = "w", first = (i - 1) * members + 1, count = members, host = server.users_host } }, true);
	end
	server:wait_until_idle();
	for first = 1, rooms, rooms_at_once do
		server:call("say_in_rooms", "mass-", first, math.min(first + rooms_at_once - 1, rooms));
		server:wait_until_idle();
	end
	raw_component.pause(0.5);
end

function measurement.run(results, server)
	local rooms, devices = results.sizes.waiting_rooms, results.sizes.waiting_devices;
	server:start { data = "waiting", module = true };
	server:wait_until_loaded();
	server.app.delay = math.huge;
	fill(server, rooms, devices // rooms);
	local stop = server:stop();

	server:start { data = "waiting", module = true, probe = true };
	local app = server.app;
	raw_component.wait(function () return app.nodes >= devices; end, server.timeout);
	raw_component.pause(0.2);
	local late = server:probe_stop();
	if app.nodes ~= devices then
		server:problem("after a stop and a start %d of %d devices were told what had waited", app.nodes, devices);
	end
	server:kill();

	local what = string.format("%s devices waiting in %s rooms", results.number(devices), results.number(rooms));
	results:add {
		id = "hostile_stop", text = "hostile: a stop with " .. what, unit = "ms", digits = 0, limit = stop_bar, samples = { stop * 1e3 };
	};
	results:add {
		id = "hostile_start", text = "hostile: lateness, the start after it, until all of them are told";
		unit = "ms", digits = 1, limit = late_bar, strict = true, samples = { late * 1e3 };
	};
end

return measurement;
