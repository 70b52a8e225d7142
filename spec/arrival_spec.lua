-- Which device goes when a user has one too many: the one that arrived first, though the clock was set back since.

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local most = 3; -- push_max_devices
local day = 86400;

versions.describe("the clock was set back", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			muc = muc_service.with_body { push_max_devices = most, muc_push_default = "always", muc_room_default_persistent = true };
		});
	end);

	-- Stops the server, and starts it again as if by then it were a day earlier than it was.
	local function restart_a_day_earlier(bare_jid)
		server:admin([[
			local bare_jid, seconds = ...;
			local store = module:open_store("muc_cloud_notify");
			local record = store:get(bare_jid);
			for _, registration in pairs(record) do registration.timestamp = registration.timestamp + seconds; end
			assert(store:set(bare_jid, record));
		]], bare_jid, day);
		muc:restart("stop");
		return server:user(bare_jid .. "/phone");
	end

	local function restart(bare_jid)
		muc:restart("stop");
		return server:user(bare_jid .. "/phone");
	end

	-- A member with devices of these nodes, in this order.
	local function new_member(nodes)
		local user, room, bare_jid = muc:new_member();
		for _, node in ipairs(nodes) do assert.equal("result", muc:enable(user, node)); end
		return room, bare_jid;
	end

	local function told(room)
		return (muc:pushed(room));
	end

	it("since three devices were registered: the first one goes for a fourth, which stays, and the second one for a fifth", function ()
		-- Neither by name nor by time these are in the order in which they arrived.
		local room, bare_jid = new_member { "b", "c", "a" };
		local user = restart_a_day_earlier(bare_jid);
		assert.equal("result", muc:enable(user, "new"));
		assert.same({ "a", "c", "new" }, told(room));
		user = restart(bare_jid);
		assert.same({ "a", "c", "new" }, told(room));
		assert.equal("result", muc:enable(user, "newest"));
		assert.same({ "a", "new", "newest" }, told(room));
		restart(bare_jid);
		assert.same({ "a", "new", "newest" }, told(room));
	end);

	it("since two devices were registered: no device goes for a third", function ()
		local room, bare_jid = new_member { "b", "a" };
		local user = restart_a_day_earlier(bare_jid);
		assert.equal("result", muc:enable(user, "new"));
		assert.same({ "a", "b", "new" }, told(room));
		-- Nor for one that is registered anew, and by that is the newest.
		assert.equal("result", muc:enable(user, "b"));
		restart(bare_jid);
		assert.same({ "a", "b", "new" }, told(room));
	end);
end);
