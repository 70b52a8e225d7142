-- A start with many stored devices: how long it takes, what it holds up, and how much memory it takes.

local raw_component = require "bench.raw_component";

local measurement = { name = "start" };

-- One start of each kind: with the module and all that is stored; without the module; with it, and nothing stored.
local function start_all(server, sizes, samples)
	local function sample(id, value)
		table.insert(samples[id], value);
	end

	local with = server:start { data = "full", module = true, probe = true };
	local loaded, devices = server:wait_until_loaded();
	if devices ~= sizes.stored_devices then
		server:problem("%d of %d stored devices are registered", devices, sizes.stored_devices);
	end
	local latest, busiest = server:probe_stop();
	local full = server:memory();
	server:kill();

	local without = server:start { data = "full" };
	server:kill();

	server:start { data = "empty", module = true };
	server:wait_until_loaded();
	local empty = server:memory();
	server:kill();

	sample("extra", with - without);
	sample("with", with);
	sample("without", without);
	sample("loaded", loaded);
	sample("stall", latest * 1e3);
	sample("busy", busiest * 1e3);
	sample("bytes", (full - empty) / sizes.stored_devices);
end

-- A message that is sent as soon as anybody can send one.
local function start_with_message(server, sizes, room, samples)
	server:start { data = "full", module = true, probe = true };
	local app = server.app;
	server:connect_users();
	server.users:join("bob", room, server.timeout);
	server.users:say("bob", room);
	raw_component.wait(function () return app.nodes >= sizes.devices; end, server.timeout);
	server:wait_until_loaded();
	app:ping();
	raw_component.pause(0.2);
	local latest = server:probe_stop();
	local missed = sizes.devices - app.nodes;
	if missed ~= 0 then
		server:problem("a message at once after the start reached %d of %d devices", app.nodes, sizes.devices);
	elseif app.pushes ~= app.nodes then
		server:problem("a message at once after the start led to %d pushes to %d devices", app.pushes, app.nodes);
	end
	server:kill();
	table.insert(samples.missed, missed);
	table.insert(samples.message_stall, latest * 1e3);
end

function measurement.run(results, server)
	local sizes = results.sizes;
	local samples = setmetatable({}, { __index = function (all, id)
		all[id] = {};
		return all[id];
	end });
	for _ = 1, sizes.starts do
		start_all(server, sizes, samples);
	end
	start_with_message(server, sizes, results.start_room .. "@" .. server.service, samples);

	local what = results.number(sizes.stored_devices);
	local function add(id, text, list, result)
		result.id, result.text, result.samples = id, text, list;
		results:add(result);
	end
	add("memory", "memory per device, " .. what .. " registered", samples.bytes, { unit = "B", digits = 0, limit = 600 });
	add("start_extra", "start with " .. what .. " devices: later than without the module", samples.extra, { unit = "s", digits = 2, limit = 0.5 });
	add("start_with", "– until the first connection, with the module", samples.with, { unit = "s", digits = 2 });
	add("start_without", "– until the first connection, without", samples.without, { unit = "s", digits = 2 });
	add("start_loaded", "– until all are registered", samples.loaded, { unit = "s", digits = 2 });
	add("start_stall", "longest stall while loading", samples.stall, { unit = "ms", digits = 1, limit = 20, strict = true });
	add("start_busy", "– longest use of the CPU between two ticks", samples.busy, { unit = "ms", digits = 1 });
	add("start_message_stall", "– longest stall with a message at once after the start", samples.message_stall, { unit = "ms", digits = 1 });
	add("start_missed", "a message at once after the start: misses, of " .. results.number(sizes.devices) .. " devices", samples.missed,
		{ digits = 0, limit = 0 });
end

return measurement;
