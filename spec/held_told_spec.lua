-- What the outbox says of messages that were held and are told, so that a start does not tell them again. With a store, an engine and a
-- clock of the test.

local journal_engine = require "spec.support.journal_engine";

describe("what was held and is told", function ()
	local lab;

	-- As after a start; since: the first record of what was held, nil for none
	local function start(since)
		lab:start();
		if since then lab.told.begin(since); end
	end

	before_each(function ()
		lab = journal_engine.new_lab();
		lab.told.begin "A";
	end);

	-- What each record says of it, in their order.
	local function said()
		local list = {};
		for _, name in ipairs(lab:names()) do
			local of_record = lab.records[name].held_told;
			table.insert(list, of_record and of_record.rooms or "nothing");
		end
		return list;
	end

	it("is in the batch that has what it has changed, and in no other one", function ()
		lab:say("ann", 1);
		lab.held_told = { room = 3 };
		lab:say("ann", 2);
		lab:say("ann", 3);
		assert.same({ "nothing", { room = 3 }, "nothing" }, said());
		start "A";
		assert.same({ room = 3 }, lab.told.told_before());
	end);

	it("is not in one that has only some of it", function ()
		lab.held_told = { room = 3 };
		lab.engine.most = 1;
		lab.engine:change("ann", 1);
		lab:say("bob", 1);
		assert.same({ "nothing" }, said());
		lab.outbox.turn(lab.time);
		assert.same({ "nothing", { room = 3 } }, said());
	end);

	it("is not in one that comes before it has come to everybody", function ()
		lab.held_told = { room = 3 };
		lab.engine.spreading = 1;
		lab:say("ann", 1);
		lab.engine.spreading = 0;
		assert.is_false(lab.told.is_under_way());
		lab:say("ann", 2);
		assert.same({ "nothing", { room = 3 } }, said());
	end);

	it("is in a later one where a batch could not be stored", function ()
		lab.held_told = { room = 3 };
		lab.refuses = "the disk is full";
		lab:say("ann", 1);
		assert.is_true(lab.told.is_under_way());
		assert.is_nil(lab.told.to_note());
		lab.refuses = nil;
		lab.held_told = { room = 4, other = 5 };
		lab.outbox.turn(lab.time);
		assert.same({ { room = 4, other = 5 } }, said());
		assert.same({ room = 4, other = 5 }, lab.told.to_note());
	end);

	it("concerns no messages of a store that was empty in between, nor any where nothing is held", function ()
		lab.held_told = { room = 3 };
		lab:say("ann", 1);
		start "B";
		assert.same({}, lab.told.told_before());
		start();
		assert.same({}, lab.told.told_before());
		lab.held_told = { room = 3 };
		lab:say("ann", 2);
		assert.same({ { room = 3 }, "nothing" }, said());
	end);

	it("is what the last of several runs has told of each room", function ()
		lab.held_told = { room = 3, other = 1 };
		lab:say("ann", 1);
		start "A";
		lab.held_told = { room = 7 };
		lab:say("ann", 2);
		start "A";
		assert.same({ room = 7, other = 1 }, lab.told.told_before());
	end);

	it("is handed over by a reload, whether it is in the outbox or not", function ()
		lab.held_told = { room = 3 };
		lab:say("ann", 1);
		lab.held_told = { other = 4 };
		lab.engine:change("ann", 2);
		local state, engine = lab.told.hand_over(), lab.engine;
		lab.outbox = lab:open(engine, { has_journal = true, is_new = false });
		lab.told.take_over(state);
		assert.is_true(lab.told.is_under_way());
		assert.same({ room = 3 }, lab.told.to_note());
		lab.outbox.turn(lab.time);
		assert.same({ { room = 3 }, { other = 4 } }, said());
		assert.same({ room = 3, other = 4 }, lab.told.to_note());
	end);

	it("is passed over where it makes no sense", function ()
		lab.held_told = { room = 3 };
		lab:say("ann", 1);
		lab:say("ann", 2);
		lab:say("ann", 3);
		local names = lab:names();
		lab.records[names[2]].held_told = { since = "A", rooms = { room = "many", [7] = 7 } };
		lab.records[names[3]].held_told = "all";
		start "A";
		assert.same({ room = 3 }, lab.told.told_before());
	end);

	describe("and a checkpoint", function ()
		before_each(function ()
			lab.held_told = { room = 3 };
			lab.engine.bytes = 2 * 1024 * 1024; -- so that one is due
		end);

		it("of which it says it again, until the held store has taken note of it", function ()
			lab:say("ann", 1);
			lab:advance(120);
			assert.same({ "nothing", { room = 3 } }, said(), "a part, and the end");
			start "A";
			assert.same({ room = 3 }, lab.told.told_before());
			lab.held_told = { room = 3 }; -- it is taken out of what is held
			lab.engine.bytes = 10 * 1024 * 1024;
			lab:say("ann", 2);
			lab.told.noted(lab.told.to_note());
			lab:advance(120);
			assert.same({ "nothing", "nothing" }, said());
		end);

		it("which has no part meanwhile, for up to a minute", function ()
			lab.held_told = nil;
			lab:say("ann", 1);
			lab.engine.bytes = nil;
			lab.held_told = { room = 3 };
			lab.engine:change("ann", 2); -- which is in no batch yet
			lab:advance(50);
			assert.equal(1, #lab:names());
			lab.outbox.turn(lab.time);
			lab:advance(1);
			assert.same({ "nothing", { room = 3 }, "nothing", { room = 3 } }, said());
			lab.held_told = { room = 4 };
			lab.engine.bytes = 10 * 1024 * 1024;
			lab:say("ann", 3);
			lab.held_told = { room = 5 };
			lab.engine:change("ann", 4);
			lab:advance(59);
			assert.equal(1, #lab:names_with("-from-"));
			lab:advance(10);
			assert.equal(2, #lab:names_with("-from-"));
		end);
	end);
end);
