-- A server that is stopped while a start loads: the stop does not wait for the rest, and what was said meanwhile is told after the next start.

local loop = require "harness.loop";

local crowds = require "spec.support.crowd";
local store_faults = require "spec.support.store_faults";
local storages = require "spec.support.storages";
local versions = require "spec.support.versions";

-- All that is to be loaded takes 8 s; a stop writes for half a second.
local members, seconds_per_read = 400, 0.02;
local longest_stop = 1.5; -- unless the machine takes much longer for any

versions.describe("a stop while registrations are loaded", function (version)
	-- Returns how many seconds it takes.
	local function stop(server)
		local began = loop.now();
		server:stop();
		return loop.now() - began;
	end

	it("takes no longer than at any other time, and nothing that is held or unread is lost", function ()
		local crowd = crowds.start(version, { storage = storages[1], members = members });
		local server = crowd.server;
		crowd:wait_until_loaded();
		local at_another_time = stop(server);
		crowd:start_again();
		crowd:wait_until_loaded();
		local muc = crowd.muc;
		crowd:watch("silence");
		crowd:say(); -- what waits from before
		crowd:wait_until_told(1);
		crowd:wait_until_stored();

		muc:manage "unload";
		store_faults.install(server);
		store_faults.set(server, { delay = seconds_per_read });
		muc:manage "load";
		server:user("user7@users.localhost/phone"):join(crowd.room, "Seven");
		for _ = 1, 2 do crowd:say(); end
		assert(loop.wait_until(function () return store_faults.counts(server) > 0; end, nil, 0.01), "nothing is read");
		local length, seconds = #server:log(), stop(server);
		assert.is_true(seconds < math.max(longest_stop, 4 * at_another_time), ("it took %.1f s, and %.1f s before"):format(seconds, at_another_time));
		local log = server:log(length);
		assert.is_nil(log:find("are registered", 1, true), "it was loaded before");
		for _, level in ipairs { "warn", "error" } do
			assert.is_nil(log:match("[^\n]*muc_cloud_notify\t" .. level .. "\t[^\n]*"));
		end

		-- Who was there has read it all. The others may have heard of the first message before.
		crowd:forget();
		crowd:start_again();
		assert.equal(members - 1, crowd:wait_until_told(members - 1, crowd.said));
		assert.is_nil(crowd.told.user7);
		assert.same({ members - 1, 0, 0 }, { crowd:summary() });
		-- Prosody remembers who was in a room when it was stopped.
		local seven = server:user("user7@users.localhost/phone");
		seven:join(crowd.room, "Seven");
		seven:leave(crowd.room);
		crowd:forget();
		crowd:say();
		assert.equal(members, crowd:wait_until_told(members));
		assert.same({ 1 }, crowd.told.user7);
	end);
end);
