-- mod_muc_undelivered: an event for a message that could not be delivered to an occupant.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local kickable = {
	"gone", "internal-server-error", "item-not-found", "jid-malformed", "recipient-unavailable", "redirect",
	"remote-server-not-found", "remote-server-timeout", "service-unavailable",
};

versions.describe("mod_muc_undelivered", function (version)
	local server, service, room, bob, ann;

	lazy_setup(function ()
		local alone = { modules_enabled = { "muc_undelivered", "spec_undelivered" } };
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost", "remote.localhost" };
			plugin_paths = undelivered.plugin_paths;
			global = { modules_disabled = { "c2s", "s2s_auth_certs" } };
			muc = alone;
			mucs = {
				["beside.localhost"] = { modules_enabled = { "muc_cloud_notify", "muc_undelivered", "spec_undelivered" } };
			};
		};
		service = undelivered.new(server);
	end);

	before_each(function ()
		room = service:new_room();
		bob, ann = service:user("bob/desk"), service:user("ann/phone");
		bob:create_room(room, "Bob");
		ann:join(room, "Ann");
	end);

	after_each(function ()
		assert.same({}, service:errors());
	end);

	it("reports the message and its recipient, before the recipient is kicked", function ()
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Bob", id);
		local seen = service:seen();
		assert.equal(1, #seen);
		assert.matches("<body>lunch%?</body>", seen[1].xml);
		seen[1].xml = nil;
		assert.same({
			room = room; nick = room .. "/Ann"; real_jid = ann.jid; bare_jid = ann.bare_jid; sender = bob.bare_jid; from = room .. "/Bob"; to = ann.jid;
			id = id; bounce_id = id; body = "lunch?"; condition = "recipient-unavailable"; elsewhere = ""; was_present = true;
		}, seen[1]);
		assert.falsy(service:is_present(room, ann));
	end);

	it("reports it beside mod_muc_cloud_notify too", function ()
		local other = service:new_room "beside.localhost";
		bob:create_room(other, "Bob");
		ann:join(other, "Ann");
		undelivered.bounce(ann, other .. "/Bob", undelivered.say(bob, other, "here"));
		assert.same({ "here" }, service:bodies "beside.localhost");
		assert.same({}, service:bodies());
	end);

	it("takes a bounce that is addressed to the room", function ()
		undelivered.bounce(ann, room, undelivered.say(bob, room, "lunch?"));
		assert.same({ "lunch?" }, service:bodies());
	end);

	it("takes a bounce that is addressed to the sender's former nickname", function ()
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.rename(bob, room, "Robert");
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "lunch?" }, service:bodies());
	end);

	it("takes what was sent under the recipient's former nickname, and before and after", function ()
		local before = undelivered.say(bob, room, "one");
		undelivered.rename(ann, room, "Anna");
		local after = undelivered.say(bob, room, "two");
		undelivered.bounce(ann, room .. "/Bob", before);
		undelivered.bounce(ann, room .. "/Bob", after);
		assert.same({ "one", "two" }, service:bodies());
	end);

	describe("with each condition", function ()
		for _, condition in ipairs(kickable) do
			it("reports " .. condition .. ", for which mod_muc kicks", function ()
				undelivered.bounce(ann, room .. "/Bob", undelivered.say(bob, room, "lunch?"), { condition = condition });
				assert.same({ condition }, service:pluck "condition");
				assert.falsy(service:is_present(room, ann));
			end);
		end

		it("reports an error that says nothing, for which mod_muc kicks too", function ()
			undelivered.bounce(ann, room .. "/Bob", undelivered.say(bob, room, "lunch?"), { error = "" });
			assert.same({ "malformed error" }, service:pluck "condition");
			assert.falsy(service:is_present(room, ann));
		end);

		for _, condition in ipairs { "policy-violation", "not-acceptable", "resource-constraint", "feature-not-implemented" } do
			it("does not report " .. condition .. ", for which mod_muc does not kick", function ()
				undelivered.bounce(ann, room .. "/Bob", undelivered.say(bob, room, "lunch?"), { condition = condition });
				assert.same({}, service:bodies());
				assert.truthy(service:is_present(room, ann));
			end);
		end
	end);

	it("reports each message that a server returns after the kick", function ()
		local ids = {};
		for i = 1, 5 do
			ids[i] = undelivered.say(bob, room, "message " .. i);
		end
		for i = 1, 5 do
			undelivered.bounce(ann, room .. "/Bob", ids[i], { condition = "remote-server-timeout" });
		end
		local seen = service:seen();
		assert.equal(5, #seen);
		for i = 1, 5 do
			assert.equal("message " .. i, seen[i].body);
			assert.equal(room .. "/Ann", seen[i].nick);
			assert.equal(i == 1, seen[i].was_present);
		end
	end);

	it("reports messages that bounce after a presence has bounced", function ()
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce_presence(ann, room .. "/Bob");
		assert.falsy(service:is_present(room, ann));
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "lunch?" }, service:bodies());
	end);

	it("reports a message that bounces after its recipient has left, or has returned", function ()
		local id, second = undelivered.say(bob, room, "one"), undelivered.say(bob, room, "two");
		ann:leave(room);
		undelivered.say(bob, room, "three");
		undelivered.bounce(ann, room .. "/Bob", id);
		ann:join(room, "Ann");
		undelivered.bounce(ann, room .. "/Bob", second);
		assert.same({ "one", "two" }, service:bodies());
	end);

	it("reports it for each session of an occupant", function ()
		local tablet = service:user "ann/tablet";
		tablet:join(room, "Ann");
		local first, second = undelivered.say(bob, room, "one"), undelivered.say(bob, room, "two");
		undelivered.bounce(tablet, room .. "/Bob", first);
		assert.truthy(service:is_present(room, ann));
		assert.falsy(service:is_present(room, tablet));
		undelivered.say(bob, room, "three");
		undelivered.bounce(ann, room .. "/Bob", first);
		undelivered.bounce(tablet, room .. "/Bob", second);
		local seen = service:seen();
		for i, expected in ipairs { { tablet.jid, ann.jid }, { ann.jid, "" }, { tablet.jid, ann.jid } } do
			assert.same(expected, { seen[i].real_jid, seen[i].elsewhere });
		end
		assert.equal(3, #seen);
	end);

	it("knows when one of many sessions was kicked", function ()
		local tablet = service:user "ann/tablet";
		tablet:join(room, "Ann");
		undelivered.bounce(tablet, room .. "/Bob", undelivered.say(bob, room, "one"));
		local later = undelivered.say(bob, room, "two");
		undelivered.bounce(tablet, room .. "/Bob", later);
		assert.same({ "one" }, service:bodies());
		undelivered.bounce(ann, room .. "/Bob", later);
		assert.same({ "two" }, service:bodies());
	end);

	it("follows a session that leaves its nickname to another one", function ()
		local tablet = service:user "ann/tablet";
		tablet:join(room, "Ann");
		local before = undelivered.say(bob, room, "one");
		undelivered.rename(tablet, room, "Tablet");
		local after = undelivered.say(bob, room, "two");
		for _, id in ipairs { before, after } do
			undelivered.bounce(tablet, room .. "/Bob", id);
			undelivered.bounce(ann, room .. "/Bob", id);
		end
		assert.same({ "one", "one", "two", "two" }, service:bodies());
	end);

	it("tells two senders with the same id apart", function ()
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		undelivered.say(bob, room, "Bob's", "same");
		undelivered.say(carl, room, "Carl's", "same");
		undelivered.bounce(ann, room .. "/Bob", "same");
		assert.same({ "Bob's" }, service:bodies());
		undelivered.bounce(ann, room .. "/Carl", "same");
		assert.same({ "Carl's" }, service:bodies());
	end);

	it("reports both when their bounces name nobody, and the one that a bounce echoes", function ()
		local carl, dan = service:user "carl/desk", service:user "dan/desk";
		carl:join(room, "Carl");
		dan:join(room, "Dan");
		undelivered.say(bob, room, "Bob's", "same");
		undelivered.say(carl, room, "Carl's", "same");
		for _ = 1, 3 do
			undelivered.bounce(ann, room, "same");
		end
		assert.same({ "Carl's", "Bob's" }, service:bodies());
		undelivered.bounce(dan, room, "same", { echo = "<body>Bob&apos;s</body>" });
		assert.same({ "Bob's" }, service:bodies());
	end);

	it("reports what Prosody itself cannot route", function ()
		local eve = server:user "eve@remote.localhost/phone";
		eve:join(room, "Eve");
		eve.component:close();
		server:settle();
		undelivered.say(bob, room, "lunch?");
		bob.component:sync();
		local seen = service:seen();
		assert.equal(1, #seen);
		assert.same({ eve.jid, "lunch?", "remote-server-timeout", true }, { seen[1].real_jid, seen[1].body, seen[1].condition, seen[1].was_present });
		assert.falsy(service:is_present(room, eve));
	end);

	it("reports what mod_s2s returns when another server is out of reach", function ()
		-- All in one turn of the event loop, so that everything is still waiting for the connection.
		server:admin([[
			local room_jid, muc_user = ...;
			local eve = "eve@127.0.0.1/phone";
			local origin = { type = "s2sin", from_host = "127.0.0.1", to_host = module.host, send = function () end };
			prosody.core_post_stanza(origin, st.presence({ from = eve, to = room_jid .. "/Eve" }):tag("x", { xmlns = muc_user }):up());
			for i = 1, 3 do
				room(room_jid):broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "s2s-" .. i }, "message " .. i));
			end
		]], room, "http://jabber.org/protocol/muc");
		assert.truthy(loop.wait_until(function ()
			return not server:admin("return room(...):get_occupant_jid('eve@127.0.0.1/phone')", room);
		end, nil, 0.02));
		server:settle();
		local seen = service:seen();
		local got = {};
		for i, event in ipairs(seen) do
			got[i] = table.concat({ event.real_jid, event.body, event.nick:match("/(.*)"), event.condition }, " ");
		end
		assert.same({
			"eve@127.0.0.1/phone message 1 Eve remote-server-not-found", "eve@127.0.0.1/phone message 2 Eve remote-server-not-found",
			"eve@127.0.0.1/phone message 3 Eve remote-server-not-found",
		}, got);
	end);

	it("knows a change of the subject, which has no id", function ()
		bob:send(("<message type='groupchat' from='%s' to='%s'><subject>new</subject></message>"):format(bob.jid, room));
		bob:expect "<subject>new</subject>";
		undelivered.bounce(ann, room .. "/Bob", nil);
		local seen = service:seen();
		assert.equal(1, #seen);
		assert.matches("<subject>new</subject>", seen[1].xml);
	end);

	it("reports nothing for a bounce without an id that can be of no message", function ()
		undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Bob", nil);
		assert.same({}, service:bodies());
	end);

	it("lets mod_muc go on when a listener fails", function ()
		local id, second = undelivered.say(bob, room, "one"), undelivered.say(bob, room, "two");
		service:behave "error('on purpose')";
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.falsy(service:is_present(room, ann));
		local errors = service:errors();
		assert.equal(1, #errors);
		assert.matches("Failed to tell of a message that could not be delivered", errors[1]);
		service:behave(nil);
		undelivered.bounce(ann, room .. "/Bob", second);
		assert.same({ "one", "two" }, service:bodies());
	end);

	it("gives away a copy", function ()
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		local id = undelivered.say(bob, room, "lunch?");
		service:behave "event.message.attr.from = nil; event.message:maptags(function () end);";
		undelivered.bounce(ann, room .. "/Bob", id);
		service:behave(nil);
		undelivered.bounce(carl, room .. "/Bob", id);
		assert.same({ "lunch?", "lunch?" }, service:bodies());
	end);

	it("keeps what it knows over a reload", function ()
		local first, second = undelivered.say(bob, room, "one"), undelivered.say(bob, room, "two");
		undelivered.bounce(ann, room .. "/Bob", first);
		server:reload_module "muc_undelivered";
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		undelivered.bounce(carl, room .. "/Bob", second);
		undelivered.bounce(ann, room .. "/Bob", first);
		undelivered.bounce(ann, room .. "/Bob", second);
		assert.same({ "one", "two" }, service:bodies());
	end);

	it("knows occupants who entered before it was loaded", function ()
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		local before = undelivered.say(bob, room, "one");
		server:admin([[
			local modulemanager = require "core.modulemanager";
			assert(modulemanager.unload(module.host, "muc_undelivered"));
			assert(modulemanager.load(module.host, "muc_undelivered"));
		]]);
		local id = undelivered.say(bob, room, "two");
		carl:leave(room);
		local after = undelivered.say(bob, room, "three");
		for _, each in ipairs { before, after, id } do
			undelivered.bounce(carl, room .. "/Bob", each);
		end
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ carl.jid, ann.jid }, service:pluck "real_jid");
	end);

	it("forgets a room that is destroyed", function ()
		local id = undelivered.say(bob, room, "lunch?");
		bob:destroy_room(room);
		undelivered.bounce(ann, room .. "/Bob", id);
		bob:create_room(room, "Bob");
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({}, service:bodies());
	end);
end);
