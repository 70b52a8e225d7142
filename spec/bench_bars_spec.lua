-- How the benchmark judges what it has measured: a bar that is missed is a failure, unless it is known to be.

local bars = require "bench.bars";
local results = require "bench.results";

describe("the bars of the benchmark", function ()
	local measured;

	local function new(is_quick)
		measured = results.new { is_quick = is_quick, sizes = {}, versions = { "0.12", "13.0" } };
	end

	-- samples: by version
	local function add(id, text, samples, options)
		for version, list in pairs(samples) do
			measured:set_version(version);
			local result = { id = id, text = text, unit = "ms", digits = 1, samples = list };
			for name, value in pairs(options or {}) do result[name] = value; end
			measured:add(result);
		end
	end

	local function report(known)
		local missed, kept = bars.judge(measured, known or {});
		return bars.report(missed, kept, "the list");
	end

	before_each(function () new(false); end);

	it("are missed by no row whose median keeps to them, and by none that has no bar", function ()
		add("late", "lateness", { ["0.12"] = { 1, 19, 300 }, ["13.0"] = { 20 } }, { limit = 20 });
		add("idle", "– in an idle server", { ["0.12"] = { 700 }, ["13.0"] = { 700 } });
		assert.same({ {}, 0 }, { report() });
	end);

	it("are missed by each row of each version beyond them, which is said with its figure, and counted", function ()
		add("late", "lateness", { ["0.12"] = { 19 }, ["13.0"] = { 20 } }, { limit = 20, strict = true });
		add("more", "– more than without", { ["0.12"] = { 30, 31, 32 }, ["13.0"] = { 1 } }, { limit = 20 });
		assert.same({ {
			"Missed: Prosody 13.0: lateness, 20.0 ms, bar < 20 ms";
			"Missed: Prosody 0.12: lateness – more than without, 31.0 ms (30.0–32.0), bar ≤ 20 ms";
		}, 2 }, { report() });
	end);

	it("are missed once by a row that has nothing to do with the version", function ()
		measured:add_common { id = "engine", text = "engine alone", unit = "×", digits = 2, limit = 1.5, samples = { 1.6 } };
		assert.same({ { "Missed: engine alone, 1.60, bar ≤ 1.5" }, 1 }, { report() });
	end);

	it("are said to be missed by a row that is known to, but that does not count", function ()
		add("late", "lateness", { ["0.12"] = { 19 }, ["13.0"] = { 21 } }, { limit = 20 });
		add("other", "other", { ["0.12"] = { 21 }, ["13.0"] = { 19 } }, { limit = 20 });
		assert.same({ {
			"Missed, as known: Prosody 13.0: lateness, 21.0 ms, bar ≤ 20 ms (it is slow)";
			"Missed: Prosody 0.12: other, 21.0 ms, bar ≤ 20 ms";
		}, 1 }, { report { late = "it is slow" } });
	end);

	it("are said to be met by a row that is said to miss them, if it was measured", function ()
		add("late", "lateness", { ["0.12"] = { 19 }, ["13.0"] = { 19 } }, { limit = 20 });
		assert.same({ { "Met, though the list says that it is not: lateness (it is slow)" }, 0 }, { report { late = "it is slow", gone = "other" } });
	end);

	it("do not count where there is too little to be measured", function ()
		new(true);
		add("late", "lateness", { ["0.12"] = { 21 }, ["13.0"] = { 21 } }, { limit = 20 });
		assert.same({ {}, 0 }, { report { late = "it is slow" } });
	end);
end);
