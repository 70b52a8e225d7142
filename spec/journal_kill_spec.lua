-- A server that is killed while 2,000 devices are told, or before: everybody hears of it after the next start, at worst twice, and
-- with the exact count.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local crowds = require "spec.support.crowd";
local storages = require "spec.support.storages";
local versions = require "spec.support.versions";

local members = 2000;

versions.describe_storages("a kill", function (version, storage)
	local crowd;

	lazy_setup(function ()
		crowd = crowds.start(version, { storage = storage, members = members });
		crowd:wait_until_loaded();
		crowd:say(); -- by then the room is read
		assert.equal(members, crowd:wait_until_told(members));
		crowd:forget();
	end);

	after_each(function ()
		crowd:forget();
	end);

	-- Each is told with the exact count.
	local function assert_all_told()
		assert.equal(members, crowd:wait_until_told(members));
		local told, too_often, wrong = crowd:summary();
		assert.same({ members, 0, 0 }, { told, too_often, wrong });
	end

	for _, milliseconds in ipairs { 5, 50, 150, 400 } do
		it(("%d ms after a message costs nobody a push, and no count"):format(milliseconds), function ()
			crowd:say();
			crowd:kill(milliseconds / 1000);
			crowd:start_again();
			assert_all_told();
			crowd:wait_until_stored();
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
end);
