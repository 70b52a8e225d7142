-- The engine without Prosody, as `cargo bench` has measured it.

local json = require "util.json";
local lfs = require "lfs";

local measurement = { name = "engine alone" };

-- The benchmarks of crate/core/benches/engine.rs.
local descriptions = {
	message = "a message to 100 devices";
	turn = "handing out 100 pushes";
	reply = "an answer";
	enable = "a device that is known";
	["enable-new"] = "a new user";
};

local function read_json(path)
	local file = io.open(path, "rb");
	if not file then return nil; end
	local value = json.decode((file:read("*a")));
	file:close();
	return value;
end

-- Calls found(folder) for each folder with the estimates of a benchmark.
local function each_benchmark(folder, found)
	if lfs.attributes(folder, "mode") ~= "directory" then return; end
	if lfs.attributes(folder .. "/estimates.json") then
		if folder:find("/new$") then found(folder); end
		return;
	end
	for name in lfs.dir(folder) do
		if name:sub(1, 1) ~= "." then
			each_benchmark(folder .. "/" .. name, found);
		end
	end
end

local function names_of(map)
	local list = {};
	for name in pairs(map) do table.insert(list, name); end
	table.sort(list);
	return list;
end

function measurement.run(results, root)
	local suffix = results.is_quick and "-quick" or "";
	local times = {}; -- name -> number of devices -> ns
	each_benchmark(root .. "/target/criterion" .. suffix, function (folder)
		local estimates, about = read_json(folder .. "/estimates.json"), read_json(folder .. "/benchmark.json");
		if not estimates or not about then return; end
		local id = about.full_id or about.group_id;
		local size = tonumber(about.value_str) or tonumber(id:match("(%d+)$"));
		local name = id:gsub("/?%d+$", ""):gsub("^engine/", "");
		if size then
			times[name] = times[name] or {};
			times[name][size] = (estimates.median or estimates.mean).point_estimate;
		end
	end);
	local found = false;

	-- values: number of devices -> value
	local function add(id, text, unit, values)
		local few, many = math.huge, 0;
		for size in pairs(values) do
			few, many = math.min(few, size), math.max(many, size);
		end
		if few >= many then return; end
		found = true;
		results:add_common {
			id = "engine_" .. id, unit = "×", digits = 2, limit = 1.5, samples = { values[many] / values[few] };
			text = string.format("engine alone, %s: %s devices over %s", text, results.number(many), results.number(few));
		};
		for _, size in ipairs { few, many } do
			results:add_common {
				id = string.format("engine_%s_%d", id, size), unit = unit, digits = 0, samples = { values[size] };
				text = "– with " .. results.number(size);
			};
		end
	end

	for _, name in ipairs(names_of(times)) do
		add(name, descriptions[name] or name, "ns", times[name]);
	end
	local bytes = {};
	for size, value in pairs(read_json(root .. "/target/engine-bytes" .. suffix .. ".json") or {}) do
		bytes[tonumber(size)] = value;
	end
	add("bytes", "memory per device", "B", bytes);
	return found;
end

return measurement;
