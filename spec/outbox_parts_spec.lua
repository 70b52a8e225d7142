-- The outbox of many devices and rooms over a clean stop: it is stored and taken up in parts, and a room is restored only
-- where something of it is to be told.

local loop = require "harness.loop";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local rooms, devices_per_room = 60, 12;
local devices = rooms * devices_per_room;

-- A persistent room whose members have a device each, in the stores. Run in the server.
local make_room = [[
	local number, devices = ...;
	local store = module:open_store("muc_cloud_notify");
	local room = assert(muc.create_room("many-"..number.."@"..module.host));
	for i = 1, devices do
		local node = ("node-%d-%d"):format(number, i);
		local user = node.."@users.localhost";
		assert(store:set(user, { ["push.localhost<"..node] = { jid = "push.localhost", node = node, timestamp = os.time() } }));
		room._affiliations[user] = "member"; -- set_affiliation() stores the room each time
	end
	room:set_persistent(true);
	assert(room:save(true));
]];

local say = [[
	local st = require "util.stanza";
	local number, text = ...;
	local room = muc.get_room_from_jid("many-"..number.."@"..module.host);
	room:broadcast_message(st.message({ type = "groupchat", from = room.jid.."/somebody", id = "m"..text }):text_tag("body", text));
]];

-- Of the parts that are stored, how many there are, and how many devices there are in the largest one.
local look_at_parts = [[
	local store = module:open_store("muc_cloud_notify_outbox");
	local parts, largest = 0, 0;
	for _, name in ipairs((store:get(nil) or {}).parts or {}) do
		local part = assert(store:get(name));
		local _, lines = (part.devices or ""):gsub("\n", "");
		parts, largest = parts + 1, math.max(largest, lines);
	end
	return parts, largest;
]];

versions.describe_storages("outbox of many devices", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = muc_service.with_body { muc_push_default = "always"; muc_push_retry_delay = 0.1 }; -- the app server is silent at first
		});
		for number = 1, rooms do
			server:admin(make_room, number, devices_per_room);
		end
		muc:restart("kill");
	end);

	local function say_everywhere(text)
		for number = 1, rooms do
			server:admin(say, number, text);
		end
	end

	-- Waits until that many pushes are there. Returns how many nodes they went to, and how often each count and text came.
	local function pushed(count)
		local nodes, distinct, said = {}, 0, {};
		for _ = 1, count do
			local push = muc.app:expect_push(60);
			if not nodes[push.node] then nodes[push.node], distinct = true, distinct + 1; end
			local what = push.count .. " " .. push.summary["last-message-body"];
			said[what] = (said[what] or 0) + 1;
		end
		muc.app:expect_no_push();
		return distinct, said;
	end

	local function restored_since(length)
		local _, count = server:log(length):gsub("Restoring room ", "");
		return count;
	end

	it("is stored in parts, and each device is told once after the restart", function ()
		muc.app.answer = "silence";
		say_everywhere("first");
		-- A stop does not wait for rooms that are still to be read.
		assert(loop.wait_until(function ()
			local stats = server:admin "return prosody.hosts[module.host].modules.muc_cloud_notify.stats()";
			return stats.queued + stats.in_flight == devices;
		end, 60), "not all rooms are read");
		local length;
		muc:restart("stop", function ()
			assert.is_nil(server:log():find("could not be stored", 1, true));
			length = #server:log();
			muc.app.answer = "result";
		end);
		local distinct, said = pushed(devices);
		assert.same({ devices, { ["1 first"] = devices } }, { distinct, said });
		assert.equal(rooms, restored_since(length));
		assert.is_true(loop.wait_until(function () return server:admin(look_at_parts) == 0; end));
	end);

	it("restores no room where nothing is to be told", function ()
		local length;
		muc:restart("stop", function () length = #server:log(); end);
		server:wait_for_log("are registered", nil, length);
		muc.app:expect_no_push();
		assert.equal(0, restored_since(length));
		server:admin(say, 1, "second");
		local distinct, said = pushed(devices_per_room);
		assert.same({ devices_per_room, { ["2 second"] = devices_per_room } }, { distinct, said });
		assert.equal(1, restored_since(length));
	end);
end);
