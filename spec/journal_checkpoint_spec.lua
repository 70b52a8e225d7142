-- Checkpoints of the journal: when one is made, what it replaces, and what goes wrong. With a store, an engine and a clock of the
-- test.

local journal_engine = require "spec.support.journal_engine";

local minute = 60;

describe("checkpoint of the journal", function ()
	local lab;

	before_each(function () lab = journal_engine.new_lab(); end);

	local function say_often(count)
		for i = 1, count do
			lab:advance(0.25);
			lab:say("user" .. i % 10, i);
		end
	end

	it("takes the place of what was written before, a minute later", function ()
		say_often(501);
		lab:advance(minute / 2);
		assert.equal(501 + 4 + 1, #lab:names());
		assert.equal(1, #lab:names_with("-from-"));
		lab:advance(minute);
		assert.equal(4 + 1, #lab:names());
		local before = lab.engine.unread;
		lab:start();
		assert.same(before, lab.engine.unread);
		assert.equal(4, #lab.engine.restored_at);
	end);

	it("is made where there is much since the last one", function ()
		lab.engine.bytes = 600 * 1024;
		say_often(1);
		lab:advance(10);
		assert.equal(0, #lab:names_with("-from-"));
		say_often(1);
		lab:advance(10);
		assert.equal(1, #lab:names_with("-from-"));
		lab:start();
		lab:advance(10);
		assert.equal(1, #lab:names_with("-from-"));
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
		lab.outbox.save();
		lab:advance(2 * minute);
		assert.equal(501, #lab:names());
	end);

	it("is made an hour after the first batch since the last one, so that what is told does not stay in the store", function ()
		lab:say("ann", 1);
		lab:say("ann", nil);
		lab:advance(62 * minute);
		assert.equal(1, #lab:names());
		assert.equal(1, #lab:names_with("-from-"));
		lab:advance(300 * minute);
		assert.equal(1, #lab:names(), "and no other one where nothing happens");
		lab:say("bob", 1);
		lab:advance(10 * minute);
		lab:start();
		lab:advance(62 * minute);
		assert.equal(2, #lab:names(), "after a start too");
		assert.equal(1, #lab:names_with("-part"));
	end);

	it("counts what a start has read", function ()
		say_often(300);
		lab:start();
		say_often(201);
		lab:advance(2 * minute);
		assert.equal(4 + 1, #lab:names());
	end);

	it("replaces what earlier versions have stored", function ()
		lab.records[""] = { parts = { "18c2a3f4b21-1" } };
		lab.records["18c2a3f4b21-1"] = { unread = "ann=1\nbob=1\n" };
		lab:start();
		lab:say("bob", 2);
		lab:start();
		assert.same({ ann = 1, bob = 2 }, lab.engine.unread);
		lab:advance(2 * minute);
		assert.equal(2, #lab:names());
		lab:start();
		assert.same({ ann = 1, bob = 2 }, lab.engine.unread);
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
		lab.engine.fails = "next_part";
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
		lab:start();
		assert.equal(4, #lab.engine.restored_at);
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
		lab:say("ann", 1);
		assert.near(0.4 - 0.05, lab.engine.calls[#lab.engine.calls], 1e-6);
	end);

	local function damage(pattern, how)
		local name = assert(lab:names_with(pattern)[1]);
		lab.damaged[name] = how;
		return name;
	end

	it("is passed over where its end is damaged, and what was written before counts", function ()
		say_often(501);
		lab:advance(minute / 2);
		local before = lab.engine.unread;
		local name = damage("-from-", "empty");
		lab:start();
		assert.same(before, lab.engine.unread);
		assert.equal(1, lab:count_logged("error: The record " .. name .. " of the outbox is empty"));
	end);

	for _, how in ipairs { "empty", "unreadable", "missing" } do
		it("is completed by what was written before where a part of it is " .. how, function ()
			say_often(501);
			lab:advance(minute / 2);
			local before = lab.engine.unread;
			if how == "missing" then
				lab.records[lab:names_with("-part")[2]] = nil;
			else
				damage("-part", how);
			end
			lab.logged = {};
			lab:start();
			assert.same(before, lab.engine.unread);
			assert.is_true(lab:count_logged("error: ") > 0);
			lab:advance(2 * minute);
			lab.logged = {};
			lab:start();
			assert.same(before, lab.engine.unread);
			assert.same({}, lab:warnings(), "by then there is another checkpoint");
		end);
	end
end);
