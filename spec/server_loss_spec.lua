-- Users of another server, which loses their connection or is lost itself. The messages that it had accepted for them bounce
-- when it returns them. Nobody returns those that it loses: no module of the near server can know of them.

local client_process = require "harness.client_process";
local loop = require "harness.loop";
local prosody = require "harness.prosody";
local sessions = require "harness.sessions";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local far_host = "far.example";
local ann_jid = "ann@" .. far_host;

local function start(version, s2s, options)
	options.version, options.c2s, options.s2s = version, true, s2s;
	options.global = { modules_enabled = { "smacks" } };
	return prosody.start(options);
end

for _, s2s in ipairs { "dialback", "certificates" } do
	versions.describe("a user of a server linked by "..s2s..",", function (version)
		local near, far, muc, room, ann;

		before_each(function ()
			near = start(version, s2s, {
				components = { "users.localhost", "push.localhost" };
				muc = muc_service.with_body();
			});
			far = start(version, s2s, { hosts = { [far_host] = {} }; muc_host = "rooms."..far_host });
			muc = muc_service.new(near);
			room = muc:new_room { ann_jid };
			ann = far:client(ann_jid.."/phone");
			assert.equal("result", ann:enable({ to = near.muc_host, jid = muc.app.jid, node = "ann" }).attr.type);
			ann:join(room, "Ann");
			ann:ping(near.muc_host);
		end);

		after_each(prosody.close_all);

		local function say(body)
			muc:say(room, body);
		end

		-- Returns when so many messages have reached the far server and not its client, as far as it knows.
		local function wait_until_taken(count, client)
			assert(loop.wait_until(function ()
				return far:admin([[
					local count = 0;
					for _, stanza in prosody.full_sessions[...].outgoing_stanza_queue._queue:items() do
						if stanza.name == "message" and stanza:get_child("body") then count = count + 1; end
					end
					return count;
				]], (client or ann).jid) == count;
			end, nil, 0.005), "the messages do not come to the far server");
		end

		local function wait_until_left(client)
			assert(loop.wait_until(function ()
				return not near:admin("return room(...):get_occupant_jid(select(2, ...))", room, (client or ann).jid);
			end, nil, 0.005), "the occupant stays");
			near:settle();
		end

		local function wait_until_unlinked()
			assert(loop.wait_until(function ()
				return near:admin("return prosody.hosts[module.host].s2sout[...] == nil", far_host);
			end, nil, 0.005), "the link stays");
			near:settle();
		end

		-- Pushes, some of which may stand for many messages: the last one counts all there were, and none came twice.
		local function assert_counted(last)
			local pushes, before = muc:take_pushes(), 0;
			for _, push in ipairs(pushes) do
				local count = tonumber(push:match("^ann (%d+) "));
				assert.is_true(count > before, "a count does not grow: "..table.concat(pushes, ", "));
				before = count;
			end
			assert.equal(last, pushes[#pushes]);
		end

		it("gets no push while the client is there", function ()
			say "hello";
			ann:expect { body = "hello" };
			assert.same({}, muc:take_pushes());
		end);

		it("gets a push for all messages since the client was killed, when the server is stopped", function ()
			ann:leave(room);
			local phone = client_process.start(ann, "killed", room, "Ann");
			phone:kill();
			for _, body in ipairs { "one", "two", "three" } do say(body); end
			assert(sessions.wait_until_hibernating(far, phone.jid));
			wait_until_taken(3, phone);
			assert.same({}, muc:take_pushes());
			far:stop();
			wait_until_left(phone);
			assert_counted "ann 3 three";
			say "four";
			assert.same({ "ann 4 four" }, muc:take_pushes());
		end);

		it("gets no push for messages that were read before the client was lost, when the server is stopped", function ()
			say "read";
			ann:expect { body = "read" };
			wait_until_taken(0);
			sessions.cut(ann);
			say "one";
			wait_until_taken(1);
			far:stop();
			wait_until_left();
			assert_counted "ann 1 one";
		end);

		it("gets a push for messages that a silent client has not acknowledged, when the server is stopped", function ()
			ann:ping(near.muc_host);
			ann:go_silent();
			for _, body in ipairs { "one", "two" } do say(body); end
			wait_until_taken(2);
			far:stop();
			wait_until_left();
			assert_counted "ann 2 two";
			say "three";
			assert.same({ "ann 3 three" }, muc:take_pushes());
		end);

		it("gets no push when the client has resumed in time", function ()
			sessions.cut(ann);
			say "one";
			ann:resume();
			ann:expect { body = "one" };
			say "two";
			ann:expect { body = "two" };
			assert.same({}, muc:take_pushes());
		end);

		-- "lost" had reached the server, and no other server has it: there is no push for it.
		it("gets pushes from the first message on after the server was killed", function ()
			sessions.cut(ann);
			say "lost";
			wait_until_taken(1);
			far:kill();
			wait_until_unlinked();
			assert.same({}, muc:take_pushes());
			say "one";
			wait_until_left();
			assert.same({ "ann 1 one" }, muc:take_pushes());
			say "two";
			assert.same({ "ann 2 two" }, muc:take_pushes());
		end);

		it("gets a push for messages that the server had not read when it was killed, but for dialback", function ()
			far:freeze();
			say "unread";
			far:kill();
			wait_until_unlinked();
			local pushes = muc:take_pushes();
			-- Without stream management nobody knows what the other end has read.
			assert.same(s2s == "certificates" and { "ann 1 unread" } or {}, pushes);
			say "one";
			wait_until_left();
			local count = #pushes + 1;
			assert.same({ "ann "..count.." one" }, muc:take_pushes());
		end);

		it("gets pushes when the server is up again and does not know the session any more", function ()
			far:kill();
			far:start_again();
			wait_until_unlinked();
			say "one";
			wait_until_left();
			assert.same({ "ann 1 one" }, muc:take_pushes());
			ann = far:client(ann_jid.."/phone");
			ann:join(room, "Ann");
			say "two";
			ann:expect { body = "two" };
			assert.same({}, muc:take_pushes());
		end);
	end);
end
