-- More messages than an app server can get pushes for.

local loop = require "harness.loop";

local raw_component = require "bench.raw_component";

local measurement = { name = "flood" };

local reply_delay = 0.05;

function measurement.run(results, server)
	local sizes, timeout = results.sizes, server.timeout;
	local devices, messages = sizes.devices, sizes.flood_messages;
	local room = server:make_room("flood", { { prefix = "f", count = devices, host = server.users_host } });
	server.users:join("bob", room);
	local app = server.app;
	app:reset();
	app.delay = reply_delay;

	local before = server:memory();
	local started = loop.now();
	local last = server.users:say("bob", room, messages);
	if not server.users:wait_for_echo(last, timeout) then
		server:problem("not all of %d messages were passed on within %d s", messages, timeout);
	end
	local taken = loop.now() - started;
	local peak = server:memory();

	local function wrong_devices()
		local wrong = devices - app.nodes;
		for _, count in pairs(app.last_count) do
			if count ~= messages then wrong = wrong + 1; end
		end
		return wrong;
	end
	raw_component.wait(function () return wrong_devices() == 0 and next(app.in_flight) == nil; end, timeout);
	local done = loop.now() - started;
	raw_component.pause(4 * reply_delay);
	app:ping();
	local after = server:memory();
	app.delay = 0;

	local wrong = wrong_devices();
	if wrong ~= 0 then
		server:problem("after %d messages %d of %d devices do not have the right count", messages, wrong, devices);
	end
	for what, times in pairs(app.problems) do
		wrong = wrong + times;
		server:problem("in the flood, %s (%d times)", what, times);
	end

	local what = string.format("flood of %s messages to %s devices", results.number(messages), results.number(devices));
	results:add { id = "flood_wrong", text = what .. ": wrong counts, pushes twice", digits = 0, limit = 0, samples = { wrong } };
	results:add { id = "flood_rate", text = "– messages taken per second", unit = "/s", digits = 0, samples = { messages / taken } };
	results:add { id = "flood_done", text = "– until the last push was answered", unit = "s", digits = 1, samples = { done } };
	results:add { id = "flood_pushes", text = "– pushes per device", digits = 1, samples = { app.pushes / devices } };
	results:add {
		id = "flood_peak", text = "– growth of memory per device, all messages taken", unit = "B", digits = 0, samples = { (peak - before) / devices };
	};
	results:add {
		id = "flood_after", text = "– growth of memory per device, all pushes answered", unit = "B", digits = 0, samples = { (after - before) / devices };
	};
end

return measurement;
