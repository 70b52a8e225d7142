-- How the outbox is stored at a stop, where there is no journal, and taken up: the bounds, and what goes wrong. With a store, an
-- engine and a clock of the test.

local outbox_laboratory = require "spec.support.outbox_laboratory";

describe("outbox store", function ()
	local lab, engine, restored;

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
			plan_snapshot = function (_, plan)
				if not plan then return { left = devices }, nil; end
				return plan, devices;
			end;
			next_part = function (_, plan, _, at_most, detail)
				if plan.left == 0 then return nil, 0, 0; end
				local count = math.min(at_most, plan.left);
				plan.left = plan.left - count;
				return { devices = lines(count), detail = detail }, count * bytes, plan.left;
			end;
			prepare_restore = function () return true; end;
			restore = function (_, part)
				assert(not part.is_broken, "it is broken");
				table.insert(restored, part);
				return part.passed_over or 0;
			end;
		};
	end

	before_each(function ()
		lab = outbox_laboratory.new();
		lab.seconds_per_write = 0.001;
	end);

	local function open()
		return lab:open(engine);
	end

	-- The names of the parts of which there is an end.
	local function parts()
		local names, all = {}, lab:names();
		if not (all[#all] or ""):find("-from-", 1, true) then return names; end
		for _, name in ipairs(all) do
			if name:find("-part", 1, true) then table.insert(names, name); end
		end
		return names;
	end

	local function stored()
		local count, largest = 0, 0;
		for _, name in ipairs(parts()) do
			local devices = devices_in(lab.records[name]);
			count, largest = count + devices, math.max(largest, devices);
		end
		return count, #parts(), largest;
	end

	local function taken_up()
		local devices, largest = 0, 0;
		for _, part in ipairs(restored) do
			devices, largest = devices + devices_in(part), math.max(largest, devices_in(part));
		end
		return devices, largest;
	end

	it("writes parts that are read one by one", function ()
		engine = new_engine(20000, 300);
		open().save();
		assert.same({ 20000, 40, 500 }, { stored() });
		assert.same({}, lab.logged);
		assert.is_true(lab:restore(open()) >= 40);
		assert.same({ 20000, 500 }, { taken_up() });
		assert.same({ 20000, 40, 500 }, { stored() }, "it stays until it is told");
	end);

	it("leaves nothing when it is cleared, not even what a stop that was cut short has left", function ()
		engine = new_engine(2000, 300);
		lab.records["cut-short-1"] = { devices = lines(7) };
		open().save();
		local store = open();
		lab:restore(store);
		assert.equal(2000, (taken_up()));
		store.clear(function () end);
		assert.same({}, lab.records);
	end);

	it("writes nothing where there is nothing", function ()
		engine = new_engine(0, 0);
		lab.records[""] = { parts = { "old-1" } };
		lab.records["old-1"] = { devices = lines(3) };
		open().save();
		assert.same({}, lab.records);
	end);

	it("replaces what was stored before, once what is new is there", function ()
		engine = new_engine(700, 300);
		open().save();
		local before = parts()[1];
		lab.time = lab.time + 10;
		engine = new_engine(600, 300);
		open().save();
		assert.is_nil(lab.records[before]);
		assert.same({ 600, 2, 500 }, { stored() });
		assert.equal(3, #lab:names());
	end);

	it("takes no longer than it may, whatever there is to store", function ()
		lab.seconds_per_write = 0.05;
		engine = new_engine(1000000, 10);
		local started = lab.time;
		open().save();
		assert.is_true(lab.time - started <= 0.5 + 3 * lab.seconds_per_write, lab.time - started);
		local count = stored();
		assert.same({
			("warn: To stop in time, the outbox of %d device(s) is stored without the texts of what waits"):format(count - 6 * 500);
			("error: The outbox of %d device(s) could not be stored: what waits for them, and how much they have not read, is lost")
				:format(1000000 - count);
		}, lab.logged);
	end);

	it("stores all texts where that takes no longer than it may", function ()
		lab.seconds_per_write = 0.011;
		engine = new_engine(20000, 10);
		open().save();
		assert.same({ 20000, 40, 500 }, { stored() });
		assert.equal("words", lab.records[parts()[40]].detail);
		assert.same({}, lab.logged);
	end);

	it("stores the texts of the first and the counts of the others where it gets late", function ()
		lab.seconds_per_write = 0.02;
		engine = new_engine(40000, 10);
		open().save();
		assert.equal(40000, (stored()));
		assert.equal("words", lab.records[parts()[1]].detail);
		assert.equal("counts", lab.records[parts()[#parts()]].detail);
		assert.equal(1, #lab.logged);
	end);

	it("writes no more bytes than it may", function ()
		lab.seconds_per_write = 0;
		engine = new_engine(100000, 10000);
		open().save();
		local count = stored();
		assert.is_true(count * 10000 <= 64 * 1024 * 1024 + 4000 * 10000, count);
		assert.equal(2, #lab.logged);
	end);

	it("says what is lost where the store does not take it", function ()
		lab.refuses = "the disk is full";
		engine = new_engine(1200, 10);
		lab.records[""], lab.records["old-1"] = { parts = { "old-1" } }, { devices = lines(3) };
		open().save();
		assert.equal(1, lab:count_logged("The outbox of 1200 device(s) could not be stored"));
		assert.equal(3, devices_in(lab.records["old-1"]));
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

	-- What the version before this one has stored.
	it("takes up the other parts where one cannot be read, and says so without what is in it", function ()
		engine = new_engine(0, 0);
		lab.records[""] = { parts = { "1", "2", "3", "4", "5" } };
		lab.records["1"] = { devices = lines(1) };
		lab.records["2"], lab.damaged["2"] = {}, "unreadable";
		lab.records["3"] = { devices = lines(1), is_broken = true };
		lab.records["5"] = { devices = lines(1), passed_over = 2 };
		local store = open();
		lab:restore(store);
		assert.equal(2, (taken_up()));
		for name, what in pairs { ["2"] = "cannot be read", ["3"] = "makes no sense", ["4"] = "is empty or not there" } do
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox %s: it is kept aside"):format(name, what)));
		end
		assert.equal(3, lab:count_logged("error: "));
		assert.equal(1, lab:count_logged("warn: The outbox of the last run holds 2 entries that cannot be read"));
		assert.is_false(lab:tells("secret"));
		store.clear(function () end);
		store.save();
		assert.same({ "2", "3" }, lab:names(), "what cannot be read stays, and nothing else");
	end);

	it("takes up what an earlier version has stored in slices", function ()
		engine = new_engine(0, 0);
		local devices = {};
		for i = 1, 1200 do devices[i] = { user = i }; end
		lab.records[""] = { devices = devices, messages = { { age = 1 } }, nicknames = {} };
		local pauses = lab:restore(open());
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
		assert.is_true(pauses >= 3);
	end);

	it("says that the record with the names of the parts is gone, and keeps the parts aside", function ()
		engine = new_engine(0, 0);
		lab.records["18c2a3f4b21-1"], lab.records["18c2a3f4b21-2"] = { devices = lines(1) }, { devices = lines(1) };
		local store = open();
		lab:restore(store);
		assert.equal(0, (taken_up()));
		assert.equal(1, lab:count_logged("error: The outbox has 2 record(s) of an earlier version"));
		store.clear(function () end);
		assert.same({ "18c2a3f4b21-1", "18c2a3f4b21-2" }, lab:names());
		lab.logged = {};
		lab:restore(open());
		assert.same({}, lab.logged, "it is said once");
	end);

	describe("of a storage that cannot list its records", function ()
		before_each(function () lab.store.users = nil; end);

		it("is stored with a record that says which parts there are", function ()
			engine = new_engine(1200, 300);
			open().save();
			assert.same({ "", lab.records[""].parts[1], lab.records[""].parts[2], lab.records[""].parts[3] }, lab:names());
			local store = open();
			lab:restore(store);
			assert.same({ 1200, 500 }, { taken_up() });
			engine = new_engine(600, 300);
			lab.time = lab.time + 1;
			open().save();
			assert.equal(3, #lab:names(), "what was stored before is gone");
			lab:open(engine).clear(function () end);
			assert.same({}, lab.records);
		end);

		it("keeps a part that cannot be read aside", function ()
			engine = new_engine(1200, 300);
			open().save();
			local name = lab.records[""].parts[2];
			lab.damaged[name] = "unreadable";
			local store = open();
			lab:restore(store);
			assert.equal(700, (taken_up()));
			store.clear(function () end);
			assert.same({ name }, lab:names());
		end);

		it("has no journal, which is said", function ()
			engine = new_engine(0, 0);
			lab:open(engine, { has_journal = true });
			assert.equal(1, lab:count_logged("warn: The storage of this host cannot list its records, so there is no journal"));
			lab.logged = {};
			lab:open(engine);
			assert.same({}, lab.logged, "nothing where none is wanted");
		end);
	end);
end);
