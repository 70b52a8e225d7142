-- Shards: Prosodys with MUC domains of their own in one database. Neither sees anything of the other's, though the same users
-- have devices at both.

local databases = require "spec.support.databases";
local versions = require "spec.support.versions";

local devices = 500;

versions.describe("two shards", function (version)
	local database;
	local shards = {};

	local function each_once(count)
		local expected = {};
		for number = 1, devices do expected["user" .. number] = { count }; end
		return expected;
	end

	lazy_setup(function ()
		database = databases.new();
		for _, name in ipairs { "a", "b" } do
			local server, muc = database:start(version, { muc_host = name .. ".localhost", muc = { muc_push_retry_delay = 0.1 } });
			shards[name] = { server = server, muc = muc, host = name .. ".localhost" };
		end
	end);

	it("tell 500 devices each, and no foreign one", function ()
		for name, shard in pairs(shards) do
			local nodes = {};
			for number = 1, devices do table.insert(nodes, "user" .. number); end
			shard.room = shard.muc:new_room();
			assert.equal(devices, databases.enable_members(shard.muc, shard.room, nodes), name);
		end
		for name, shard in pairs(shards) do
			local other = shards[name == "a" and "b" or "a"];
			shard.muc:say(shard.room, "said at " .. name);
			assert.same(each_once "1", databases.counts(shard.muc.app, devices));
			other.muc.app:expect_no_push();
		end
	end);

	it("have their registrations and outboxes apart, over a crash and a stop", function ()
		shards.a.muc.app.answer = { type = "wait", condition = "resource-constraint" };
		shards.a.muc:say(shards.a.room, "not taken");
		databases.counts(shards.a.muc.app, devices);
		shards.a.server:stop();
		shards.b.server:kill();
		for _, shard in pairs(shards) do
			assert.equal(devices, database:users_in(shard.host, "muc_cloud_notify"));
		end
		assert.equal(0, database:users_in(shards.b.host, "muc_cloud_notify_outbox"));
		assert.is_true(database:users_in(shards.a.host, "muc_cloud_notify_outbox") > 0);
		for _, name in ipairs { "b", "a" } do
			local shard = shards[name];
			local length = #shard.server:log();
			shard.server:start_again();
			shard.muc:connect();
			shard.server:wait_for_log(("%d device(s) of %d user(s)"):format(devices, devices), 10, length);
		end
		assert.same(each_once "2", databases.counts(shards.a.muc.app, devices));
		shards.b.muc.app:expect_no_push();
	end);

	it("remove a device at one of them alone", function ()
		local user = shards.a.server:user("user1@users.localhost/phone");
		assert.equal("result", shards.a.muc:disable(user, "user1"));
		shards.b.muc:say(shards.b.room);
		assert.truthy(databases.counts(shards.b.muc.app, devices).user1);
		shards.a.muc:say(shards.a.room);
		assert.is_nil(databases.counts(shards.a.muc.app, devices - 1).user1);
		assert.equal(devices - 1, database:users_in(shards.a.host, "muc_cloud_notify"));
	end);

	it("have logged no error", function ()
		for _, shard in pairs(shards) do assert.log_is_clean(shard.server); end
	end);
end);
