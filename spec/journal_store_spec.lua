-- How the journal is stored and taken up: batches, kills at every write, and what goes wrong. With a store, an engine and a clock of
-- the test. Its checkpoints are in journal_checkpoint_spec.lua.

local journal_engine = require "spec.support.journal_engine";

local minute = 60;

describe("journal", function ()
	local lab;

	before_each(function () lab = journal_engine.new_lab(); end);

	it("writes a batch for what has changed, which says when it was written", function ()
		lab:say("ann", 1);
		assert.equal(1, #lab:names());
		local record = lab.records[lab:names()[1]];
		assert.equal("ann=1\n", record.unread);
		assert.equal(lab.wall_time + lab.time, record.time);
		assert.is_false(lab.outbox.turn(lab.time), "nothing has changed");
	end);

	it("takes up what was written last, and removes nothing of it, whatever happens how often", function ()
		lab:say("ann", 1);
		lab:say("bob", 1);
		lab:say("ann", 2);
		for _ = 1, 3 do -- a kill each time
			local before = lab:names();
			lab:start();
			lab:advance(10 * minute);
			assert.same({ ann = 2, bob = 1 }, lab.engine.unread);
			assert.same(before, lab:names());
		end
		lab:say("ann", nil);
		lab:start();
		assert.same({ bob = 1 }, lab.engine.unread);
	end);

	it("gives no name twice, even where the clock is set back", function ()
		lab:say("ann", 1);
		lab.wall_time = lab.wall_time - 1e6;
		lab:start();
		lab:say("ann", 2); -- the store raises an error where a name was given before
		lab:start();
		assert.same({ ann = 2 }, lab.engine.unread);
		assert.equal(2, #lab:names());
	end);

	it("takes ages for what they were when the newest was written", function ()
		lab:say("ann", 1);
		lab:advance(100);
		lab:say("bob", 1);
		lab:advance(5);
		lab:say("cid", 1);
		lab:advance(1000);
		lab:start();
		assert.same({ -105, -5, 0 }, lab.engine.restored_at);
	end);

	it("takes no age from a clock that is set while it runs", function ()
		lab:say("ann", 1);
		lab:advance(100);
		for _, jump in ipairs { 1e9, -2e9 } do
			lab.wall_time = lab.wall_time + jump;
			lab:say("bob", jump);
			lab:advance(5);
		end
		lab:start();
		assert.same({ -105, -5, 0 }, lab.engine.restored_at);
	end);

	it("takes no age from a clock that is set back between two runs", function ()
		lab:say("ann", 1);
		lab.wall_time = lab.wall_time - 1e6;
		lab:start();
		lab:say("bob", 1);
		lab:start();
		assert.same({ 0, 0 }, lab.engine.restored_at);
	end);

	it("writes what is left at a stop, and nothing else", function ()
		lab:say("ann", 1);
		lab.engine:change("bob", 2);
		lab.outbox.save();
		assert.equal(2, #lab:names());
		lab.outbox.save();
		assert.equal(2, #lab:names());
		lab:start();
		assert.same({ ann = 1, bob = 2 }, lab.engine.unread);
		assert.same({}, lab:warnings());
	end);

	it("says at a stop how much there was no time for", function ()
		lab.seconds_per_write = 0.2;
		lab.engine.most = 2;
		for i = 1, 20 do lab.engine:change("user" .. i, 1); end
		lab.outbox.save();
		assert.equal(3, #lab:names());
		assert.equal(1, lab:count_logged("error: The outbox could not be stored: 14 change(s) of what is unread or waits are lost"));
	end);

	it("says that it cannot write, once, with a number, and when it can again", function ()
		lab.refuses = "the disk is full";
		for i = 1, 5 do lab:say("user" .. i, 1); end
		assert.same({ "failed", "failed", "failed", "failed", "failed" }, lab.engine.calls);
		assert.equal(1, lab:count_logged("error: "));
		assert.equal(1, lab:count_logged("error: The outbox cannot be stored: 1 change(s) of what is unread or waits are in memory alone"));
		lab.refuses = nil;
		lab:say("ann", 1);
		lab:say("bob", 1);
		assert.equal(1, lab:count_logged("info: The outbox can be stored again"));
		assert.is_false(lab:tells("full"));
		lab:start();
		assert.same({ user1 = 1, user2 = 1, user3 = 1, user4 = 1, user5 = 1, ann = 1, bob = 1 }, lab.engine.unread);
		lab.refuses = "the disk is full";
		lab.engine:change("ann", 2);
		lab.outbox.save();
		assert.equal(1, lab:count_logged("error: The outbox could not be stored: 1 change(s)"));
	end);

	it("tells the engine that nothing was stored where the engine fails", function ()
		lab.engine.fails = "poll_batch";
		assert.is_true(lab.outbox.turn(lab.time));
		assert.same({ "failed" }, lab.engine.calls);
		assert.equal(1, lab:count_logged("error: Failed to store what is to be pushed"));
	end);

	it("writes at once what a record is going to leave to another one, after all that is there", function ()
		lab:say("ann", 1);
		lab.engine.bequests = { ann = "ann=2\n" };
		assert.is_true(lab.outbox.bequeath("ann", {}, nil));
		assert.is_false(lab.outbox.bequeath("bob", {}, nil), "who has nothing to leave");
		local names = lab:names();
		assert.equal(2, #names);
		assert.equal(lab.wall_time + lab.time, lab.records[names[2]].time);
		lab:start();
		assert.same({ ann = 2 }, lab.engine.unread);
	end);

	it("lets a record be written where that fails", function ()
		lab.engine.bequests = { ann = "ann=2\n" };
		lab.refuses = "the disk is full";
		assert.is_false(lab.outbox.bequeath("ann", {}, nil));
		lab.refuses, lab.engine.fails = nil, "bequest";
		assert.is_false(lab.outbox.bequeath("ann", {}, nil));
		assert.equal(1, lab:count_logged("error: Failed to store what is unread under another name"));
		assert.same({}, lab:names());
	end);

	it("leaves nothing to anybody before what the last run has left is taken up, nor without a journal", function ()
		lab.engine = journal_engine.new(lab);
		lab.engine.bequests = { ann = "ann=2\n" };
		for _, has_journal in ipairs { true, false } do
			lab.outbox = lab:open(lab.engine, { has_journal = has_journal });
			assert.is_false(lab.outbox.bequeath("ann", {}, nil));
		end
		assert.same({}, lab:names());
	end);

	it("takes no account of how long a store takes that is fast enough, in the long run too", function ()
		lab.seconds_per_write = 0.02;
		for i = 1, 100 do
			lab:say("ann", i);
			assert.equal(0, lab.engine.calls[i]);
			lab:advance(0.2);
		end
		local started = lab.time;
		for i = 1, 50 do
			lab:say("ann", i);
			lab:advance(10 * lab.engine.calls[#lab.engine.calls]); -- as the engine does
		end
		local share = 50 * 0.02 / (lab.time - started);
		assert.is_true(share > 0.09 and share < 0.11, share);
	end);

	it("makes no more of how long a store takes than that, however slow it is for however long", function ()
		lab.seconds_per_write = 1;
		for i = 1, 100 do
			lab:say("ann", i);
			assert.is_true(lab.engine.calls[i] <= 1, lab.engine.calls[i]);
			lab:advance(2.5); -- as the engine does
		end
		lab.seconds_per_write = 0.02;
		lab:say("ann", 101);
		assert.is_true(lab.engine.calls[101] <= 0.02);
	end);

	it("writes nothing before what the last run has left is taken up", function ()
		lab:say("ann", 1);
		lab.engine = journal_engine.new(lab);
		lab.outbox = lab:open(lab.engine, { has_journal = true });
		assert.is_false(lab.outbox.has_begun());
		lab.engine:change("bob", 1);
		assert.is_false(lab.outbox.turn(lab.time));
		assert.same({}, lab.engine.calls);
		assert.equal(1, #lab:names());
		lab:restore(lab.outbox);
		assert.is_true(lab.outbox.has_begun());
		lab.outbox.turn(lab.time);
		assert.equal(2, #lab:names());
	end);

	describe("over a reload", function ()
		local function reload(handed_over)
			lab.outbox = lab:open(lab.engine, { has_journal = true, is_new = false });
			lab.outbox.begin(handed_over);
		end

		it("goes on with other names, and neither reads nor loses anything", function ()
			lab:say("ann", 1);
			lab.engine:change("bob", 1);
			reload(lab.outbox.hand_over());
			lab.engine:change("cid", 1);
			lab.outbox.turn(lab.time);
			lab:advance(2 * minute);
			assert.equal(2, #lab:names());
			assert.same({}, lab.engine.restored_at);
			lab:start();
			assert.same({ ann = 1, bob = 1, cid = 1 }, lab.engine.unread);
		end);

		it("goes on with other names where the one before has said nothing, and makes a checkpoint", function ()
			lab.wall_time = lab.wall_time + 1e6;
			lab:say("ann", 1);
			lab.wall_time = lab.wall_time - 1e6;
			reload(nil);
			lab:say("bob", 1);
			lab:advance(2 * minute);
			assert.equal(1, #lab:names_with("-from-"));
			lab:start();
			assert.same({ ann = 1, bob = 1 }, lab.engine.unread);
		end);

		it("begins by itself with the first batch", function ()
			lab.outbox = lab:open(lab.engine, { has_journal = true, is_new = false });
			lab:say("bob", 1);
			assert.equal(0, lab.engine.calls[1]);
		end);
	end);

	describe("that is damaged", function ()
		it("keeps what is empty or cannot be read aside, says so with its name, and takes up all else", function ()
			for i = 1, 5 do lab:say("user" .. i, 1); end
			local names = lab:names();
			lab.damaged[names[2]], lab.damaged[names[5]] = "empty", "unreadable";
			lab.records[names[4]] = { is_broken = true };
			lab:start();
			assert.same({ user1 = 1, user3 = 1 }, lab.engine.unread);
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox is empty or not there: it is kept aside"):format(names[2])));
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox cannot be read: it is kept aside"):format(names[5])));
			assert.equal(1, lab:count_logged(("error: The record %s of the outbox makes no sense: it is kept aside"):format(names[4])));
			assert.is_false(lab:tells("secret"));
			lab.logged = {};
			lab:start();
			assert.same({}, lab:warnings());
			for i = 1, 501 do lab:say("user9", i); end
			lab:advance(3 * minute);
			assert.equal(5, #lab:names(), "what is kept aside is not removed");
			lab.outbox.save();
			for _, i in ipairs { 2, 4, 5 } do assert.truthy(lab.records[names[i]]); end
		end);

		it("is read once the store answers, however long that takes, and nothing is kept aside", function ()
			for i = 1, 5 do lab:say("user" .. i, 1); end
			local away_until, is_away_again = lab.time + 100, false;
			local reads = 0;
			local get = lab.store.get;
			lab.is_away = true;
			function lab.on_wait() lab.is_away = lab.time < away_until; end
			function lab.store:get(name)
				reads = reads + 1;
				if #lab.engine.restored_at == 2 and not is_away_again then -- in the middle
					is_away_again, away_until = true, lab.time + 20;
					lab.is_away = true;
				end
				return get(self, name);
			end
			lab:start();
			assert.same({ user1 = 1, user2 = 1, user3 = 1, user4 = 1, user5 = 1 }, lab.engine.unread);
			assert.is_true(is_away_again and lab.time > away_until and reads < 60, reads);
			assert.is_true(lab:count_logged("error: The outbox of the last run cannot be read: the store does not answer") >= 1);
			assert.is_nil(lab.records.aside);
			assert.is_false(lab:tells("secret"));
		end);

		it("is read where a record could not be at first", function ()
			for i = 1, 3 do lab:say("user" .. i, 1); end
			local name = lab:names()[2];
			lab.damaged[name] = "unreadable";
			function lab.on_wait() lab.damaged[name] = nil; end
			lab:start();
			assert.same({ user1 = 1, user2 = 1, user3 = 1 }, lab.engine.unread);
			assert.same({}, lab:warnings());
		end);
	end);

	it("has after every kill what was last stored, or something later", function ()
		local seed = tonumber(os.getenv("SEED")) or os.time();
		local random = math.random;
		for run = seed, seed + 30 do
			math.randomseed(run);
			lab = journal_engine.new_lab();
			local history = {}; -- what each was since it was last stored, and then
			local kills, checkpoints = 0, 0;
			local function count_of(name) return lab.engine.unread[name] or 0; end
			for _ = 1, 6 do
				lab.is_killed, lab.kill_after = false, random(0, 700);
				lab:start();
				for name, values in pairs(history) do
					assert.is_true(values[count_of(name)] == true, ("%s is %d; SEED=%d"):format(name, count_of(name), run));
					history[name] = { [count_of(name)] = true };
				end
				for name in pairs(lab.engine.unread) do assert.truthy(history[name], name); end
				for step = 1, 900 do
					local name, count = "user" .. random(1, 12), random(1, 3) > 1 and step or nil;
					history[name] = history[name] or { [0] = true };
					history[name][count or 0] = true;
					lab:say(name, count);
					if lab.is_killed then break; end
					for other, stored in pairs(lab.engine.stored) do
						if not lab.engine.dirty[other] then history[other] = { [stored] = true }; end
					end
					lab:advance(random() * 0.5);
					if random(1, 300) == 1 then
						local handed_over = lab.outbox.hand_over();
						lab.outbox = lab:open(lab.engine, { has_journal = true, is_new = false });
						lab.outbox.begin(random(1, 2) == 1 and handed_over or nil);
					end
				end
				kills = kills + (lab.is_killed and 1 or 0);
				checkpoints = checkpoints + #lab:names_with("-from-");
			end
			assert.is_true(kills > 0);
		end
	end);
end);
