-- What the module costs where nobody needs a push.

local measurement = { name = "nobody needs a push" };

local occupants = { "bob", "otto", "olga", "oscar", "olive" };
local pairs_at_once = 10;

function measurement.run(results, server)
	local sizes = results.sizes;
	local room = server:make_room("idle", { { prefix = "outsider", count = sizes.idle_affiliations, host = "elsewhere.example" } });
	for _, name in ipairs(occupants) do
		server.users:join(name, room);
	end
	server:call("broadcast_times", room, "bob", 2, sizes.idle_broadcasts);

	local ratios, bare, hooked = {}, {}, {};
	for _ = 1, math.max(1, sizes.idle_pairs // pairs_at_once) do
		local without, with = server:call("broadcast_times", room, "bob", pairs_at_once, sizes.idle_broadcasts);
		for i = 1, #with do
			table.insert(ratios, with[i] / without[i]);
			table.insert(bare, without[i] * 1e6);
			table.insert(hooked, with[i] * 1e6);
		end
	end
	server.users.heard = {};
	results:add {
		id = "idle_ratio";
		text = string.format("broadcast in a room of %s, nobody to push to, over without the module", results.number(sizes.idle_affiliations));
		unit = "×", digits = 3, limit = 1.02, samples = ratios, spread = "quartiles";
	};
	results:add {
		id = "idle_bare", text = string.format("– without the module, %d occupants", #occupants);
		unit = "µs", digits = 1, samples = bare, spread = "quartiles";
	};
	results:add { id = "idle_hooked", text = "– with the module", unit = "µs", digits = 1, samples = hooked, spread = "quartiles" };
end

return measurement;
