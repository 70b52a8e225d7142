-- More messages than an app server can be told of.

local loop = require "harness.loop";

local wire = require "bench.raw_component";

local row = { name = "flood" };

local reply_delay = 0.05;

function row.run(bench, rig)
	local sizes, timeout = bench.sizes, rig.timeout;
	local devices, messages = sizes.devices, sizes.flood_messages;
	local room = rig:make_room("flood", { { prefix = "f", count = devices, host = rig.users_host } });
	rig.users:join("bob", room);
	local app = rig.app;
	app:reset();
	app.delay = reply_delay;

	local before = rig:memory();
	local started = loop.now();
	local last = rig.users:say("bob", room, messages);
	if not rig.users:wait_for_echo(last, timeout) then
		rig:problem("not all of %d messages were passed on within %d s", messages, timeout);
	end
	local taken = loop.now() - started;
	local peak = rig:memory();

	local function wrong_devices()
		local wrong = devices - app.nodes;
		for _, count in pairs(app.last_count) do
			if count ~= messages then wrong = wrong + 1; end
		end
		return wrong;
	end
	wire.wait(function () return wrong_devices() == 0 and next(app.in_flight) == nil; end, timeout);
	local told = loop.now() - started;
	wire.pause(4 * reply_delay);
	app:ping();
	local after = rig:memory();
	app.delay = 0;

	local wrong = wrong_devices();
	if wrong ~= 0 then
		rig:problem("after %d messages %d of %d devices do not have the right count", messages, wrong, devices);
	end
	for what, times in pairs(app.problems) do
		wrong = wrong + times;
		rig:problem("in the flood, %s (%d times)", what, times);
	end

	local what = string.format("flood of %s messages to %s devices", bench.number(messages), bench.number(devices));
	bench:add { id = "flood_wrong", text = what .. ": wrong counts, pushes twice", digits = 0, limit = 0, samples = { wrong } };
	bench:add { id = "flood_rate", text = "– messages taken per second", unit = "/s", digits = 0, samples = { messages / taken } };
	bench:add { id = "flood_told", text = "– until the last push was answered", unit = "s", digits = 1, samples = { told } };
	bench:add { id = "flood_pushes", text = "– pushes per device", digits = 1, samples = { app.pushes / devices } };
	bench:add {
		id = "flood_peak", text = "– growth of memory per device, all messages taken", unit = "B", digits = 0, samples = { (peak - before) / devices };
	};
	bench:add {
		id = "flood_after", text = "– growth of memory per device, all pushes answered", unit = "B", digits = 0, samples = { (after - before) / devices };
	};
end

return row;
