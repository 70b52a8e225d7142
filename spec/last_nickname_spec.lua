-- The nickname that a member used last, where none is registered: known however it came about.

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

versions.describe("the nickname used last", function (version)
	local server, muc, count;

	lazy_setup(function ()
		count = 0;
		server, muc = muc_service.start(version, {
			muc = muc_service.with_body { muc_push_default = "on-mention", muc_room_default_persistent = true };
		});
	end);

	before_each(function () count = count + 1; end);

	-- A user without a device and a nickname that nobody else has.
	local function new_user()
		return server:user(("user-%d@users.localhost/phone"):format(count)), "Nick" .. count;
	end

	local function enable(user)
		assert.equal("result", (muc:enable(user, "n1")));
	end

	-- The number of devices that are pushed to for a message.
	local function pushed(room, body)
		muc:say(room, body);
		return #muc:take_pushes();
	end

	it("is known of a member who enters and then enables", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		assert.equal(0, pushed(room, "the room is read"));
		user:join(room, nick);
		enable(user);
		user:leave(room);
		assert.equal(0, pushed(room, "hello"));
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is known of a member who enters and then enables in a room where nothing was ever said", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		enable(user);
		user:leave(room);
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is known of a member who enables and stays for a while", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		enable(user);
		assert.equal(0, pushed(room, nick .. ": you are here"));
		user:leave(room);
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is the newest of those that a member had since enabling", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		enable(user);
		undelivered.rename(user, room, "Other" .. count);
		user:leave(room);
		assert.equal(0, pushed(room, nick .. ": hello"));
		assert.equal(1, pushed(room, "Other" .. count .. ": hello"));
	end);

	it("is known in each room that the user is in", function ()
		local user, nick = new_user();
		local rooms = {};
		for i = 1, 3 do
			rooms[i] = muc:new_room { user.bare_jid };
			user:join(rooms[i], nick .. i);
		end
		enable(user);
		for i = 1, 3 do user:leave(rooms[i]); end
		for i = 1, 3 do
			assert.equal(1, pushed(rooms[i], nick .. i .. ": hello"));
			assert.equal(0, pushed(rooms[i], nick .. (i % 3 + 1) .. ": hello"));
		end
	end);

	-- A user enables and leaves a room before anybody else has a turn.
	local function enable_and_leave(user, room, nick)
		server:admin([[
			local user, room_jid, nick, app_server = ...;
			local origin = { type = "component", send = function () end };
			local iq = st.iq({ type = "set", from = user, to = module.host, id = "enable" })
				:tag("enable", { xmlns = "urn:xmpp:push:0", jid = app_server, node = "n1" });
			prosody.hosts[module.host].events.fire_event("iq-set/host/urn:xmpp:push:0:enable", { origin = origin, stanza = iq });
			room(room_jid):handle_normal_presence(origin, st.presence { type = "unavailable", from = user, to = room_jid.."/"..nick });
		]], user.jid, room, nick, muc.app.jid);
	end

	for title, is_read in pairs { ["a room that is known"] = true, ["a room where nothing was ever said"] = false } do
		it("is known of a member who enables and leaves at once " .. title, function ()
			local user, nick = new_user();
			local room = muc:new_room { user.bare_jid };
			if is_read then assert.equal(0, pushed(room, "the room is read")); end
			user:join(room, nick);
			enable_and_leave(user, room, nick);
			assert.equal(0, pushed(room, "hello"));
			assert.equal(1, pushed(room, nick .. ": hello"));
		end);
	end

	it("is known of a member who enters a room that nobody else has entered before", function ()
		local user, nick = new_user();
		enable(user);
		local room = ("new-%d@conference.localhost"):format(count);
		user:create_room(room, nick);
		user:affiliate(room, muc.bob.bare_jid, "owner");
		user:leave(room);
		assert.equal(0, pushed(room, "hello"));
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is known of a member who enters a room that was just made", function ()
		local user, nick = new_user();
		enable(user);
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		user:leave(room);
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is known of an occupant who is made a member", function ()
		local user, nick = new_user();
		enable(user);
		local room = muc:new_room();
		user:join(room, nick);
		muc.bob:affiliate(room, user.bare_jid, "member");
		user:leave(room);
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is known of an occupant who is made a member of a room that has been read", function ()
		local user, nick = new_user();
		local room = muc:new_room();
		user:join(room, nick);
		enable(user);
		assert.equal(0, pushed(room, nick .. ": you are no member"));
		muc.bob:affiliate(room, user.bare_jid, "admin");
		user:leave(room);
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is not known of an occupant who is no member", function ()
		local user, nick = new_user();
		enable(user);
		local room = muc:new_room();
		user:join(room, nick);
		user:leave(room);
		assert.equal(0, pushed(room, nick .. ": hello"));
	end);

	it("is not that of a member whose membership has ended", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		enable(user);
		user:leave(room);
		muc.bob:affiliate(room, user.bare_jid, "none");
		assert.equal(0, pushed(room, nick .. ": hello"));
	end);

	for title, is_member_first in pairs { ["before enabling"] = false, ["after enabling"] = true } do
		it("is not known where somebody else has taken it since, of a member who entered " .. title, function ()
			local user, nick = new_user();
			local room = muc:new_room { user.bare_jid };
			if is_member_first then enable(user); end
			user:join(room, nick);
			if not is_member_first then enable(user); end
			user:leave(room);
			local other = server:user(("other-%d@users.localhost/phone"):format(count));
			other:join(room, nick);
			assert.equal(0, pushed(room, nick .. ": hello"));
			other:leave(room);
			assert.equal(0, pushed(room, nick .. ": hello"));
		end);
	end

	it("is still known after a restart", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		enable(user);
		user:leave(room);
		muc:restart "stop";
		assert.equal(0, pushed(room, "hello"));
		assert.equal(1, pushed(room, nick .. ": hello"));
	end);

	it("is not known after a restart where somebody else has taken it before", function ()
		local user, nick = new_user();
		local room = muc:new_room { user.bare_jid };
		user:join(room, nick);
		enable(user);
		user:leave(room);
		server:user(("other-%d@users.localhost/phone"):format(count)):join(room, nick);
		muc:restart "stop";
		assert.equal(0, pushed(room, nick .. ": hello"));
	end);
end);
