-- What the module does in the broadcast of a message, by size of the room.

local raw_component = require "bench.raw_component";

local statistics = require "bench.statistics";

local measurement = { name = "size of the room" };

local warm_up = 3;

function measurement.run(results, server)
	local sizes = results.sizes;
	local members = sizes.hook_members;
	local rooms, first, samples = {}, {}, {};

	local function message(room)
		local app = server.app;
		app:reset();
		local seconds = server:call("hook_time", room, "bob");
		raw_component.wait(function () return app.pushes >= members; end, server.timeout);
		app:ping();
		if app.nodes ~= members or app.pushes ~= members then
			server:problem("a message in %s led to %d pushes to %d of %d devices", room, app.pushes, app.nodes, members);
		end
		return seconds * 1e6;
	end

	for i, size in ipairs(sizes.rooms) do
		rooms[i] = server:make_room("hook-" .. size, {
			{ prefix = "h", count = members, host = server.users_host };
			{ prefix = "outsider", count = size - members, host = "elsewhere.example" };
		});
		first[i] = message(rooms[i]); -- nobody has entered yet
		server.users:join("bob", rooms[i]);
		samples[i] = {};
	end
	server:call("collect");
	for repetition = 1 - warm_up, sizes.hook_repetitions do
		local is_odd = repetition % 2 == 1;
		-- By turns from the small ones up and from the great ones down.
		for i = is_odd and 1 or #rooms, is_odd and #rooms or 1, is_odd and 1 or -1 do
			local taken = message(rooms[i]);
			if repetition > 0 then
				samples[i][repetition] = taken;
			end
		end
	end

	local ratios = {};
	for repetition = 1, sizes.hook_repetitions do
		ratios[repetition] = samples[#rooms][repetition] / statistics.median(samples[1]);
	end
	results:add {
		id = "hook_ratio", unit = "×", digits = 2, limit = 1.2, samples = ratios, spread = "quartiles";
		text = string.format("module in the broadcast hook, room of %s over room of %s",
			results.number(sizes.rooms[#rooms]), results.number(sizes.rooms[1]));
	};
	for i, size in ipairs(sizes.rooms) do
		results:add {
			id = "hook_" .. size, size = size, text = string.format("– %d to push to, in a room of %s", members, results.number(size));
			unit = "µs", digits = 1, samples = samples[i], spread = "quartiles";
		};
	end
	results:add {
		id = "hook_first", text = string.format("– first message into the restored room of %s", results.number(sizes.rooms[#rooms]));
		unit = "µs", digits = 0, samples = { first[#rooms] };
	};
end

return measurement;
