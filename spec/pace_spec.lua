-- The pace: with the options as they are shipped, a busy room does not make a push of each of its messages.

local loop = require "harness.loop";

local before_due = require "spec.support.before_due";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local interval = 1; -- between two pushes of a room, in seconds

local function mention_of(bare_jid)
	return "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:" .. bare_jid .. "'/>";
end

versions.describe("pace", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, { muc = muc_service.with_body(), shipped_options = true });
	end);

	after_each(function ()
		muc.app:start_anew();
	end);

	-- A member with a device who was in a new room and is away now; the room; the member's bare JID
	local function new_member()
		local user, room, bare_jid = muc:new_device("n1");
		user:join(room, "ann");
		user:leave(room);
		return user, room, bare_jid;
	end

	it("pushes the first message at once, and the others together a second later", function ()
		before_due(interval, function (begin)
			local _, room = new_member();
			muc.app:start_anew();
			begin();
			muc:say(room, "1");
			assert.same({ "n1 1 1" }, muc:take_pushes());
			for i = 2, 50 do
				muc.bob:say(room, tostring(i));
			end
			muc.bob.component:sync();
			assert.same({}, muc:take_pushes());
		end);
		local push = muc.app:expect_push(3);
		assert.equal("50", push.count);
		assert.equal("50", push.summary["last-message-body"]);
		muc.app:expect_no_push();
	end);

	it("does not make a mention wait", function ()
		before_due(interval, function (begin)
			local _, room, bare_jid = new_member();
			muc.app:start_anew();
			begin();
			muc:say(room, "1");
			muc:say(room, "2");
			assert.same({ "n1 1 1" }, muc:take_pushes());
			muc.bob:say(room, "3", mention_of(bare_jid));
			muc.bob.component:sync();
			assert.same({ "n1 3 3" }, muc:take_pushes());
		end);
	end);

	it("does not make another room wait", function ()
		local user, room, bare_jid = new_member();
		local other_room = muc:new_room { bare_jid };
		user:join(other_room, "ann");
		user:leave(other_room);
		muc:say(room, "1");
		muc:say(other_room, "2");
		assert.same({ "n1 1 1", "n1 2 2" }, muc:take_pushes());
	end);

	it("says no more of a room that was read meanwhile", function ()
		local user, room;
		before_due(interval, function (begin)
			user, room = new_member();
			muc.app:start_anew();
			begin();
			muc:say(room, "1");
			muc:say(room, "2");
			assert.same({ "n1 1 1" }, muc:take_pushes());
			user:join(room, "ann");
		end);
		loop.pause(1.5 * interval);
		muc.app:expect_no_push();
		user:leave(room);
		muc:say(room, "3");
		assert.same({ "n1 1 3" }, muc:take_pushes());
	end);

	it("waits longer for an app server that has taken nothing so far", function ()
		local _, room = new_member();
		muc.app.answer = { type = "cancel", condition = "item-not-found" };
		muc:say(room, "1");
		assert.equal("1", muc.app:expect_push().count);
		muc:say(room, "2");
		loop.pause(1.5);
		muc.app:expect_no_push();
		muc.app.answer = "result";
		assert.truthy(server:is_running());
	end);

	it("is not kept where the operator does not want it", function ()
		server:reconfigure { muc_push_interval = 0 };
		server:reload_config();
		muc:manage("reload");
		local _, room = new_member();
		muc:say(room, "1");
		muc:say(room, "2");
		assert.same({ "n1 1 1", "n1 2 2" }, muc:take_pushes());
	end);
end);
