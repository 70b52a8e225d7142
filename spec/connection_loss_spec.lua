-- Clients that lose their connection and servers that lose each other, without the module: what a MUC service gets to
-- see of it. The near server has the rooms.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local sessions = require "harness.sessions";
local tables = require "harness.tables";

local versions = require "spec.support.versions";

local muc_host = "conference.localhost";
local far_host = "far.example";

-- A server with clients, and with peers if s2s says how. options: hibernation_time, where a session ends a second later
-- (ten minutes); read_timeout and ack_delay, in seconds; hosts, muc_host
local function start(version, s2s, options)
	options = options or {};
	return prosody.start {
		version = version;
		c2s = true;
		s2s = s2s;
		hosts = options.hosts;
		muc_host = options.muc_host;
		community_modules = true;
		global = {
			modules_enabled = { "cloud_notify", "smacks" };
			network_settings = { read_timeout = options.read_timeout };
			smacks_hibernation_time = options.hibernation_time;
			smacks_max_ack_delay = options.ack_delay;
		};
	};
end

local function start_far(version, s2s, options)
	return start(version, s2s, tables.merge({ hosts = { [far_host] = {} }, muc_host = "rooms." .. far_host }, options));
end

-- Notes the errors and unavailable presences that reach the MUC service, and takes the place of no handler.
local function observe(server)
	server:admin([[
		module.seen = {};
		for _, event in ipairs { "message/bare", "message/full", "presence/full" } do
			module:hook(event, function (data)
				local stanza = data.stanza;
				if stanza.attr.type == "error" or stanza.attr.type == "unavailable" then
					local _, condition, text = stanza:get_error();
					table.insert(module.seen, {
						name = stanza.name, type = stanza.attr.type, id = stanza.name == "message" and stanza.attr.id or nil,
						from = stanza.attr.from, to = stanza.attr.to, condition = condition, text = text,
						status = stanza:get_child_text("status"),
					});
				end
			end, 1000);
		end
	]]);
end

local function seen(server)
	return server:admin("local seen = module.seen; module.seen = {}; return seen");
end

-- An error for something that was sent to a bare or full JID on behalf of an occupant.
local function bounce(id, from, to, condition, text)
	return { name = "message", type = "error", id = id, from = from, to = to, condition = condition, text = text };
end

local function unavailable(from, to, status)
	return { name = "presence", type = "unavailable", from = from, to = to, status = status };
end

-- Returns once a link that was lost is lost for both its ends.
local function wait_until_unlinked(server)
	assert(loop.wait_until(function ()
		return server:admin("return prosody.hosts[module.host].s2sout[...] == nil", far_host);
	end, nil, 0.01), "the link to " .. far_host .. " is still there");
end

