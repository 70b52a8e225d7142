-- A server that is killed while 2,000 devices are told, or before: everybody hears of it after the next start, at worst twice, and
-- with the exact count. With a database there are fewer of them: what there is to be shown is that the way is the same.

local loop = require "harness.loop";

local crowds = require "spec.support.crowd";
local storages = require "spec.support.storages";
local versions = require "spec.support.versions";

local many = 2000;

-- How many members there are, and how long after a message the server is killed, in milliseconds.
local sizes = { internal = { members = many, moments = { 5, 50, 150, 400 } } };
local other_sizes = { members = 500, moments = { 50 } };

-- The next start makes a checkpoint, in the place of what it takes for that of an earlier version.
local make_checkpoint_due = [[
	local store = module:open_store("muc_cloud_notify_outbox");
	local ends = {};
	for name in store:users() do
		if name:find("-from-", 1, true) then table.insert(ends, name); end
	end
	for _, name in ipairs(ends) do assert(store:set(name, nil)); end
	assert(store:set(nil, { parts = {} }));
]];

versions.describe_storages("a kill", function (version, storage)
	local size = sizes[storage.name] or other_sizes;
	local members = size.members;
	local crowd;

	lazy_setup(function ()
		crowd = crowds.start(version, { storage = storage, members = members });
		crowd:wait_until_loaded();
	end);

	-- Nothing is left of the test before, whatever became of that; and everybody has one message to read.
	before_each(function ()
		crowd:watch();
		crowd:replace_room();
		crowd:wait_until_read();
		crowd:say();
		crowd:wait_until_done();
		crowd:forget();
	end);

	-- The server has started again, and there is nothing left to be told.
	local function wait_until_done()
		crowd:wait_until_loaded();
		crowd:wait_until_read();
		crowd:wait_until_done();
	end

	-- Each is told with the exact count, at worst twice.
	local function assert_all_told()
		wait_until_done();
		crowd:wait_until_told(members, crowd.said);
		local told, too_often, wrong = crowd:summary();
		assert.same({ members, 0, 0 }, { told, too_often, wrong });
	end

	for _, milliseconds in ipairs(size.moments) do
		it(("%d ms after a message costs nobody a push, and no count"):format(milliseconds), function ()
			crowd:say();
			local said_at = loop.now();
			if milliseconds >= 50 then crowd:wait_until_begun(); end -- on a slow machine that is later
			crowd:kill(said_at + milliseconds / 1000 - loop.now());
			local has_begun = crowd:has_begun_to_push();
			crowd:start_again();
			wait_until_done();
			if not has_begun and crowd:summary() == 0 then -- it was in no store yet
				crowd.said = crowd.said - 1;
				crowd:say();
			end
			assert_all_told();
		end);
	end

	it("after a clean stop and a start costs nothing, nor does a second and a third one", function ()
		crowd:watch("silence");
		crowd:say();
		crowd.server:stop();
		crowd:start_again("away");
		crowd:kill(2);
		crowd:start_again("away");
		crowd:kill(0); -- in the midst of reading what is stored
		crowd:start_again("away");
		crowd:wait_until_loaded();
		crowd:kill(0.1);
		crowd:forget();
		crowd:start_again();
		assert_all_told();
	end);

	it("has nobody told of it who was back before", function ()
		crowd:watch("silence");
		crowd:say();
		crowd:wait_until_told(1);
		local back = { "user7", "user123", "user" .. members };
		for _, name in ipairs(back) do
			crowd.server:user(name .. "@users.localhost/phone"):join(crowd.room, name);
		end
		crowd:wait_until_stored();
		crowd:kill();
		crowd:forget();
		crowd:start_again();
		wait_until_done();
		assert.same({ members - #back, 0, 0 }, { crowd:summary() });
		for _, name in ipairs(back) do assert.is_nil(crowd.told[name]); end
		crowd:forget();
		crowd:say();
		crowd:wait_until_done();
		for _, name in ipairs(back) do assert.same({ 1 }, crowd.told[name]); end
		local told, too_often, wrong = crowd:summary();
		assert.same({ members, 0, #back }, { told, too_often, wrong });
	end);
end);

versions.describe("a kill", function (version)
	local storage = storages[1];

	it("during a checkpoint costs nothing", function ()
		local members = many // 2;
		local crowd = crowds.start(version, { storage = storage, members = members });
		crowd:wait_until_loaded();
		crowd:watch("silence");
		crowd:say();
		crowd:wait_until_told(1);
		crowd:wait_until_stored();
		for _, seconds in ipairs { 0, 0.05, 0.1, 0.3 } do
			crowd.server:admin(make_checkpoint_due);
			crowd:kill();
			local length = #crowd.server:log();
			crowd:start_again("away");
			crowd.server:wait_for_log("A checkpoint of the outbox is begun", 60, length);
			crowd:kill(seconds);
			crowd:start_again("away");
			crowd:wait_until_loaded();
		end
		crowd:kill();
		crowd:forget();
		crowd:start_again();
		assert.equal(members, crowd:wait_until_told(members, crowd.said));
		local told, too_often, wrong = crowd:summary();
		assert.same({ members, 0, 0 }, { told, too_often, wrong });
		crowd.server:close();
	end);

	it("without a journal costs pushes and counts", function ()
		local members = many;
		local crowd = crowds.start(version, { storage = storage, members = members, muc = {
			muc_push_journal = false, muc_push_max_in_flight = members // 4;
		} });
		crowd:wait_until_loaded();
		crowd:say();
		assert.equal(members, crowd:wait_until_told(members, crowd.said));
		crowd:forget();
		crowd:watch("silence"); -- so that the others have never heard of the second message, however long the kill takes
		crowd:say();
		crowd:kill(0.05);
		crowd:start_again();
		crowd:wait_until_loaded();
		crowd:say();
		crowd:wait_until_told(members);
		local _, _, wrong = crowd:summary();
		assert.equal(members, wrong, "they begin anew");
		for _, counts in pairs(crowd.told) do assert.equal(1, counts[#counts]); end
		local twice = 0;
		for _, counts in pairs(crowd.told) do
			if #counts > 1 then twice = twice + 1; end
		end
		assert.is_true(twice < members / 2, twice);
		crowd.server:close();
	end);
end);
