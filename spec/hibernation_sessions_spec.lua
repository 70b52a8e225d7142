-- A user with several sessions, clients of this very server, some of which hibernate (XEP-0198).

local sessions = require "harness.sessions";
local client_in_room = require "spec.support.client_in_room";
local versions = require "spec.support.versions";

local cut, end_hibernation = sessions.cut, sessions.end_hibernation;

versions.describe("a client whose connection is cut, beside another session,", function (version)
	local server, muc, ann, room;

	local say = client_in_room.prepare(version, function (...) server, muc, ann, room = ...; end);

	for _, nick in ipairs { "Ann", "Tablet" } do
		it("gets pushes once that is cut too, as "..nick, function ()
			local tablet = server:client(ann.bare_jid.."/tablet");
			tablet:join(room, nick);
			cut(ann);
			say "one";
			assert.same({}, muc:take_pushes());
			cut(tablet);
			say "two";
			assert.same({ "ann 1 two" }, muc:take_pushes());
			tablet:resume();
			say "three";
			assert.same({}, muc:take_pushes());
		end);

		it("gets pushes once that has left, as "..nick, function ()
			local tablet = server:client(ann.bare_jid.."/tablet");
			tablet:join(room, nick);
			cut(ann);
			tablet:leave(room);
			say "one";
			assert.same({ "ann 1 one" }, muc:take_pushes());
		end);
	end

	it("gets one push for messages that neither had acknowledged when both have ended", function ()
		local tablet = server:client(ann.bare_jid.."/tablet");
		tablet:join(room, "Ann");
		ann:go_silent();
		tablet:go_silent();
		say "unread";
		cut(ann);
		cut(tablet);
		end_hibernation(ann); -- the tablet may still have it
		assert.same({}, muc:take_pushes());
		end_hibernation(tablet);
		assert.same({ "ann 1 unread" }, muc:take_pushes());
		say "one";
		assert.same({ "ann 2 one" }, muc:take_pushes());
	end);

	for what, go in pairs { ["has lost its connection"] = cut, ["has left"] = function (client) client:leave(room); end } do
		it("gets no push for messages that one has read which "..what.." since", function ()
			local tablet = server:client(ann.bare_jid.."/tablet");
			tablet:join(room, "Ann");
			cut(ann);
			say "one";
			say "two";
			tablet:ping("localhost");
			go(tablet);
			end_hibernation(ann);
			assert.same({}, muc:take_pushes());
			say "three";
			assert.same({ "ann 1 three" }, muc:take_pushes());
		end);
	end

	it("gets a push for messages that one had not read when it ends, though the other goes on hibernating", function ()
		local tablet = server:client(ann.bare_jid.."/tablet");
		tablet:join(room, "Ann");
		cut(ann);
		tablet:go_silent();
		say "unread";
		cut(tablet);
		end_hibernation(tablet);
		assert.same({ "ann 1 unread" }, muc:take_pushes());
		end_hibernation(ann);
		say "one";
		assert.same({ "ann 2 one" }, muc:take_pushes());
	end);

	it("gets no push when one comes in, nor when the other ends then", function ()
		ann:go_silent();
		say "unread";
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		local tablet = server:client(ann.bare_jid.."/tablet");
		tablet:join(room, "Ann");
		say "two";
		end_hibernation(ann);
		say "three";
		assert.same({}, muc:take_pushes());
	end);

	it("gets no push when a new session takes its place", function ()
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		ann = server:client(ann.jid);
		ann:join(room, "Ann");
		say "two";
		assert.same({}, muc:take_pushes());
		ann:leave(room);
		say "three";
		assert.same({ "ann 1 three" }, muc:take_pushes());
	end);

	-- Fires the event of a session that has lost its connection, with what it has not acknowledged.
	local lose = [[
		local function lose(session, queue)
			prosody.full_sessions[session.full_jid] = session;
			prosody.hosts.localhost.events.fire_event("smacks-hibernation-start", { origin = session, queue = queue });
			prosody.full_sessions[session.full_jid] = nil;
		end
	]];

	it("is looked at in slices where it has sent its presence to very many", function ()
		say "hello"; -- the room is read
		local at_once, ordinary = server:admin(lose .. [[
			local room, looks = room(...), 0;
			local get_occupant_by_real_jid = room.get_occupant_by_real_jid;
			function room:get_occupant_by_real_jid(...)
				looks = looks + 1;
				room.looks = looks;
				return get_occupant_by_real_jid(self, ...);
			end
			local function lose_one_in(count)
				local before, directed = looks, {};
				for i = 1, count do directed[room.jid .. "/" .. i] = true; end
				lose({ full_jid = "many-" .. count .. "@localhost/x", directed = directed, hibernating = os.time() }, {});
				return looks - before;
			end
			local ordinary = lose_one_in(400);
			return lose_one_in(3000), ordinary;
		]], room);
		assert.equal(400, ordinary);
		assert.equal(1000, at_once);
		server:settle();
		assert.equal(3400, server:admin("return room(...).looks", room));
	end);

	it("is remembered by what can come back, and not by very long ids", function ()
		local kilobytes = server:admin(lose .. [[
			local room_jid = ...;
			local session, queue = { full_jid = "long@localhost/x", hibernating = os.time() }, {};
			for i = 1, 100 do
				queue[i] = st.message { type = "groupchat", from = room_jid .. "/Bob", id = i .. ("y"):rep(100000) };
			end
			collectgarbage(); collectgarbage();
			local before = collectgarbage "count";
			lose(session, queue);
			collectgarbage(); collectgarbage();
			return collectgarbage "count" - before + (#queue + #session.full_jid) * 0;
		]], room);
		assert.is_true(kilobytes < 1000, kilobytes .. " kB");
	end);
end);
