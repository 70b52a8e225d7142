-- A server that is asked to stop just when it writes: what it was about to write is not lost, nor is anything else.

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

-- Asks for the stop in the middle of the next write of a batch: once the record is chosen that it goes to, where there is an SQL
-- database between its statements.
local stop_in_next_write = [[
	local storage_name = ...;
	local methods = getmetatable(require "core.storagemanager".open(module.host, "muc_cloud_notify_outbox")).__index;
	local set, pid = methods.set, require "util.pposix".getpid();
	local function stop()
		methods.set = set;
		os.execute("kill -TERM "..pid);
	end
	function methods:set(key, data)
		if self.store == "muc_cloud_notify_outbox" and data then
			setmetatable(data, { __pairs = function (fields) stop(); return next, fields; end });
			if storage_name == "internal" then stop(); end
		end
		return set(self, key, data);
	end
]];

versions.describe_storages("a server that is stopped in the middle of a write", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = muc_service.with_body { muc_room_default_persistent = true, muc_push_default = "always", muc_push_journal = true };
		});
	end);

	it("has told everybody, or does so after the next start, with the exact count", function ()
		local members = {};
		for i = 1, 20 do members[i] = ("member%d@users.localhost"):format(i); end
		local room = muc:new_room(members);
		for _, member in ipairs(members) do
			assert.equal("result", muc:enable(server:user(member.."/phone"), member));
		end
		muc:say(room, "one");
		for _ = 1, #members do assert.equal("1", muc.app:expect_push().count); end
		muc:wait_until_stored();
		muc.app.answer = "silence";
		server:admin(stop_in_next_write, storage.name);
		muc.bob:say(room, "two");
		assert(loop.wait_until(function () return not server:is_running(); end, 60, 0.02), "it does not stop");
		muc:restart("stop");
		local counts = {};
		for _ = 1, #members do
			local push = muc.app:expect_push();
			assert.is_nil(counts[push.node], push.node);
			counts[push.node] = push.count;
		end
		for _, member in ipairs(members) do assert.equal("2", counts[member]); end
	end);
end);
