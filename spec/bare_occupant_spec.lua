-- Occupants of bare JIDs: an account is no session.

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

versions.describe("an occupant of a bare JID", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			muc = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true };
		});
	end);

	-- Ann has a device, and her account is an occupant of a new room. Returns the account, a session, and the room.
	local function account_in_room()
		local session, room, bare_jid = muc:new_device "ann";
		local account = server:user(bare_jid);
		account:join(room, "Ann");
		muc.app:start_anew();
		return account, session, room;
	end

	it("is not present", function ()
		local account, _, room = account_in_room();
		muc:say(room, "one");
		assert.same({ "ann 1 one" }, muc:take_pushes());
		muc:say(room, "two");
		assert.same({ "ann 2 two" }, muc:take_pushes());
		account:leave(room);
		muc:say(room, "three");
		assert.same({ "ann 3 three" }, muc:take_pushes());
	end);

	it("is not present either where the room is read anew", function ()
		local _, _, room = account_in_room();
		assert.truthy(muc:manage "reload");
		muc:say(room, "one");
		assert.same({ "ann 1 one" }, muc:take_pushes());
	end);

	it("is present while a session is there, under the same nickname or another", function ()
		for _, nick in ipairs { "Ann", "Phone" } do
			local _, session, room = account_in_room();
			session:join(room, nick);
			muc:say(room, "hello");
			assert.same({}, muc:take_pushes());
			session:leave(room);
			muc:say(room, "one");
			assert.same({ "ann 1 one" }, muc:take_pushes());
		end
	end);

	it("has not got what bounces from a session", function ()
		local _, session, room = account_in_room();
		session:join(room, "Phone");
		muc:say(room, "hello");
		undelivered.bounce(session, room .. "/bob", session:expect({ name = "message", body = "hello" }).attr.id);
		assert.same({ "ann 1 hello" }, muc:take_pushes());
	end);

	it("gets one push for a message that bounces from the account", function ()
		local account, _, room = account_in_room();
		muc:say(room, "hello");
		assert.same({ "ann 1 hello" }, muc:take_pushes());
		undelivered.bounce(account, room .. "/bob", account:expect({ name = "message", body = "hello" }).attr.id);
		assert.same({}, muc:take_pushes());
	end);
end);
