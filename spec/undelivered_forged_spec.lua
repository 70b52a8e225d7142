-- mod_muc_undelivered reports no message that was not sent to the user who returns it, and nothing that is no bounce of a message.

local st = require "util.stanza";

local prosody = require "harness.prosody";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local muc_user = "<x xmlns='http://jabber.org/protocol/muc#user'/>";

versions.describe("mod_muc_undelivered and forged bounces", function (version)
	local server, service, room, bob, ann, mallory;

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			plugin_paths = undelivered.plugin_paths;
			muc = { modules_enabled = { "muc_undelivered", "spec_undelivered" } };
		};
		service = undelivered.new(server);
	end);

	before_each(function ()
		room = service:new_room();
		bob, ann, mallory = service:user("bob/desk"), service:user("ann/phone"), service:user("mallory/cave");
		bob:create_room(room, "Bob");
		ann:join(room, "Ann");
	end);

	after_each(function ()
		assert.same({}, service:errors());
	end);

	local function expect_bodies(...)
		assert.same({ ... }, service:bodies());
	end

	-- How many sessions' visits to the room the module remembers.
	local function count_sessions()
		return server:admin([[
			local record = prosody.hosts[module.host].modules.muc_undelivered.module.save().rooms[...];
			local count = 0;
			for _ in pairs(record.visits.newest) do count = count + 1; end
			return count;
		]], room);
	end

	it("reports nothing when a user who is not in the room sends a message back", function ()
		local id = undelivered.say(bob, room, "lunch?");
		local known = count_sessions();
		for _, to in ipairs { room .. "/Bob", room, room .. "/Ann", room .. "/Nobody" } do
			undelivered.bounce(mallory, to, id);
		end
		expect_bodies();
		assert.equal(known, count_sessions());
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies "lunch?";
	end);

	it("reports nothing when a session of the recipient that is not in the room sends it back", function ()
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(service:user "ann/elsewhere", room .. "/Bob", id);
		undelivered.bounce({ jid = ann.bare_jid, send = ann.send, component = ann.component }, room .. "/Bob", id);
		expect_bodies();
	end);

	it("reports nothing that an account answers to what was forwarded to it", function ()
		local account = server:user("carl@users.localhost");
		account:join(room, "Carl");
		local id = undelivered.say(bob, room, "lunch?", "muc-forwarded-1");
		undelivered.bounce(account, room .. "/Bob", id);
		undelivered.bounce(account, room, id);
		expect_bodies();
		-- Sessions are not meant, nor is anything else that accounts answer.
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies "lunch?";
		account:join(room, "Carl");
		undelivered.bounce(account, room .. "/Bob", undelivered.say(bob, room, "now?"));
		expect_bodies "now?";
	end);

	it("does not report what was said before the recipient entered", function ()
		local id = undelivered.say(bob, room, "lunch?");
		mallory:join(room, "Mallory");
		undelivered.bounce(mallory, room .. "/Bob", id);
		mallory:join(room, "Mallory");
		local heard = undelivered.say(bob, room, "now?");
		undelivered.bounce(mallory, room .. "/Bob", id);
		undelivered.bounce(mallory, room, id);
		undelivered.bounce(mallory, room .. "/Bob", heard);
		expect_bodies "now?";
	end);

	it("does not report history that was sent to a user who entered later", function ()
		local id = undelivered.say(bob, room, "lunch?");
		mallory:join(room, "Mallory", { history = 5 });
		mallory:expect { name = "message", id = id };
		undelivered.bounce(mallory, room .. "/Bob", id);
		expect_bodies();
	end);

	it("does not report what was said after the recipient had left", function ()
		mallory:join(room, "Mallory");
		local heard = undelivered.say(bob, room, "still there?");
		mallory:leave(room);
		local id = undelivered.say(bob, room, "gone?");
		undelivered.bounce(mallory, room .. "/Bob", id);
		undelivered.bounce(mallory, room, id);
		undelivered.bounce(mallory, room .. "/Bob", heard);
		expect_bodies "still there?";
	end);

	it("does not report what was said while the recipient was away", function ()
		ann:leave(room);
		local id = undelivered.say(bob, room, "lunch?");
		ann:join(room, "Ann");
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies();
	end);

	it("does not report what was said after a ban or a kick", function ()
		mallory:join(room, "Mallory");
		bob:affiliate(room, mallory.bare_jid, "outcast");
		local id = undelivered.say(bob, room, "good");
		undelivered.bounce(mallory, room .. "/Bob", id);
		expect_bodies();
	end);

	it("reports nothing to a user whose session was removed without an event", function ()
		server:admin([[
			local room, real_jid = room((...)), select(2, ...);
			local occupant = room:get_occupant_by_real_jid(real_jid);
			occupant:remove_session(real_jid);
			room:save_occupant(occupant);
		]], room, ann.jid);
		local id = undelivered.say(bob, room, "good");
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies();
	end);

	it("reports nothing to a user who was not let in", function ()
		bob:affiliate(room, mallory.bare_jid, "outcast");
		mallory:send(("<presence from='%s' to='%s/Mallory'><x xmlns='http://jabber.org/protocol/muc'/></presence>"):format(mallory.jid, room));
		mallory:expect { name = "presence", type = "error" };
		local id = undelivered.say(bob, room, "good");
		undelivered.bounce(mallory, room .. "/Bob", id);
		expect_bodies();
	end);

	it("reports nothing for an id that was never used", function ()
		undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Bob", "made-up");
		undelivered.bounce(ann, room, "made-up");
		undelivered.bounce(ann, room .. "/Bob", "");
		expect_bodies();
	end);

	it("reports nothing for an id that the named sender has not used", function ()
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Ann", id);
		undelivered.bounce(ann, room .. "/Nobody", id);
		expect_bodies();
	end);

	it("reports a message once", function ()
		local id = undelivered.say(bob, room, "lunch?");
		for _ = 1, 3 do
			undelivered.bounce(ann, room .. "/Bob", id);
			undelivered.bounce(ann, room, id);
		end
		ann:join(room, "Ann");
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies "lunch?";
	end);

	it("reports no presences and IQs", function ()
		local id = undelivered.say(bob, room, "lunch?");
		for _, name in ipairs { "iq", "presence" } do
			ann:send(("<%s type='error' id='%s' from='%s' to='%s/Bob'><error type='cancel'>"
				.. "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></%s>"):format(name, id, ann.jid, room, name));
		end
		ann.component:sync();
		expect_bodies();
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies "lunch?";
	end);

	it("reports nothing for messages that are no errors", function ()
		local id = undelivered.say(bob, room, "lunch?");
		for _, kind in ipairs { "chat", "normal", "headline" } do
			ann:send(st.message({ type = kind, id = id, to = room .. "/Bob" }, "lunch?"));
			ann:send(st.message({ type = kind, id = id, to = room }, "lunch?"));
		end
		ann.component:sync();
		expect_bodies();
	end);

	it("reports nothing in rooms that do not exist", function ()
		undelivered.bounce(mallory, "nowhere@" .. server.muc_host .. "/Bob", "x");
		undelivered.bounce(mallory, server.muc_host, "x");
		expect_bodies();
	end);

	describe("where private messages bounce", function ()
		local function whisper(id)
			bob:send(st.message({ type = "chat", to = room .. "/Ann", id = id }, "psst"));
			ann:expect { name = "message", type = "chat", body = "psst" };
		end

		it("reports nothing", function ()
			whisper "private";
			undelivered.bounce(ann, room .. "/Bob", "private");
			undelivered.bounce(ann, room .. "/Bob", "private");
			expect_bodies();
		end);

		it("reports nothing when they have no id", function ()
			whisper(nil);
			undelivered.bounce(ann, room .. "/Bob", nil);
			expect_bodies();
		end);

		it("reports nothing when one has the id of a message that did arrive", function ()
			undelivered.say(bob, room, "lunch?", "same");
			whisper "same";
			undelivered.bounce(ann, room .. "/Bob", "same");
			expect_bodies();
		end);

		it("reports the message that has the same id when both bounce", function ()
			undelivered.say(bob, room, "lunch?", "same");
			whisper "same";
			undelivered.bounce(ann, room .. "/Bob", "same");
			undelivered.bounce(ann, room .. "/Bob", "same");
			expect_bodies "lunch?";
		end);

		it("goes by what the bounce echoes when one has the same id", function ()
			undelivered.say(bob, room, "lunch?", "same");
			whisper "same";
			undelivered.bounce(ann, room .. "/Bob", "same", { echo = "<body>psst</body>" .. muc_user });
			expect_bodies();
			undelivered.bounce(ann, room .. "/Bob", "same", { echo = "<body>lunch?</body>" });
			expect_bodies "lunch?";
		end);

		it("goes by what the bounce echoes, in whichever order they bounce", function ()
			undelivered.say(bob, room, "lunch?", "same");
			whisper "same";
			undelivered.bounce(ann, room .. "/Bob", "same", { echo = "<body>lunch?</body>" });
			expect_bodies "lunch?";
		end);

		it("reports nothing when the bounce echoes their mark, and the message had none", function ()
			local id = undelivered.say(bob, room, "lunch?");
			undelivered.bounce(ann, room .. "/Bob", id, { echo = muc_user });
			expect_bodies();
		end);

		it("reports the message when it bounces from a user who got no private message", function ()
			mallory:join(room, "Mallory");
			undelivered.say(bob, room, "lunch?", "same");
			whisper "same";
			undelivered.bounce(mallory, room .. "/Bob", "same");
			expect_bodies "lunch?";
		end);

		it("reports a message that carries the mark of private ones", function ()
			local id = undelivered.say(bob, room, "lunch?", nil, muc_user);
			undelivered.bounce(ann, room .. "/Bob", id, { echo = "<body>lunch?</body>" .. muc_user });
			expect_bodies "lunch?";
		end);
	end);

	it("survives bounces of any shape", function ()
		local id = undelivered.say(bob, room, "lunch?");
		local deep = ("<a xmlns='x'>"):rep(500) .. ("</a>"):rep(500);
		for _, echo in ipairs {
			deep, "<body/>", "<body><body/></body>", "<body>" .. ("x"):rep(100000) .. "</body>", "<stanza-id xmlns='urn:xmpp:sid:0'/>",
			("<stanza-id xmlns='urn:xmpp:sid:0' by='%s'/>"):format(room), ("<stanza-id xmlns='urn:xmpp:sid:0' by='%s' id='x'/>"):format(room),
		} do
			undelivered.bounce(mallory, room .. "/Bob", id, { echo = echo });
			undelivered.bounce(ann, room .. "/Bob", ("i"):rep(2000), { echo = echo });
		end
		for _, error_xml in ipairs { "<error/>", "<error/><error/>", "<error xmlns='x'/>", "<error type='cancel'><gone/></error>" } do
			undelivered.bounce(mallory, room .. "/Bob", id, { error = error_xml });
		end
		expect_bodies();
		undelivered.bounce(ann, room .. "/Bob", id, { echo = "<body>lunch?</body>" .. deep });
		expect_bodies "lunch?";
	end);
end);
