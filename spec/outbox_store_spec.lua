-- How the outbox is stored and taken up, with a store, an engine and a clock of the test: the bounds, and what goes wrong.

local prosody = require "harness.prosody";

describe("outbox store", function ()
	local time, logged, records, writes, engine, restored;
	local seconds_per_write, write_fails;

	-- A list of devices as the engine writes them.
	local function lines(count)
		return ("{}\n"):rep(count);
	end

	local function devices_in(record)
		return select(2, (record.devices or ""):gsub("\n", ""));
	end

	-- An engine with so many devices, each of which takes so many bytes.
	local function new_engine(devices, bytes)
		restored = {};
		return {
			plan_snapshot = function () return { left = devices }, devices; end;
			next_part = function (_, plan, _, at_most, detail)
				if plan.left == 0 then return nil, 0, 0; end
				local count = math.min(at_most, plan.left);
				plan.left = plan.left - count;
				return { devices = lines(count), detail = detail }, count * bytes, plan.left;
			end;
			restore = function (_, part)
				assert(not part.is_broken, "it is broken");
				table.insert(restored, part);
				return part.passed_over or 0;
			end;
		};
	end

	local store = {
		get = function (_, name)
			if records[name or ""] == "unreadable" then return nil, "it cannot be read: secret"; end
			return records[name or ""];
		end;
		set = function (_, name, record)
			time = time + seconds_per_write;
			if write_fails then return nil, "the disk is full"; end
			if record then writes = writes + 1; end
			records[name or ""] = record;
			return true;
		end;
		users = function ()
			local names = {};
			for name in pairs(records) do table.insert(names, name); end
			return ipairs, names, 0;
		end;
	};

	local function load_part(name, env)
		return assert(loadfile(prosody.root.."/lua/"..name..".lua", "t", env));
	end

	local function open()
		local module = {
			name = "muc_cloud_notify";
			open_store = function () return store; end;
			log = function (_, level, text, ...) table.insert(logged, level..": "..text:format(...)); end;
		};
		local env = setmetatable({ module = module, require = function (name)
			if name ~= "util.time" then return require(name); end
			return { monotonic = function () return time; end, now = function () return 1e9 + time; end };
		end }, { __index = _G });
		local guard = load_part("shared/guard", env)();
		return load_part("muc_cloud_notify/outbox_store", env)(function () return guard; end).new(engine);
	end

	before_each(function ()
		time, logged, records, writes = 0, {}, {}, 0;
		seconds_per_write, write_fails = 0.001, false;
		store.users = function ()
			local names = {};
			for name in pairs(records) do table.insert(names, name); end
			local i = 0;
			return function () i = i + 1; return names[i]; end;
		end;
	end);

	local function stored()
		local count, parts, largest = 0, 0, 0;
		for _, name in ipairs(records[""] and records[""].parts or {}) do
			local devices = devices_in(records[name]);
			count, parts, largest = count + devices, parts + 1, math.max(largest, devices);
		end
		return count, parts, largest;
	end

	local function taken_up()
		local devices, largest = 0, 0;
		for _, part in ipairs(restored) do
			devices, largest = devices + devices_in(part), math.max(largest, devices_in(part));
		end
		return devices, largest;
	end

	local pauses;
	local function pause() pauses = pauses + 1; end

	it("writes parts that are read one by one", function ()
		engine = new_engine(20000, 300);
		open().save();
		assert.same({ 20000, 40, 500 }, { stored() });
		assert.same({}, logged);
		pauses = 0;
		open().restore(pause);
		assert.same({ 20000, 500 }, { taken_up() });
		assert.is_true(pauses >= 40);
		assert.same({ 20000, 40, 500 }, { stored() }, "it stays until it is told");
	end);

	it("leaves nothing when it is cleared, not even what a stop that was cut short has left", function ()
		engine = new_engine(2000, 300);
		records["cut-short-1"] = { devices = lines(7) };
		open().save();
		open().restore(function () end);
		assert.equal(2000, (taken_up()));
		open().clear(function () end);
		assert.same({}, records);
	end);

	it("writes nothing where there is nothing", function ()
		engine = new_engine(0, 0);
		records[""] = { parts = { "old-1" } };
		records["old-1"] = { devices = lines(3) };
		open().save();
		assert.same({}, records);
	end);

	it("replaces what was stored before, once what is new is there", function ()
		engine = new_engine(700, 300);
		open().save();
		local before = records[""].parts[1];
		time = 10;
		engine = new_engine(600, 300);
		open().save();
		assert.is_nil(records[before]);
		assert.same({ 600, 2, 500 }, { stored() });
	end);

	it("takes no longer than it may, whatever there is to store", function ()
		seconds_per_write = 0.05;
		engine = new_engine(1000000, 10);
		open().save();
		assert.is_true(time <= 0.5 + 3 * seconds_per_write, time);
		local count = stored();
		assert.same({
			("warn: To stop in time, the outbox of %d device(s) is stored without the texts of what waits"):format(count - 6 * 500);
			("error: The outbox of %d device(s) could not be stored: what waits for them, and how much they have not read, is lost")
				:format(1000000 - count);
		}, logged);
	end);

	it("stores all texts where that takes no longer than it may", function ()
		seconds_per_write = 0.011;
		engine = new_engine(20000, 10);
		open().save();
		assert.same({ 20000, 40, 500 }, { stored() });
		assert.equal("words", records[records[""].parts[40]].detail);
		assert.same({}, logged);
	end);

	it("stores the texts of the first and the counts of the others where it gets late", function ()
		seconds_per_write = 0.02;
		engine = new_engine(40000, 10);
		open().save();
		assert.equal(40000, (stored()));
		local parts = records[""].parts;
		assert.equal("words", records[parts[1]].detail);
		assert.equal("counts", records[parts[#parts]].detail);
		assert.equal(1, #logged);
	end);

	it("writes no more bytes than it may", function ()
		seconds_per_write = 0;
		engine = new_engine(100000, 10000);
		open().save();
		local count = stored();
		assert.is_true(count * 10000 <= 64 * 1024 * 1024 + 4000 * 10000, count);
		assert.equal(2, #logged);
	end);

	it("says what is lost where the store does not take it", function ()
		write_fails = true;
		engine = new_engine(1200, 10);
		records[""], records["old-1"] = { parts = { "old-1" } }, { devices = lines(3) };
		open().save();
		assert.truthy(table.concat(logged, "\n"):find("The outbox of 1200 device(s) could not be stored", 1, true));
		assert.equal(3, devices_in(records["old-1"]));
	end);

	it("stores what it got where the engine fails", function ()
		engine = new_engine(1200, 10);
		local next_part = engine.next_part;
		function engine:next_part(plan, ...)
			if plan.left == 700 then error("a panic"); end
			return next_part(self, plan, ...);
		end
		assert.has_error(function () open().save(); end);
		assert.equal(500, (stored()));
	end);

	it("takes up the other parts where one cannot be read, and says so without what is in it", function ()
		engine = new_engine(0, 0);
		records[""] = { parts = { "1", "2", "3", "4", "5" } };
		records["1"] = { devices = lines(1) };
		records["2"] = "unreadable";
		records["3"] = { devices = lines(1), is_broken = true };
		records["5"] = { devices = lines(1), passed_over = 2 };
		open().restore(function () end);
		assert.equal(2, (taken_up()));
		local text = table.concat(logged, "\n");
		assert.equal(3, select(2, text:gsub("error: Failed to take up a part of the outbox", "")));
		assert.truthy(text:find("warn: The outbox of the last run holds 2 entries that cannot be read", 1, true));
		for _, line in ipairs(logged) do
			if not line:find("^debug") then assert.is_nil(line:find("secret", 1, true)); end
		end
	end);

	it("takes up what an earlier version has stored in slices", function ()
		engine = new_engine(0, 0);
		local devices = {};
		for i = 1, 1200 do devices[i] = { user = i }; end
		records[""] = { devices = devices, messages = { { age = 1 } }, nicknames = {} };
		pauses = 0;
		open().restore(pause);
		local sizes, users = {}, 0;
		for _, part in ipairs(restored) do
			if part.devices then
				table.insert(sizes, #part.devices);
				assert.equal(1, #part.messages);
				for _, device in ipairs(part.devices) do users = users + device.user; end
			end
		end
		assert.same({ 500, 500, 200 }, sizes);
		assert.equal(1200 * 1201 // 2, users);
		assert.equal(3, pauses);
	end);
end);
