-- How the journal is stored and taken up: batches, checkpoints, kills at every write, and what goes wrong. With a store, an engine
-- and a clock of the test.

local outbox_laboratory = require "spec.support.outbox_laboratory";

local minute = 60;

-- An engine that only knows how much is unread: a number for each name. What has changed is written by batches.
local function new_engine(lab)
	local engine = { unread = {}, dirty = {}, stored = {}, most = math.huge, prepared = 3, restored_at = {}, calls = {} };
	local under_way;

	function engine:change(name, count)
		self.unread[name] = count;
		self.dirty[name] = true;
	end

	local function text_of(name)
		return ("%s=%d\n"):format(name, engine.unread[name] or 0);
	end

	local function make_batch()
		assert(not under_way, "the last batch is not done");
		local list = {};
		under_way = {};
		for name in pairs(engine.dirty) do
			if #list < engine.most then
				table.insert(list, text_of(name));
				under_way[name] = engine.unread[name] or 0;
			end
		end
		if not list[1] then
			under_way = nil;
			return nil;
		end
		for name in pairs(under_way) do engine.dirty[name] = nil; end
		local text = table.concat(list);
		return { unread = text }, engine.bytes or #text;
	end

	function engine.poll_batch()
		if engine.fails == "poll_batch" then error("a panic"); end
		return make_batch();
	end
	engine.finish_batch = make_batch;

	function engine:batch_stored(_, seconds)
		for name, count in pairs(under_way) do self.stored[name] = count; end
		under_way = nil;
		table.insert(self.calls, seconds);
	end

	function engine:batch_failed()
		for name in pairs(under_way or {}) do self.dirty[name] = true; end
		under_way = nil;
		table.insert(self.calls, "failed");
	end

	-- In three calls.
	function engine:plan_snapshot(plan)
		plan = plan or { calls = 0 };
		plan.calls = plan.calls + 1;
		if plan.calls < 3 then return plan, nil; end
		for name in pairs(self.unread) do table.insert(plan, name); end
		table.sort(plan);
		return plan, #plan;
	end

	function engine.next_part(_, plan)
		if engine.fails == "next_part" then error("a panic"); end
		assert(plan.calls == 3, "not all is planned");
		if not plan[1] then return nil, 0, 0; end
		local list = {};
		for _ = 1, 3 do
			local name = table.remove(plan, 1);
			if name and engine.unread[name] then table.insert(list, text_of(name)); end
		end
		local text = table.concat(list);
		return list[1] and { unread = text } or {}, #text, #plan;
	end

	function engine:stats()
		local count = 0;
		for _ in pairs(self.dirty) do count = count + 1; end
		return { unstored = count };
	end

	function engine:prepare_restore()
		self.prepared = self.prepared - 1;
		return self.prepared < 0;
	end

	function engine:restore(record, time)
		assert(self.prepared < 0, "it is not prepared");
		assert(not record.is_broken, "it is broken");
		table.insert(self.restored_at, time - lab.time);
		for name, count in (record.unread or ""):gmatch("(%w+)=(%d+)\n") do
			self.unread[name] = count ~= "0" and tonumber(count) or nil;
		end
		return 0;
	end

	return engine;
end

