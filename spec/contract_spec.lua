-- The contract between the Lua files and the library: its number stands for one text, and the library keeps to that.

local sha256 = require "util.hashes".sha256;

local files = require "harness.files";
local prosody = require "harness.prosody";

local path = prosody.root .. "/lua/muc_cloud_notify/engine_types.lua";
local contract = assert(loadfile(path))().contract;
local text, numbers = assert(files.read(path)):gsub("contract = %d+", "contract");

-- The current number, and the SHA-256 digest of the text without the number.
local current = 5;
local digest = "347f561fb95e079691bd26490fd116ad15fed00f4ea7d4f959dad26d82a559e1";

local advice = ("The contract has changed. Raise its number, both in lua/muc_cloud_notify/engine_types.lua and in crate/module/src/lib.rs, and write"
	.. " the new number here with the new digest, %s"):format(sha256(text, true));

local function sorted(names)
	table.sort(names);
	return names;
end

-- The functions that a text of annotations declares for a class.
local function declared(class, of)
	local names = {};
	for name in of:gmatch("\nfunction " .. class .. "[.:]([%w_]+)%(") do table.insert(names, name); end
	return sorted(names);
end

local function keys(values, is_wanted)
	local names = {};
	for name, value in pairs(values) do
		if is_wanted(value) then table.insert(names, name); end
	end
	return sorted(names);
end

local function is_function(value)
	return type(value) == "function";
end

describe("contract", function ()
	local native;

	lazy_setup(function ()
		native = assert(package.loadlib(prosody.root .. "/muc_cloud_notify.so", "luaopen_muc_cloud_notify"))();
	end);

	it("has another number for another text", function ()
		assert.equal(1, numbers);
		assert.is_true(contract == current and sha256(text, true) == digest, advice);
	end);

	it("has the same number in the library", function ()
		assert.equal(contract, native.contract, advice);
	end);

	it("has all functions of the library, and no others", function ()
		assert.same(declared("native", text), keys(native, is_function), advice);
	end);

	it("has all methods of the library's engine, and no others", function ()
		local engine = native.open("contract.localhost", native.default_options, require "util.stanza".stanza_mt);
		local methods = debug.getmetatable(engine).__index;
		native.close("contract.localhost");
		assert.same(declared("engine", text), keys(methods, is_function), advice);
	end);

	it("has the facts after which the Lua files drain the events", function ()
		local environment = setmetatable({ module = {}, prosody = {} }, { __index = _G });
		local function part(name)
			return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
		end
		local engines = part "muc_cloud_notify/engine";
		local section = assert(text:match("\n%-%- Facts:.-\n%-%- Decisions:"));
		assert.same(declared("engine", section), sorted({ table.unpack(engines.facts) }));
		local all = { table.unpack(engines.facts) };
		table.move(engines.others, 1, #engines.others, #all + 1, all);
		table.insert(all, "poll_event");
		assert.same(declared("engine", text), sorted(all));
	end);
end);
