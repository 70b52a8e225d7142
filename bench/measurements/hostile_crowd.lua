-- A message to very many devices: what the hook takes in one go.

local raw_component = require "bench.raw_component";

local measurement = { name = "hostile, a crowd" };

local late_bar = 20; -- ms

-- By then a message has come to all members.
local seconds_to_spread = 1;

function measurement.run(results, server)
	local count = results.sizes.stored_devices;
	server:start { data = "full", module = true };
	server:wait_until_loaded();
	server.app.delay = math.huge; -- so nothing but the messages is going on
	local room = server:make_room("crowd", { { prefix = "u", count = count, host = server.users_host } });
	server:call("hook_time", room, "bob"); -- reads the room
	raw_component.pause(seconds_to_spread);
	local samples = {};
	for i = 1, results.sizes.hostile_repetitions do
		samples[i] = server:call("hook_time", room, "bob") * 1e3;
		raw_component.pause(seconds_to_spread);
	end
	server:kill();
	results:add {
		id = "hostile_devices", text = string.format("hostile: time in the hook for a message to %s devices", results.number(count));
		unit = "ms", digits = 1, limit = late_bar, strict = true, samples = samples;
	};
end

return measurement;