describe("journal", function ()
	local lab, engine, store;

	local function start()
		engine = new_engine(lab);
		store = lab:open(engine, { has_journal = true });
		lab:restore(store);
	end

	local function say(name, count)
		engine:change(name, count);
		store.turn(lab.time);
	end

	before_each(function ()
		lab = outbox_laboratory.new();
		start();
	end);

	local function names_with(text)
		local found = {};
		for _, name in ipairs(lab:names()) do
			if name:find(text, 1, true) then table.insert(found, name); end
		end
		return found;
	end

	it("writes a batch for what has changed, which says when it was written", function ()
		say("ann", 1);
		assert.equal(1, #lab:names());
		local record = lab.records[lab:names()[1]];
		assert.equal("ann=1\n", record.unread);
		assert.equal(lab.wall_time + lab.time, record.time);
		assert.is_false(store.turn(lab.time), "nothing has changed");
	end);

	it("takes up what was written last, and removes nothing of it, whatever happens how often", function ()
		say("ann", 1);
		say("bob", 1);
		say("ann", 2);
		for _ = 1, 3 do -- a kill each time
			local before = lab:names();
			start();
			lab:advance(10 * minute);
			assert.same({ ann = 2, bob = 1 }, engine.unread);
			assert.same(before, lab:names());
		end
		say("ann", nil);
		start();
		assert.same({ bob = 1 }, engine.unread);
	end);

	it("gives no name twice, even where the clock is set back", function ()
		say("ann", 1);
		lab.wall_time = lab.wall_time - 1e6;
		start();
		say("ann", 2); -- the store raises an error where a name was given before
		start();
		assert.same({ ann = 2 }, engine.unread);
		assert.equal(2, #lab:names());
	end);

	it("takes ages for what they were when the newest was written", function ()
		say("ann", 1);
		lab:advance(100);
		say("bob", 1);
		lab:advance(5);
		say("cid", 1);
		lab:advance(1000);
		start();
		assert.same({ -105, -5, 0 }, engine.restored_at);
	end);

	it("takes no age from a clock that is set while it runs", function ()
		say("ann", 1);
		lab:advance(100);
		for _, jump in ipairs { 1e9, -2e9 } do
			lab.wall_time = lab.wall_time + jump;
			say("bob", jump);
			lab:advance(5);
		end
		start();
		assert.same({ -105, -5, 0 }, engine.restored_at);
	end);

	it("takes no age from a clock that is set back between two runs", function ()
		say("ann", 1);
		lab.wall_time = lab.wall_time - 1e6;
		start();
		say("bob", 1);
		start();
		assert.same({ 0, 0 }, engine.restored_at);
	end);

	it("writes what is left at a stop, and nothing else", function ()
		say("ann", 1);
		engine:change("bob", 2);
		store.save();
		assert.equal(2, #lab:names());
		store.save();
		assert.equal(2, #lab:names());
		start();
		assert.same({ ann = 1, bob = 2 }, engine.unread);
		assert.same({}, lab:warnings());
	end);

	it("says at a stop how much there was no time for", function ()
		lab.seconds_per_write = 0.2;
		engine.most = 2;
		for i = 1, 20 do engine:change("user" .. i, 1); end
		store.save();
		assert.equal(3, #lab:names());
		assert.equal(1, lab:count_logged("error: The outbox could not be stored: 14 change(s) of what is unread or waits are lost"));
	end);

	it("says that it cannot write, once, with a number, and when it can again", function ()
		lab.refuses = "the disk is full";
		for i = 1, 5 do say("user" .. i, 1); end
		assert.same({ "failed", "failed", "failed", "failed", "failed" }, engine.calls);
		assert.equal(1, lab:count_logged("error: "));
		assert.equal(1, lab:count_logged("error: The outbox cannot be stored: 1 change(s) of what is unread or waits are in memory alone"));
		lab.refuses = nil;
		say("ann", 1);
		say("bob", 1);
		assert.equal(1, lab:count_logged("info: The outbox can be stored again"));
		assert.is_false(lab:tells("full"));
		start();
		assert.same({ user1 = 1, user2 = 1, user3 = 1, user4 = 1, user5 = 1, ann = 1, bob = 1 }, engine.unread);
		lab.refuses = "the disk is full";
		engine:change("ann", 2);
		store.save();
		assert.equal(1, lab:count_logged("error: The outbox could not be stored: 1 change(s)"));
	end);

	it("tells the engine that nothing was stored where the engine fails", function ()
		engine.fails = "poll_batch";
		assert.is_true(store.turn(lab.time));
		assert.same({ "failed" }, engine.calls);
		assert.equal(1, lab:count_logged("error: Failed to store what is to be pushed"));
	end);

	it("takes no account of how long a store takes that is fast enough, in the long run too", function ()
		lab.seconds_per_write = 0.02;
		for i = 1, 100 do
			say("ann", i);
			assert.equal(0, engine.calls[i]);
			lab:advance(0.2);
		end
		local started = lab.time;
		for i = 1, 50 do
			say("ann", i);
			lab:advance(10 * engine.calls[#engine.calls]); -- as the engine does
		end
		local share = 50 * 0.02 / (lab.time - started);
		assert.is_true(share > 0.09 and share < 0.11, share);
	end);

	it("makes no more of how long a store takes than that, however slow it is for however long", function ()
		lab.seconds_per_write = 1;
		for i = 1, 100 do
			say("ann", i);
			assert.is_true(engine.calls[i] <= 1, engine.calls[i]);
			lab:advance(2.5); -- as the engine does
		end
		lab.seconds_per_write = 0.02;
		say("ann", 101);
		assert.is_true(engine.calls[101] <= 0.02);
	end);

	it("writes nothing before what the last run has left is taken up", function ()
		say("ann", 1);
		engine = new_engine(lab);
		store = lab:open(engine, { has_journal = true });
		assert.is_false(store.has_begun());
		engine:change("bob", 1);
		assert.is_false(store.turn(lab.time));
		assert.same({}, engine.calls);
		assert.equal(1, #lab:names());
		lab:restore(store);
		assert.is_true(store.has_begun());
		store.turn(lab.time);
		assert.equal(2, #lab:names());
	end);

	describe("over a reload", function ()
		local function reload(handed_over)
			store = lab:open(engine, { has_journal = true, is_new = false });
			store.begin(handed_over);
		end

		it("goes on with other names, and neither reads nor loses anything", function ()
			say("ann", 1);
			engine:change("bob", 1);
			reload(store.hand_over());
			engine:change("cid", 1);
			store.turn(lab.time);
			lab:advance(2 * minute);
			assert.equal(2, #lab:names());
			assert.same({}, engine.restored_at);
			start();
			assert.same({ ann = 1, bob = 1, cid = 1 }, engine.unread);
		end);

		it("goes on with other names where the one before has said nothing, and makes a checkpoint", function ()
			lab.wall_time = lab.wall_time + 1e6;
			say("ann", 1);
			lab.wall_time = lab.wall_time - 1e6;
			reload(nil);
			say("bob", 1);
			lab:advance(2 * minute);
			assert.equal(1, #names_with("-from-"));
			start();
			assert.same({ ann = 1, bob = 1 }, engine.unread);
		end);

		it("begins by itself with the first batch", function ()
			store = lab:open(engine, { has_journal = true, is_new = false });
			say("bob", 1);
			assert.equal(0, engine.calls[1]);
		end);
	end);

	describe("checkpoint", function ()
		local function say_often(count)
			for i = 1, count do
				lab:advance(0.25);
				say("user" .. i % 10, i);
			end
		end

		it("takes the place of what was written before, a minute later", function ()
			say_often(501);
			lab:advance(minute / 2);
			assert.equal(501 + 4 + 1, #lab:names());
			assert.equal(1, #names_with("-from-"));
			lab:advance(minute);
			assert.equal(4 + 1, #lab:names());
			local before = engine.unread;
			start();
			assert.same(before, engine.unread);
			assert.equal(4, #engine.restored_at);
		end);

		it("is made where there is much since the last one", function ()
			engine.bytes = 600 * 1024;
			say_often(1);
			lab:advance(10);
			assert.equal(0, #names_with("-from-"));
			say_often(1);
			lab:advance(10);
			assert.equal(1, #names_with("-from-"));
			start();
			lab:advance(10);
			assert.equal(1, #names_with("-from-"));
		end);

		it("is made again after as many batches", function ()
			say_often(501);
			lab:advance(2 * minute);
			say_often(500);
			lab:advance(2 * minute);
			assert.equal(500 + 4 + 1, #lab:names());
			say_often(1);
			lab:advance(2 * minute);
			assert.equal(4 + 1, #lab:names());
		end);

		it("is not made any more after a stop", function ()
			say_often(501);
			store.save();
			lab:advance(2 * minute);
			assert.equal(501, #lab:names());
		end);

		it("is made an hour after the first batch since the last one, so that what is told does not stay in the store", function ()
			say("ann", 1);
			say("ann", nil);
			lab:advance(62 * minute);
			assert.equal(1, #lab:names());
			assert.equal(1, #names_with("-from-"));
			lab:advance(300 * minute);
			assert.equal(1, #lab:names(), "and no other one where nothing happens");
			say("bob", 1);
			lab:advance(10 * minute);
			start();
			lab:advance(62 * minute);
			assert.equal(2, #lab:names(), "after a start too");
			assert.equal(1, #names_with("-part"));
		end);

		it("counts what a start has read", function ()
			say_often(300);
			start();
			say_often(201);
			lab:advance(2 * minute);
			assert.equal(4 + 1, #lab:names());
		end);

		it("replaces what earlier versions have stored", function ()
			lab.records[""] = { parts = { "18c2a3f4b21-1" } };
			lab.records["18c2a3f4b21-1"] = { unread = "ann=1\nbob=1\n" };
			start();
			say("bob", 2);
			start();
			assert.same({ ann = 1, bob = 2 }, engine.unread);
			lab:advance(2 * minute);
			assert.equal(2, #lab:names());
			start();
			assert.same({ ann = 1, bob = 2 }, engine.unread);
		end);

		it("is made later where the store refuses it, and what was written before stays", function ()
			say_often(500);
			local set = lab.store.set;
			function lab.store:set(name, record)
				if name:find("part", 1, true) then return nil, "the disk is full"; end
				return set(self, name, record);
			end
			local before = lab.time;
			say_often(40);
			lab:advance(2 * minute);
			assert.equal(540, #lab:names());
			lab.store.set = set;
			assert.is_true(lab.time - before < 10 * minute);
			lab:advance(10 * minute);
			say_often(1);
			lab:advance(2 * minute);
			assert.equal(4 + 1, #lab:names());
		end);

		it("does no harm where the engine fails", function ()
			engine.fails = "next_part";
			say_often(501);
			lab:advance(minute);
			assert.equal(1, lab:count_logged("error: Failed to make a checkpoint of the outbox"));
			assert.equal(501, #lab:names());
		end);

		it("removes what could not be removed at first", function ()
			say_often(501);
			lab:advance(minute / 2);
			lab.refuses = "it is read-only";
			lab:advance(2 * minute);
			assert.equal(501 + 4 + 1, #lab:names());
			lab.refuses = nil;
			lab:advance(10 * minute);
			assert.equal(4 + 1, #lab:names());
		end);

		it("is removed by the next start where the one before has had no time for it", function ()
			say_often(501);
			lab:advance(minute / 2);
			start();
			assert.equal(4, #engine.restored_at);
			lab:advance(2 * minute);
			assert.equal(4 + 1, #lab:names());
		end);

		it("leaves the event loop its time, however slow the store is", function ()
			lab.seconds_per_write = 0.2;
			say_often(501); -- more often than the engine would
			local busy, started, writes = 0, lab.time, 0;
			local set = lab.store.set;
			function lab.store:set(...)
				busy, writes = busy + lab.seconds_per_write, writes + 1;
				return set(self, ...);
			end
			lab:advance(15 * minute);
			assert.is_true(writes > 100, writes);
			assert.is_true(busy / (lab.time - started) <= 0.06, busy / (lab.time - started));
			-- And the engine leaves it time for both.
			say("ann", 1);
			assert.near(0.4 - 0.05, engine.calls[#engine.calls], 1e-6);
		end);

		local function damage(pattern, how)
			local name = assert(names_with(pattern)[1]);
			lab.damaged[name] = how;
			return name;
		end

		it("is passed over where its end is damaged, and what was written before counts", function ()
			say_often(501);
			lab:advance(minute / 2);
			local before = engine.unread;
			local name = damage("-from-", "empty");
			start();
			assert.same(before, engine.unread);
			assert.equal(1, lab:count_logged("error: The record " .. name .. " of the outbox is empty"));
		end);

		for _, how in ipairs { "empty", "unreadable", "missing" } do
			it("is completed by what was written before where a part of it is " .. how, function ()
				say_often(501);
				lab:advance(minute / 2);
				local before = engine.unread;
				if how == "missing" then
					lab.records[names_with("-part")[2]] = nil;
				else
					damage("-part", how);
				end
				lab.logged = {};
				start();
				assert.same(before, engine.unread);
				assert.is_true(lab:count_logged("error: ") > 0);
				lab:advance(2 * minute);
				lab.logged = {};
				start();
				assert.same(before, engine.unread);
				assert.same({}, lab:warnings(), "by then there is another checkpoint");
			end);
		end
	end);

	describe("that is damaged", function ()
		it("keeps what is empty or cannot be read aside, says so with its name, and takes up all else", function ()
			for i = 1, 5 do say("user" .. i, 1); end
			local names = lab:names();
			lab.damaged[names[2]], lab.damaged[names[5]] = "empty", "unreadable";
			lab.records[names[4]] = { is_broken = true };
			start();
			assert.same({ user1 = 1, user3 = 1 }, engine.unread);
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox is empty or not there: it is kept aside"):format(names[2])));
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox cannot be read: it is kept aside"):format(names[5])));
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox makes no sense: it is kept aside"):format(names[4])));
			assert.is_false(lab:tells("secret"));
			lab.logged = {};
			start();
			assert.same({}, lab:warnings());
			for i = 1, 501 do say("user9", i); end
			lab:advance(3 * minute);
			assert.equal(5, #lab:names(), "what is kept aside is not removed");
			store.save();
			for _, i in ipairs { 2, 4, 5 } do assert.truthy(lab.records[names[i]]); end
		end);

		it("is read once the store answers, however long that takes, and nothing is kept aside", function ()
			for i = 1, 5 do say("user" .. i, 1); end
			local away_until, is_away_again = lab.time + 100, false;
			local reads = 0;
			local get = lab.store.get;
			lab.is_away = true;
			function lab.on_wait() lab.is_away = lab.time < away_until; end
			function lab.store:get(name)
				reads = reads + 1;
				if #engine.restored_at == 2 and not is_away_again then -- in the middle
					is_away_again, away_until = true, lab.time + 20;
					lab.is_away = true;
				end
				return get(self, name);
			end
			start();
			assert.same({ user1 = 1, user2 = 1, user3 = 1, user4 = 1, user5 = 1 }, engine.unread);
			assert.is_true(is_away_again and lab.time > away_until and reads < 60, reads);
			assert.is_true(lab:count_logged("error: The outbox of the last run cannot be read: the store does not answer") >= 1);
			assert.is_nil(lab.records.aside);
			assert.is_false(lab:tells("secret"));
		end);

		it("is read where a record could not be at first", function ()
			for i = 1, 3 do say("user" .. i, 1); end
			local name = lab:names()[2];
			lab.damaged[name] = "unreadable";
			function lab.on_wait() lab.damaged[name] = nil; end
			start();
			assert.same({ user1 = 1, user2 = 1, user3 = 1 }, engine.unread);
			assert.same({}, lab:warnings());
		end);
	end);

	it("has after every kill what was last stored, or something later", function ()
		local seed = tonumber(os.getenv("SEED")) or os.time();
		local random = math.random;
		for run = seed, seed + 30 do
			math.randomseed(run);
			lab = outbox_laboratory.new();
			local history = {}; -- what each was since it was last stored, and then
			local kills, checkpoints = 0, 0;
			local function count_of(name) return engine.unread[name] or 0; end
			start();
			for _ = 1, 6 do
				lab.is_killed, lab.kill_after = false, random(0, 700);
				start();
				for name, values in pairs(history) do
					assert.is_true(values[count_of(name)] == true, ("%s is %d; SEED=%d"):format(name, count_of(name), run));
					history[name] = { [count_of(name)] = true };
				end
				for name in pairs(engine.unread) do assert.truthy(history[name], name); end
				for step = 1, 900 do
					local name, count = "user" .. random(1, 12), random(1, 3) > 1 and step or nil;
					history[name] = history[name] or { [0] = true };
					history[name][count or 0] = true;
					say(name, count);
					if lab.is_killed then break; end
					for other, stored in pairs(engine.stored) do
						if not engine.dirty[other] then history[other] = { [stored] = true }; end
					end
					lab:advance(random() * 0.5);
					if random(1, 300) == 1 then
						local handed_over = store.hand_over();
						store = lab:open(engine, { has_journal = true, is_new = false });
						store.begin(random(1, 2) == 1 and handed_over or nil);
					end
				end
				kills = kills + (lab.is_killed and 1 or 0);
				checkpoints = checkpoints + #names_with("-from-");
			end
			assert.is_true(kills > 0);
		end
	end);
end);
