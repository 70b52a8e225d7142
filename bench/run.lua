-- Measures what a push costs: lua5.4 bench/run.lua <root> [--quick]

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local bars = require "bench.bars";
local known_misses = require "bench.known_misses";
local results = require "bench.results";
local report = require "bench.report";
local server = require "bench.server";

local root = assert(arg[1], "usage: bench/run.lua <root> [--quick]");
local is_quick = arg[2] == "--quick";

local sizes = is_quick and {
	devices = 100;
	many_devices = 1000;
	journal_repetitions = 1;
	journal_seconds = 0.3;
	repetitions = 3;
	long_repetitions = 1;
	idle_seconds = 0.3;
	flood_messages = 100;
	idle_affiliations = 1000;
	idle_pairs = 10;
	idle_broadcasts = 10;
	hook_members = 20;
	hook_repetitions = 10;
	hostile_members = 100;
	hostile_messages = 2;
	hostile_repetitions = 1;
	hostile_rooms = 2000;
	hostile_stays = 200;
	hostile_users = 2;
	victim_registrations = 100;
	victim_seconds = 2;
	domain_users = 1000;
	lost_rooms = 20;
	waiting_devices = 2000;
	waiting_rooms = 20;
	rooms = { 100, 1000 };
	stored_devices = 2000;
	starts = 1;
	timeout = 20;
} or {
	devices = 1000;
	many_devices = 10000;
	journal_repetitions = 7;
	journal_seconds = 1;
	repetitions = 15;
	long_repetitions = 5;
	idle_seconds = 2;
	flood_messages = 1000;
	idle_affiliations = 10000;
	idle_pairs = 100;
	idle_broadcasts = 50;
	hook_members = 100;
	hook_repetitions = 60;
	hostile_members = 1000;
	hostile_messages = 20;
	hostile_repetitions = 5;
	hostile_rooms = 20000;
	hostile_stays = 5000;
	hostile_users = 20;
	victim_registrations = 1000;
	victim_seconds = 60;
	domain_users = 10000;
	lost_rooms = 400;
	waiting_devices = 20000;
	waiting_rooms = 400;
	rooms = { 100, 1000, 10000, 100000 };
	stored_devices = 100000;
	starts = 3;
	timeout = 120;
};

local start_room = "start";
local measured = results.new { is_quick = is_quick, sizes = sizes, versions = prosody.versions, start_room = start_room };
local problems = {};

local function traceback(err)
	return os.getenv("BENCH_TRACE") and debug.traceback(err, 2) or tostring(err);
end

-- ROWS=hostile,idle measures these alone, hostile_mass among the first ones.
local function is_wanted(name)
	local rows = "," .. (os.getenv("ROWS") or "") .. ",";
	return rows == ",," or rows:find("," .. name .. ",", 1, true) ~= nil or rows:find("," .. name:match("^[^_]+") .. ",", 1, true) ~= nil;
end

-- Nothing that goes wrong in one measurement keeps the others from being measured.
local function measure(name, machine, version)
	local measurement = require("bench.measurements." .. name);
	local started = loop.now();
	io.stderr:write(string.format("bench: Prosody %s, %s … ", version, measurement.name));
	local known = machine.problem_count;
	local ok, err = xpcall(measurement.run, traceback, measured, machine);
	if not ok then
		table.insert(problems, string.format("Prosody %s: %q could not be measured: %s", version, measurement.name, err));
	end
	io.stderr:write(string.format("%.0f s%s\n", loop.now() - started, ok and machine.problem_count == known and "" or ", with a problem"));
	return ok;
end

local function run_all(version, names, options)
	local machine = options.machine;
	local ok, err = xpcall(function ()
		machine:start { data = options.data, module = true };
		machine:connect_users();
		machine:wait_until_loaded();
	end, traceback);
	if not ok then
		table.insert(problems, string.format("Prosody %s could not be started: %s", version, err));
		return;
	end
	for _, name in ipairs(names) do
		if is_wanted(name) then measure(name, machine, version); end
	end
	machine:kill();
end

local function run_version(version)
	measured:set_version(version);
	local machine = server.open(version, { [start_room] = { { prefix = "u", count = sizes.devices, host = server.users_host } } }, sizes.timeout);
	report.about(version, machine.full_version, machine.lua_version);
	machine:new_data("main", {
		{ prefix = "d", count = math.max(sizes.devices, sizes.many_devices) };
		{ prefix = "f", count = sizes.devices };
		{ prefix = "h", count = sizes.hook_members };
	});
	run_all(version, { "cpu", "journal", "lateness", "flood", "idle", "hook", "hostile", "hostile_strangers" }, { machine = machine, data = "main" });
	if is_wanted("hostile_mass") then
		machine:new_data("waiting", { { prefix = "w", count = sizes.waiting_devices } });
		measure("hostile_mass", machine, version);
	end
	if is_wanted("start") or is_wanted("hostile_crowd") then
		machine:new_data("full", { { prefix = "u", count = sizes.stored_devices } });
	end
	if is_wanted("hostile_crowd") then
		measure("hostile_crowd", machine, version);
	end
	if is_wanted("start") then
		machine:new_data("empty", {});
		measure("start", machine, version);
	end
	for _, problem in ipairs(machine.problems) do
		table.insert(problems, problem);
	end
	machine:close();
end

local started = loop.now();
for _, version in ipairs(prosody.versions) do
	local ok, err = xpcall(run_version, traceback, version);
	if not ok then
		table.insert(problems, string.format("Prosody %s: %s", version, err));
	end
	server.close_all();
end

local ok, has_engine = xpcall(require("bench.measurements.engine").run, traceback, measured, root);
if not ok then
	table.insert(problems, has_engine);
elseif not has_engine then
	io.stderr:write("bench: the engine alone was not measured: there is nothing of it in target\n");
end

report.write { measured = measured, is_quick = is_quick, problems = problems, root = root, seconds = loop.now() - started };

-- In the quick form no bar is judged.
local missed, kept = bars.judge(measured, known_misses);
local lines, unknown = bars.report(missed, kept, "bench/known_misses.lua");
for _, line in ipairs(lines) do print(line); end
if unknown > 0 then
	print(string.format("%d bar(s) were missed that are not known to be.", unknown));
end
os.exit(#problems == 0 and unknown == 0 and 0 or 1, true);
