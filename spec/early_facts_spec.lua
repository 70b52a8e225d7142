-- What happens while a start loads, and what the last run has left is not read yet: nothing is pushed before it is, who enters a room
-- has read what waits there, and a room that is gone takes it along.

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

versions.describe("while a start loads", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, { muc = muc_service.with_body {
			muc_push_default = "always", muc_push_interval = 0, muc_push_journal = true, muc_room_default_persistent = true;
			muc_tombstones = false, storage = { muc_cloud_notify_outbox = "harness" };
		} });
	end);

	before_each(function ()
		muc.app:start_anew();
	end);

	-- Whether the outbox of the last run can be read.
	local function set_hidden(is_hidden)
		server:admin("prosody.hosts[module.host].modules.storage_harness.control.hides = ...", is_hidden and "on purpose" or nil);
	end

	-- Ends the run of the module, and begins another one that knows the registrations, and not what the last one has left.
	local function load_half()
		muc:wait_until_stored();
		muc:manage "unload";
		muc.app:start_anew();
		set_hidden(true);
		local length = #server:log();
		muc:manage "load";
		server:wait_for_log("device%(s%) of %d+ user%(s%) are registered", nil, length);
		server:wait_for_log("The outbox of the last run cannot be read", nil, length);
	end

	local function load_rest()
		set_hidden(false);
		assert(loop.wait_until(function ()
			return server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats()").queued == 0;
		end));
	end

	-- A room in which two messages wait for two members, whose nodes are named like them.
	local function new_room()
		local ann, room, ann_jid = muc:new_member();
		local bea_jid = "bea-" .. ann_jid;
		local bea = server:user(bea_jid .. "/phone");
		muc.bob:affiliate(room, bea_jid, "member");
		assert.equal("result", muc:enable(ann, "ann"));
		assert.equal("result", muc:enable(bea, "bea"));
		muc.app.answer = "silence";
		muc:say(room, "one");
		muc:say(room, "two");
		return room, ann, ann_jid;
	end

	local function end_room(room)
		muc.bob:destroy_room(room);
		for _, prefix in ipairs { "", "bea-" } do
			local user = server:user(prefix .. "member-" .. room:match("%d+") .. "@users.localhost/phone");
			user:disable { jid = muc.app.jid };
		end
	end

	-- Pushes until nothing more comes: "count text", by node.
	local function pushes(number)
		local by_node = {};
		for _ = 1, number do
			local push = muc.app:expect_push();
			by_node[push.node] = push.count .. " " .. (push.summary["last-message-body"] or "-");
		end
		muc.app:expect_no_push();
		return by_node;
	end

	local function ping(bare_jid)
		server:admin("module:fire_event('cloud-notify-ping', { user = ... })", bare_jid);
	end

	it("nothing is pushed that another module wants pushed, and then with all that is unread", function ()
		local room, _, bare_jid = new_room();
		load_half();
		muc.app.answer = "result";
		ping(bare_jid);
		muc.app:expect_no_push();
		load_rest();
		assert.same({ ann = "2 two", bea = "2 two" }, pushes(2));
		ping(bare_jid);
		assert.same({ ann = "2 -" }, pushes(1), "afterwards it leaves at once");
		load_half();
		ping(bare_jid);
		load_rest();
		assert.same({ ann = "2 -" }, pushes(1), "nothing else has waited");
		end_room(room);
	end);

	it("who enters a room and leaves it has read what waits there, and nobody else has", function ()
		local room, ann = new_room();
		load_half();
		muc.app.answer = "result";
		ann:join(room, "Ann");
		ann:leave(room);
		load_rest();
		assert.same({ bea = "2 two" }, pushes(1));
		muc:say(room, "three");
		assert.same({ ann = "1 three", bea = "3 three" }, pushes(2));
		end_room(room);
	end);

	it("what is said after somebody has left a room is told to them", function ()
		local room, ann = new_room();
		load_half();
		muc.app.answer = "result";
		ann:join(room, "Ann");
		ann:leave(room);
		muc:say(room, "three");
		load_rest();
		local told = pushes(2);
		assert.same({ "1 three", "3" }, { told.ann, told.bea:match("%d+") });
		end_room(room);
	end);

	it("a room that is destroyed takes along what waits there, also where there is another one of its name", function ()
		local room, ann, ann_jid = new_room();
		load_half();
		muc.app.answer = "result";
		muc.bob:destroy_room(room);
		muc.bob:create_room(room, "bob");
		muc.bob:affiliate(room, ann_jid, "member");
		muc:say(room, "anew");
		load_rest();
		assert.same({ ann = "1 anew" }, pushes(1));
		ann:disable { jid = muc.app.jid };
		end_room(room);
	end);
end);
