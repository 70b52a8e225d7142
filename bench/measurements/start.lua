-- A start with many stored devices: how long it takes, whom it holds up, what it takes of memory.

local wire = require "bench.raw_component";

local row = { name = "start" };

-- One start of each kind: with the module and all that is stored; without the module; with it, and nothing stored.
local function start_all(rig, sizes, samples)
	local function sample(id, value)
		table.insert(samples[id], value);
	end

	local with = rig:start { data = "full", module = true, probe = true };
	local loaded, devices = rig:wait_until_loaded();
	if devices ~= sizes.stored_devices then
		rig:problem("%d of %d stored devices are registered", devices, sizes.stored_devices);
	end
	local latest, busiest = rig:call("probe_stop");
	local full = rig:memory();
	rig:kill();

	local without = rig:start { data = "full" };
	rig:kill();

	rig:start { data = "empty", module = true };
	rig:wait_until_loaded();
	local empty = rig:memory();
	rig:kill();

	sample("extra", with - without);
	sample("with", with);
	sample("without", without);
	sample("loaded", loaded);
	sample("stall", latest * 1e3);
	sample("busy", busiest * 1e3);
	sample("bytes", (full - empty) / sizes.stored_devices);
end

-- A message that is sent as soon as anybody can send one.
local function start_with_message(rig, sizes, room, samples)
	rig:start { data = "full", module = true, probe = true };
	local app = rig.app;
	rig:connect_users();
	rig.users:join("bob", room, rig.timeout);
	rig.users:say("bob", room);
	wire.wait(function () return app.nodes >= sizes.devices; end, rig.timeout);
	rig:wait_until_loaded();
	app:ping();
	wire.pause(0.2);
	local latest = rig:call("probe_stop");
	local missed = sizes.devices - app.nodes;
	if missed ~= 0 then
		rig:problem("a message at once after the start reached %d of %d devices", app.nodes, sizes.devices);
	elseif app.pushes ~= app.nodes then
		rig:problem("a message at once after the start led to %d pushes to %d devices", app.pushes, app.nodes);
	end
	rig:kill();
	table.insert(samples.missed, missed);
	table.insert(samples.message_stall, latest * 1e3);
end

function row.run(bench, rig)
	local sizes = bench.sizes;
	local samples = setmetatable({}, { __index = function (all, id)
		all[id] = {};
		return all[id];
	end });
	for _ = 1, sizes.starts do
		start_all(rig, sizes, samples);
	end
	start_with_message(rig, sizes, bench.start_room .. "@" .. rig.service, samples);

	local what = bench.number(sizes.stored_devices);
	local function add(id, text, list, figure)
		figure.id, figure.text, figure.samples = id, text, list;
		bench:add(figure);
	end
	add("memory", "memory per device, " .. what .. " registered", samples.bytes, { unit = "B", digits = 0, limit = 600 });
	add("start_extra", "start with " .. what .. " devices: later than without the module", samples.extra, { unit = "s", digits = 2, limit = 0.5 });
	add("start_with", "– until the first connection, with the module", samples.with, { unit = "s", digits = 2 });
	add("start_without", "– until the first connection, without", samples.without, { unit = "s", digits = 2 });
	add("start_loaded", "– until all are registered", samples.loaded, { unit = "s", digits = 2 });
	add("start_stall", "longest stall while loading", samples.stall, { unit = "ms", digits = 1, limit = 20, strict = true });
	add("start_busy", "– longest use of the CPU between two ticks", samples.busy, { unit = "ms", digits = 1 });
	add("start_message_stall", "– longest stall with a message at once after the start", samples.message_stall, { unit = "ms", digits = 1 });
	add("start_missed", "a message at once after the start: misses, of " .. bench.number(sizes.devices) .. " devices", samples.missed,
		{ digits = 0, limit = 0 });
end

return row;
