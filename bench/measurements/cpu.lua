-- What the server spends on a push, next to what it spends on sending the same IQ when that is all it does.

local row = { name = "CPU per push" };

-- Seconds of CPU that the server takes for something that ends when action() returns.
local function cost(rig, action)
	rig:call("collect");
	rig:rest();
	local before = rig:cpu();
	action();
	rig:rest();
	return rig:cpu() - before;
end

function row.run(bench, rig)
	local sizes = bench.sizes;
	local count = sizes.devices;
	local host = rig.users_host;
	local crowd = rig:make_room("crowd", { { prefix = "d", count = count, host = host } });
	local nobody = rig:make_room("nobody", { { prefix = "none", count = count, host = host } });
	rig.users:join("bob", crowd);
	rig.users:join("bob", nobody);

	local captured = {};
	rig.app.captured = captured;
	rig:fan_out(crowd, count);
	rig.app.captured = nil;
	rig:load_floor(captured, count);

	local push_bytes;
	local function push()
		rig:fan_out(crowd, count);
		push_bytes = rig.app.push_bytes;
	end
	local function send_floor()
		rig:floor(count);
		local floor_bytes = rig.app.floor_bytes;
		-- A message-count has one digit first, and more later.
		if push_bytes and math.abs(push_bytes - floor_bytes) > 2 * count then
			rig:problem("the IQs of the floor are not like pushes: %d bytes, and %d", floor_bytes, push_bytes);
		end
	end
	local ratios, pushes, floors, messages = {}, {}, {}, {};
	cost(rig, send_floor);
	local before = cost(rig, send_floor);
	for repetition = 0, sizes.repetitions do
		local with = cost(rig, push);
		local without = cost(rig, function () rig:fan_out(nobody, 0); end);
		local after = cost(rig, send_floor);
		-- A machine that gets slower or faster meanwhile does so for both.
		local floor = (before + after) / 2;
		before = after;
		if repetition > 0 then -- the first one is to warm up
			table.insert(ratios, (with - without) / floor);
			table.insert(pushes, (with - without) / count * 1e6);
			table.insert(floors, floor / count * 1e6);
			table.insert(messages, without * 1e6);
		end
	end
	rig:call("unload_floor");
	bench:add { id = "cpu_ratio", text = "CPU per push, over the floor", unit = "×", digits = 2, limit = 1.15, samples = ratios };
	bench:add { id = "cpu_push", text = "– a push", unit = "µs", digits = 0, samples = pushes };
	bench:add { id = "cpu_floor", text = "– the floor: the same IQ, prebuilt, from a bare loop", unit = "µs", digits = 0, samples = floors };
	bench:add { id = "cpu_message", text = "– the message itself, when nobody has a device", unit = "µs", digits = 0, samples = messages };
end

return row;