versions.describe("client", function (version)
	local near, alice, bob;
	local alice_jid = "alice@localhost/phone";
	local room = "room@" .. muc_host;

	local function set_up(options)
		near = start(version, nil, options);
		observe(near);
		bob = near:client("bob@localhost/desk");
		bob:create_room(room, "bob");
	end

	before_each(function ()
		set_up();
	end);

	after_each(function ()
		prosody.close_all();
	end);

	local function enter(options)
		alice = near:client(alice_jid, options);
		alice:join(room, "alice");
		bob:expect { name = "presence", from = room .. "/alice" };
		alice:sync();
	end

	it("does not log in with another password", function ()
		enter();
		local ok, err = pcall(near.client, near, "alice@localhost/other", { password = "wrong" });
		assert.is_false(ok);
		assert.truthy(err:find("not-authorized", 1, true), err);
	end);

	it("talks in a room", function ()
		enter();
		alice:say(room, "<hello> & goodbye");
		assert.equal(room .. "/alice", bob:expect({ body = "<hello> & goodbye" }).attr.from);
		bob:say(room, "hi");
		assert.equal(room .. "/bob", alice:expect({ body = "hi" }).attr.from);
		bob:leave(room);
		alice:say(room, "are you there");
		alice:sync();
		bob:expect_nothing { body = "are you there" };
	end);

	it("leaves when its stream is closed", function ()
		enter();
		alice:close();
		bob:expect { name = "presence", from = room .. "/alice", type = "unavailable" };
		assert.same({ unavailable(alice_jid, room .. "/alice") }, seen(near));
	end);

	it("gets what it has not got yet, when its session is resumed in time", function ()
		enter();
		sessions.cut(alice);
		bob:say(room, "missed");
		bob:sync();
		assert.equal(room .. "/bob", alice:resume() and alice:expect({ body = "missed" }).attr.from);
		assert.is_false(sessions.is_hibernating(near, alice_jid));
		bob:say(room, "and on");
		alice:expect { body = "and on" };
		alice:expect_nothing { body = "missed" };
		bob:expect_nothing { name = "presence", from = room .. "/alice", type = "unavailable" };
		assert.same({}, seen(near));
	end);

	it("leaves when it was cut and is not resumed in time, after what it has not got has bounced", function ()
		near:close();
		set_up { hibernation_time = 2 };
		enter();
		sessions.cut(alice);
		local ids = { bob:say(room, "one"), bob:say(room, "two") };
		bob:expect { name = "presence", from = room .. "/alice", type = "unavailable" };
		near:settle();
		assert.same({
			bounce(ids[1], alice_jid, room .. "/bob", "recipient-unavailable");
			bounce(ids[2], alice_jid, room .. "/bob", "recipient-unavailable");
			unavailable(alice_jid, room .. "/alice", "Disconnected: Hibernating too long");
		}, seen(near));
		local ok, err = pcall(alice.resume, alice);
		assert.is_false(ok);
		assert.truthy(err:find("item-not-found", 1, true), err);
	end);

	it("leaves at once when it was cut without stream management", function ()
		enter { stream_management = false };
		alice:cut();
		bob:expect { name = "presence", from = room .. "/alice", type = "unavailable" };
		local left = seen(near);
		assert.same({ 1, "presence", "unavailable" }, { #left, left[1].name, left[1].type });
	end);

	it("stays while it is silent, and takes up what it has not read", function ()
		enter();
		alice:go_silent();
		bob:say(room, "unread");
		bob:sync();
		assert.is_false(sessions.is_hibernating(near, alice_jid));
		alice:resume();
		alice:expect { body = "unread" };
		assert.same({}, seen(near));
	end);

	it("has what it did not acknowledge bounce, though it has read it", function ()
		enter { acknowledges = false };
		local id = bob:say(room, "read");
		alice:expect { body = "read" };
		alice:close();
		bob:expect { name = "presence", from = room .. "/alice", type = "unavailable" };
		near:settle();
		local found;
		for _, stanza in ipairs(seen(near)) do
			found = found or stanza.id == id and stanza.condition;
		end
		assert.equal("recipient-unavailable", found);
	end);

	it("has its session marked by its account's push, until that is disabled", function ()
		enter();
		local function marks()
			return near:admin("local session = prosody.full_sessions[...]; return session.push_identifier, session.push_settings ~= nil",
				alice_jid);
		end
		assert.same({ nil, false }, { marks() });
		local registration = { to = alice.bare_jid, jid = "push.example", node = "n1" };
		assert.equal("result", alice:enable(registration).attr.type);
		assert.same({ "push.example<n1", true }, { marks() });
		assert.equal("result", alice:disable(registration).attr.type);
		assert.same({ nil, false }, { marks() });
	end);
end);

for _, s2s in ipairs { "dialback", "certificates" } do
	versions.describe("server linked by " .. s2s, function (version)
		local near, far, alice, bob;
		local bob_jid = "bob@" .. far_host .. "/desk";
		local room = "room@" .. muc_host;

		local function set_up(options)
			near, far = start(version, s2s, options), start_far(version, s2s, options);
			observe(near);
			alice = near:client("alice@localhost/phone");
			alice:create_room(room, "alice");
			bob = far:client(bob_jid);
			bob:join(room, "bob");
			alice:expect { name = "presence", from = room .. "/bob" };
			bob:ping(muc_host);
		end

		before_each(function ()
			set_up();
		end);

		after_each(function ()
			prosody.close_all();
		end);

		local function expect_bob_to_leave()
			alice:expect { name = "presence", from = room .. "/bob", type = "unavailable" };
			near:settle();
		end

		it("carries what users of both say in a room", function ()
			assert.equal(s2s == "certificates", near:admin("return prosody.hosts[module.host].s2sout[...].secure == true", far_host));
			alice:say(room, "<hello> & goodbye");
			assert.equal(room .. "/alice", bob:expect({ body = "<hello> & goodbye" }).attr.from);
			bob:say(room, "hi");
			assert.equal(room .. "/bob", alice:expect({ body = "hi" }).attr.from);
			bob:leave(room);
			alice:say(room, "are you there");
			alice:sync();
			bob:ping(muc_host);
			bob:expect_nothing { body = "are you there" };
		end);

		it("has its user leave when it stops", function ()
			far:stop();
			expect_bob_to_leave();
			assert.same(unavailable(bob_jid, room .. "/bob"), seen(near)[1]);
		end);

		it("has the next message bounce when it was killed, and not before", function ()
			far:kill();
			wait_until_unlinked(near);
			alice:sync();
			assert.same({}, seen(near));
			local id = alice:say(room, "anybody there");
			expect_bob_to_leave();
			assert.same(bounce(id, bob_jid, room .. "/alice", "remote-server-not-found",
				"Server-to-server connection failed: connection refused"), seen(near)[1]);
		end);

		it("has a message bounce that is for a session from before it was killed", function ()
			far:kill();
			far:start_again();
			wait_until_unlinked(near);
			local id = alice:say(room, "anybody there");
			expect_bob_to_leave();
			assert.same(bounce(id, bob_jid, room .. "/alice", "service-unavailable"), seen(near)[1]);
		end);

		it("takes what it had not read along when it is killed, but for stream management", function ()
			far:freeze();
			local id = alice:say(room, "unread");
			alice:sync();
			far:kill();
			wait_until_unlinked(near);
			near:settle();
			local first = seen(near)[1];
			if s2s == "certificates" then
				assert.same(bounce(id, bob_jid, room .. "/alice", "recipient-unavailable"), first);
			else
				assert.is_nil(first);
			end
		end);

		it("is given up when it is silent, and what it had not acknowledged bounces, but for dialback", function ()
			prosody.close_all();
			set_up { read_timeout = 1, ack_delay = 1 };
			far:freeze();
			local id = alice:say(room, "unread");
			local left = alice:receive(s2s == "dialback" and 3 or nil, { name = "presence", from = room .. "/bob", type = "unavailable" });
			if s2s == "certificates" then
				assert.truthy(left);
				assert.same(bounce(id, bob_jid, room .. "/alice", "recipient-unavailable"), seen(near)[1]);
			else
				assert.is_nil(left);
				assert.same({}, seen(near));
			end
		end);

		it("has what its user did not get bounce when the session ends", function ()
			prosody.close_all();
			set_up { hibernation_time = 2 };
			sessions.cut(bob);
			local id = alice:say(room, "missed");
			expect_bob_to_leave();
			alice:sync();
			local stanzas = seen(near);
			assert.same(bounce(id, bob_jid, room .. "/alice", "recipient-unavailable"), stanzas[1]);
			assert.same(unavailable(bob_jid, room .. "/bob", "Disconnected: Hibernating too long"), stanzas[2]);
		end);

		it("is reached again by a new session of its user", function ()
			far:kill();
			far:start_again();
			bob = far:client(bob_jid);
			bob:join(room, "bob");
			alice:say(room, "welcome back");
			bob:expect { body = "welcome back" };
		end);
	end);
end

versions.describe("servers", function (version)
	after_each(function ()
		prosody.close_all();
	end);

	it("cannot both have a host", function ()
		start(version, "dialback");
		local ok, err = pcall(start, version, "dialback");
		assert.is_false(ok);
		assert.truthy(err:find("two servers", 1, true), err);
	end);

	it("do not know hosts that none of them has", function ()
		local near = start(version, "dialback");
		local alice = near:client("alice@localhost/phone");
		local ok, err = pcall(alice.join, alice, "room@rooms.nowhere.example", "alice");
		assert.is_false(ok);
		assert.truthy(err:find("remote-server-not-found", 1, true), err);
	end);
end);
