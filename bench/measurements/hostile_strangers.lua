-- What strangers can have this server do: to a domain that has never answered, and by registrations from a domain of their own.

local raw_component = require "bench.raw_component";

local measurement = { name = "hostile, strangers" };

local host, victim = "many.invalid", "victim.invalid";
local at_once = 500; -- enables: the console waits for them

-- Registers the users of a room. Returns how many of them could be, and how long all took, in seconds.
local function enable_all(server, first, last)
	local taken, seconds = 0, 0;
	for from = first, last, at_once do
		local results, took = server:call("enable_all", "r", from, math.min(from + at_once - 1, last), host, victim);
		taken, seconds = taken + results, seconds + took;
	end
	return taken, seconds;
end

function measurement.run(results, server)
	local sizes = results.sizes;
	server:call("swallow_publishes", victim);
	local room = server:make_room("strangers", { { prefix = "r", count = sizes.domain_users + 1, host = host } });
	server.users:join("bob", room, server.timeout);
	server:wait_until_idle();

	enable_all(server, 1, sizes.victim_registrations);
	for _ = 1, sizes.victim_seconds do
		server.users:say("bob", room);
		raw_component.pause(1);
	end
	results:add {
		id = "hostile_first_contact";
		text = string.format("hostile: publishes in %d s to a silent domain with %s registrations", sizes.victim_seconds,
			results.number(sizes.victim_registrations));
		digits = 0, limit = 10, samples = { server:call("count_publishes", victim) };
	};

	local before = server:memory();
	local first, last = sizes.victim_registrations + 1, sizes.domain_users + 1;
	local taken, seconds = enable_all(server, first, last);
	local count = last - first + 1;
	results:add {
		id = "hostile_registrations", text = string.format("hostile: users of one domain registered, of %s", results.number(last));
		digits = 0, limit = 10000, samples = { sizes.victim_registrations + taken };
	};
	results:add { id = "hostile_registration_time", text = "– time for each", unit = "ms", digits = 2, samples = { seconds * 1e3 / count } };
	results:add {
		id = "hostile_registration_memory", text = "– memory for each", unit = "bytes", digits = 0, samples = { (server:memory() - before) / count };
	};
end

return measurement;
