-- Shards: Prosodys with MUC domains of their own in one database. Neither sees anything of the other's, though the same users
-- have devices at both.

local databases = require "spec.support.databases";
local versions = require "spec.support.versions";

local devices = 500;

versions.describe("two shards", function (version)
	local database;
	local shards = {};

	-- Each device was pushed to with that count, and no other was. is_crash: some may have been twice
	local function assert_told(count, counts, is_crash)
		local nodes = 0;
		for node, of_node in pairs(counts) do
			nodes = nodes + 1;
			assert.truthy(node:find("^user%d+$"));
			assert.is_true(#of_node == 1 or is_crash and #of_node == 2, node);
			for _, of_push in ipairs(of_node) do assert.equal(count, of_push); end
		end
		assert.equal(devices, nodes);
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
			assert_told("1", databases.counts(shard.muc.app, devices));
			other.muc.app:expect_no_push();
		end
	end);

	it("have their registrations and outboxes apart, over a crash and a stop", function ()
		for _, shard in pairs(shards) do
			shard.muc.app.answer = "silence";
			shard.muc.bob:say(shard.room, "not answered");
			databases.counts(shard.muc.app, 100);
		end
		shards.a.server:stop();
		shards.b.server:kill();
		for _, shard in pairs(shards) do
			assert.equal(devices, database:users_in(shard.host, "muc_cloud_notify"));
			assert.is_true(database:users_in(shard.host, "muc_cloud_notify_outbox") > 0);
		end
		for _, name in ipairs { "b", "a" } do
			local shard = shards[name];
			local length = #shard.server:log();
			shard.server:start_again();
			shard.muc:connect();
			shard.server:wait_for_log(("%d device(s) of %d user(s)"):format(devices, devices), 60, length);
			assert_told("2", databases.counts(shard.muc.app, devices), name == "b");
		end
		shards.b.muc.app:expect_no_push();
	end);

	it("remove a device at one of them alone", function ()
		local user = shards.a.server:user("user1@users.localhost/phone");
		assert.equal("result", shards.a.muc:disable(user, "user1"));
		for _, shard in pairs(shards) do
			shard.muc.bob:join(shard.room, "bob");
			shard.muc.app:clear();
			shard.muc.bob:say(shard.room, "hello");
		end
		assert.truthy(databases.counts(shards.b.muc.app, devices).user1);
		assert.is_nil(databases.counts(shards.a.muc.app, devices - 1).user1);
		assert.equal(devices - 1, database:users_in(shards.a.host, "muc_cloud_notify"));
	end);

	it("have logged no error", function ()
		for _, shard in pairs(shards) do assert.log_is_clean(shard.server); end
	end);
end);
