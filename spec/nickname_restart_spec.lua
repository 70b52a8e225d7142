-- The nickname that a member has last used means them after a clean restart too, though nothing is unread.

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

versions.describe_storages("nickname over a restart", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = muc_service.with_body { muc_push_default = "on-mention", muc_room_default_persistent = true };
		});
	end);

	after_each(function ()
		muc.app:start_anew();
	end);

	-- A member with a device was in a new room, under a nickname that is nobody's.
	local function new_member()
		local user, room = muc:new_device("n1");
		local nick = "Nick" .. muc.member_count;
		muc:say(room, "the room is read");
		user:join(room, nick);
		user:leave(room);
		return room, nick;
	end

	local function nodes_pushed(room, nick)
		muc:say(room, nick .. ": hello");
		return muc.app:take_nodes();
	end

	it("is found", function ()
		local room, nick = new_member();
		muc:restart("stop");
		assert.same({}, nodes_pushed(room, "another" .. nick));
		assert.same({ "n1" }, nodes_pushed(room, nick));
	end);

	it("is found after one more restart", function ()
		local room, nick = new_member();
		muc:restart("stop");
		muc:restart("stop");
		assert.same({ "n1" }, nodes_pushed(room, nick));
	end);

	it("is not found when somebody else has taken it since", function ()
		local room, nick = new_member();
		muc:restart("stop");
		local other = server:user("other@users.localhost/phone");
		other:join(room, nick);
		assert.same({}, nodes_pushed(room, nick));
		other:leave(room);
		assert.same({}, nodes_pushed(room, nick));
	end);

	it("is not found when somebody else has taken it since, though nobody has said a word", function ()
		local room, nick = new_member();
		local length = #server:log();
		muc:restart("stop");
		server:wait_for_log("are registered", 60, length); -- who comes and goes before that is not seen
		local other = server:user("other@users.localhost/phone");
		other:join(room, nick);
		other:leave(room);
		assert.same({}, nodes_pushed(room, nick));
	end);
end);
