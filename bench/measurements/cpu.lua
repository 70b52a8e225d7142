-- What the server spends on a push, next to what it spends on sending the same IQ when that is all it does.

local measurement = { name = "CPU per push" };

-- Seconds of CPU that the server takes for something that ends when action() returns.
local function cost(server, action)
	server:call("collect");
	server:wait_until_idle();
	local before = server:cpu();
	action();
	server:wait_until_idle();
	return server:cpu() - before;
end

function measurement.run(results, server)
	local sizes = results.sizes;
	local count = sizes.devices;
	local host = server.users_host;
	local crowd = server:make_room("crowd", { { prefix = "d", count = count, host = host } });
	local nobody = server:make_room("nobody", { { prefix = "none", count = count, host = host } });
	server.users:join("bob", crowd);
	server.users:join("bob", nobody);

	local captured = {};
	server.app.captured = captured;
	server:fan_out(crowd, count);
	server.app.captured = nil;
	server:load_floor(captured, count);

	local push_bytes;
	local function push()
		server:fan_out(crowd, count);
		push_bytes = server.app.push_bytes;
	end
	local function send_floor()
		server:floor(count);
		local floor_bytes = server.app.floor_bytes;
		-- A message-count has one digit first, and more later.
		if push_bytes and math.abs(push_bytes - floor_bytes) > 2 * count then
			server:problem("the IQs of the floor are not like pushes: %d bytes, and %d", floor_bytes, push_bytes);
		end
	end
	local ratios, pushes, floors, messages = {}, {}, {}, {};
	cost(server, send_floor);
	local before = cost(server, send_floor);
	for repetition = 0, sizes.repetitions do
		local with = cost(server, push);
		local without = cost(server, function () server:fan_out(nobody, 0); end);
		local after = cost(server, send_floor);
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
	server:call("unload_floor");
	results:add { id = "cpu_ratio", text = "CPU per push, over the floor", unit = "×", digits = 2, limit = 1.15, samples = ratios };
	results:add { id = "cpu_push", text = "– a push", unit = "µs", digits = 0, samples = pushes };
	results:add { id = "cpu_floor", text = "– the floor: the same IQ, prebuilt, from a bare loop", unit = "µs", digits = 0, samples = floors };
	results:add { id = "cpu_message", text = "– the message itself, when nobody has a device", unit = "µs", digits = 0, samples = messages };
end

return measurement;
