-- The contract between the Lua files and the library: its number stands for one text, and the library keeps to that.

local prosody = require "harness.prosody";
local contracts = require "spec.support.contract";

local contract = contracts.read("lua/muc_cloud_notify/engine_types.lua", "crate/module/src/lib.rs");

-- The current number, and the SHA-256 digest of the text without the number.
local current = 6;
local digest = "f75956840a22b73099b3c3ea9bfadc2e0b5c39ea57cf999e77bf242cf8069974";

local function sorted(names)
	table.sort(names);
	return names;
end

describe("contract", function ()
	local native;

	lazy_setup(function ()
		native = assert(package.loadlib(prosody.root .. "/muc_cloud_notify.so", "luaopen_muc_cloud_notify"))();
	end);

	it("has another number for another text", function ()
		assert.same({ current, digest }, { contract.number, contract.digest }, contract.advice);
	end);

	it("has the same number in the library", function ()
		assert.equal(contract.number, native.contract, contract.advice);
	end);

	it("has all functions of the library, and no others", function ()
		assert.same(contract:declared("native"), contracts.functions_of(native), contract.advice);
	end);

	it("has all methods of the library's engine, and no others", function ()
		local engine = native.open("contract.localhost", native.default_options, require "util.stanza".stanza_mt);
		local methods = debug.getmetatable(engine).__index;
		native.close("contract.localhost");
		assert.same(contract:declared("engine"), contracts.functions_of(methods), contract.advice);
	end);

	it("has the facts after which the Lua files drain the events", function ()
		local environment = setmetatable({ module = {}, prosody = {} }, { __index = _G });
		local function part(name)
			return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
		end
		local engines = part "muc_cloud_notify/engine";
		local section = assert(contract.text:match("\n%-%- Facts:.-\n%-%- Decisions:"));
		assert.same(contract:declared("engine", section), sorted({ table.unpack(engines.facts) }));
		local all = { table.unpack(engines.facts) };
		table.move(engines.others, 1, #engines.others, #all + 1, all);
		table.insert(all, "poll_event");
		assert.same(contract:declared("engine"), sorted(all));
	end);
end);
