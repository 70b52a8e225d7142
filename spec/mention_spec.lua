-- Mentions: which members they mean, where members get pushes for mentions only, and where they do not.

local prosody = require "harness.prosody";

local versions = require "spec.support.versions";

local room = "tavern@conference.localhost";

local function reference(attributes)
	return "<reference xmlns='urn:xmpp:reference:0' type='mention' " .. attributes .. "/>";
end

local function reply_to(occupant_jid)
	return "<reply xmlns='urn:xmpp:reply:0' to='" .. occupant_jid .. "' id='m1'/>";
end

local function fallback(start, finish)
	return string.format("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='%d' end='%d'/></fallback>", start, finish);
end

-- Olga, the author, and Nick are in the room. Bea, "Jörg Ö" and Éva are away and have registered their nicknames. Lou is
-- away and has registered none, but was there as Lou.
local cases = { -- what, body, other children, the members that get a push
	{ "nobody without a mention", "hello", nil, {} };

	{ "by the URI of a real address", "hello", reference "uri='xmpp:bea@users.localhost'", { "bea" } };
	{ "by the URI of a real address as it is written", "hello", reference "uri='XMPP:Bea@Users.LOCALHOST'", { "bea" } };
	{ "by the URI of the same address elsewhere", "hello", reference "uri='xmpp:bea@elsewhere.example'", {} };
	{ "by the URI of an occupant", "hello", reference "uri='xmpp:tavern@conference.localhost/Bea'", { "bea" } };
	{ "by the URI of an occupant who has not registered", "hello", reference "uri='xmpp:tavern@conference.localhost/Lou'", { "lou" } };
	{ "by the URI of an occupant of another room", "hello", reference "uri='xmpp:cellar@conference.localhost/Bea'", {} };
	{ "by the URI of an occupant in other letters", "hello", reference "uri='xmpp:tavern@conference.localhost/bea'", {} };
	{ "by the URI of a whole room", "hello", reference "uri='xmpp:tavern@conference.localhost'", {} };
	{ "by a URI that is percent-encoded", "hello", reference "uri='xmpp:tavern@conference.localhost/J%C3%B6rg%20%C3%96'", { "joerg" } };
	{ "by a URI that is not", "hello", reference "uri='xmpp:tavern@conference.localhost/Jörg Ö'", { "joerg" } };
	{ "by a URI that is encoded wrongly", "hello", reference "uri='xmpp:tavern@conference.localhost/J%F6rg%20%D6'", {} };
	{ "by the URI of somebody who is there", "hello", reference "uri='xmpp:olga@users.localhost'", {} };
	{ "by a reference that is no mention", "hello", "<reference xmlns='urn:xmpp:reference:0' type='data' uri='xmpp:bea@users.localhost'/>", {} };

	{ "by a range", "hiBeatrix", reference "begin='2' end='5'", { "bea" } };
	{ "by a range with an @", "hi@Beatrix", reference "begin='2' end='6'", { "bea" } };
	{ "by a range of a nickname that begins with an accent", "hiÉvaristo", reference "begin='2' end='5'", { "eva" } };
	{ "by a range in code points", "😀😀hiBeatrix", reference "begin='4' end='7'", { "bea" } };
	{ "by a range in UTF-16 units", "😀😀hiBeatrix", reference "begin='6' end='9'", { "bea" } };
	{ "by a range of something else", "hiBeatrix", reference "begin='0' end='3'", {} };
	{ "by a range beyond the end", "hiBeatrix", reference "begin='2' end='500'", {} };
	{ "by a range the wrong way round", "hiBeatrix", reference "begin='5' end='2'", {} };
	{ "by a range without an end", "hiBeatrix", reference "begin='2'", {} };
	{ "by neither a URI nor a range", "hiBeatrix", reference "", {} };
	{ "by a URI, whatever the range", "hiBeatrix", reference "begin='2' end='5' uri='xmpp:eva@users.localhost'", { "eva" } };

	{ "by a reply", "yes", reply_to(room .. "/Bea"), { "bea" } };
	{ "by a reply to a real address", "yes", reply_to("bea@users.localhost"), { "bea" } };
	{ "by a reply to somebody who has not registered a nickname", "yes", reply_to(room .. "/Lou"), { "lou" } };
	{ "by a reply to somebody who is there", "yes", reply_to(room .. "/Olga"), {} };
	{ "by a reply with a quotation", "> Éva: hi\nyes", reply_to(room .. "/Bea") .. fallback(0, 10), { "bea" } };

	{ "by the nickname", "Bea: hello", nil, { "bea" } };
	{ "by the nickname with an @", "hello @Bea!", nil, { "bea" } };
	{ "by the nickname in other letters", "hello BEA", nil, { "bea" } };
	{ "by the nickname of two words in other letters", "hello jÖRG ö.", nil, { "joerg" } };
	{ "by the nickname with an accent", "éVA?", nil, { "eva" } };
	{ "by the nickname of somebody who has not registered it", "hello lou", nil, { "lou" } };
	{ "by a part of a word", "Beatrix is no beagle", nil, {} };
	{ "by a part of a word with an accent", "Évaristo", nil, {} };
	{ "by half of a nickname", "hello Jörg", nil, {} };
	{ "by the name of the account", "hello joerg", nil, {} };
	{ "by a nickname in a quotation", "> Bea: hi\nyes", fallback(0, 10), {} };
	{ "by a nickname in what only looks like a quotation", "> Bea: hi\nyes", nil, { "bea" } };
	{ "by a nickname after a quotation", "> Éva: hi\nyes, Bea", fallback(0, 10), { "bea" } };
	{ "by a nickname in a body that is only there for others", "Bea", "<fallback xmlns='urn:xmpp:fallback:0' for='urn:example:spec'/>", {} };

	{ "each by a nickname", "Bea, Éva, Jörg Ö and Lou, come!", nil, { "bea", "eva", "joerg", "lou" } };
	{ "each by a URI", "hello", reference "uri='xmpp:bea@users.localhost'"
		.. reference "uri='xmpp:tavern@conference.localhost/Lou'", { "bea", "lou" } };
	{ "each in another way", "hello éva", reference "uri='xmpp:bea@users.localhost'" .. reply_to(room .. "/Lou"), { "bea", "eva", "lou" } };
	{ "one beside those who are no members", "nobody, Nick and Bea", reference "uri='xmpp:nobody@users.localhost'"
		.. reference "uri='xmpp:tavern@conference.localhost/nobody'", { "bea" } };
	{ "one beside what makes no sense", "Bea", reference "uri=''" .. reference "uri='xmpp:'" .. reference "uri='mailto:bea'"
		.. reference "begin='-1' end='99999999999999999999'" .. reference "begin='x' end='y'", { "bea" } };
	{ "once though mentioned twice", "Bea, Bea", reference "uri='xmpp:bea@users.localhost'", { "bea" } };
	{ "in a message that is encrypted", nil, "<openpgp xmlns='urn:xmpp:openpgp:0'>AA==</openpgp>"
		.. reference "uri='xmpp:bea@users.localhost'", { "bea" } };
	{ "in a correction", "Bea", "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>", {} };
};

versions.describe("mentions", function (version)
	local server, olga, app;

	local function user(name)
		return server:user(name .. "@users.localhost/phone");
	end

	local function enable(who, to)
		local reply = who:enable { jid = app.jid, node = who.bare_jid:match("^[^@]+"), to = to };
		assert.equal("result", reply.attr.type, tostring(reply));
	end

	-- The nodes that a message is pushed to.
	local function pushed(room_jid, body, children)
		olga:say(room_jid, body, children);
		return app:take_nodes();
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "on-mention" };
			mucs = { ["rooms.localhost"] = { modules_enabled = { "muc_cloud_notify" } } };
		};
		olga, app = user("olga"), server:app_server("push.localhost");
		olga:create_room(room, "Olga");
		user("nick"):join(room, "Nick");
		for name, nick in pairs { bea = "Bea", joerg = "Jörg Ö", eva = "Éva", lou = false } do
			enable(user(name));
			olga:affiliate(room, name .. "@users.localhost", "member", nick or nil);
		end
		pushed(room, "hello"); -- from now on the room is watched
		user("lou"):join(room, "Lou");
		user("lou"):leave(room, "Lou");
	end);

	for _, case in ipairs(cases) do
		it((#case[4] == 0 and "lead to no push: " or "lead to a push: ") .. case[1], function ()
			assert.same(case[4], pushed(room, case[2], case[3]));
		end);
	end

	it("lead to a push as Converse.js sends them", function ()
		olga:send(string.format("<message from='%s' to='%s' type='groupchat' id='1e08'><body>Hello Jörg Ö, can you look at this? Thanks Jörg Ö!</body>"
			.."<active xmlns='http://jabber.org/protocol/chatstates'/>"
			.."<reference begin='6' end='12' type='mention' uri='xmpp:tavern@conference.localhost/J%%C3%%B6rg%%20%%C3%%96' xmlns='urn:xmpp:reference:0'/>"
			.."<reference begin='43' end='49' type='mention' uri='xmpp:tavern@conference.localhost/J%%C3%%B6rg%%20%%C3%%96' xmlns='urn:xmpp:reference:0'/>"
			.."<origin-id id='1e08' xmlns='urn:xmpp:sid:0'/></message>", olga.jid, room));
		assert.equal("joerg", app:expect_push().node);
		app:expect_no_push();
	end);

	it("lead to a push by the registered nickname and by the one used last", function ()
		enable(user("rita"));
		olga:affiliate(room, "rita@users.localhost", "member", "Rita");
		local rita = user("rita");
		assert.same({}, pushed(room, "Margarita!"));
		rita:join(room, "Margarita");
		assert.same({}, pushed(room, "Margarita!"));
		rita:leave(room);
		assert.same({ "rita" }, pushed(room, "Margarita!"));
		assert.same({ "rita" }, pushed(room, "Rita!"));
		rita:join(room, "Marge");
		rita:leave(room);
		assert.same({}, pushed(room, "Margarita!"));
		assert.same({ "rita" }, pushed(room, "Marge!"));
		assert.same({ "rita" }, pushed(room, "Rita!"));
		olga:affiliate(room, "rita@users.localhost", "member", "Renata");
		assert.same({ "rita" }, pushed(room, "Renata!"));
		assert.same({}, pushed(room, "Rita!"));
	end);

	it("lead to no push for the former owner of a nickname that has passed to another occupant", function ()
		local mia, other = user("mia"), user("other");
		enable(mia);
		enable(other);
		olga:affiliate(room, mia.bare_jid, "member");
		mia:join(room, "Mia");
		mia:leave(room);
		assert.same({ "mia" }, pushed(room, "Mia!"));
		other:join(room, "Mia");
		assert.same({}, pushed(room, "Mia!"));
		assert.same({}, pushed(room, "hello", reference "uri='xmpp:tavern@conference.localhost/Mia'"));
		assert.same({ "mia" }, pushed(room, "hello", reference "uri='xmpp:mia@users.localhost'"));
		other:leave(room);
		assert.same({}, pushed(room, "Mia!"));
		mia:join(room, "Mia");
		mia:leave(room);
		assert.same({ "mia" }, pushed(room, "Mia!"));
	end);

	it("lead to no push for occupants, also under another nickname", function ()
		local bea = user("bea");
		bea:join(room, "Queen");
		assert.same({ "eva" }, pushed(room, "Bea, Queen, Éva", reference "uri='xmpp:bea@users.localhost'"));
		bea:leave(room);
		assert.same({ "bea", "eva" }, pushed(room, "Bea, Éva"));
	end);

	it("are those of a message as other modules have left it", function ()
		server:admin([[
			module:hook("muc-broadcast-message", function (event)
				local body = event.stanza:get_child("body");
				if body and body:get_text() == "stop Bea" then return true; end
				if body and body:get_text() == "change" then body[1] = "Bea"; end
				if body and body:get_text() == "change Bea" then body[1] = "Éva"; end
			end);
		]]);
		assert.same({}, pushed(room, "stop Bea"));
		assert.same({ "bea" }, pushed(room, "change"));
		assert.same({ "eva" }, pushed(room, "change Bea"));
		assert.same({ "bea" }, pushed(room, "Bea"));
	end);

	it("are all that leads to a push in a public room, unless the operator says otherwise", function ()
		enable(user("dana"));
		enable(user("dana"), "rooms.localhost");
		local function new_room(room_jid, is_members_only, is_public)
			olga:create_room(room_jid, "Olga", { ["muc#roomconfig_membersonly"] = is_members_only });
			-- By itself: not every version lets a user from another server make a room public.
			server:admin("local room_jid, is_public = ...; room(room_jid):set_public(is_public)", room_jid, is_public);
			olga:affiliate(room_jid, "dana@users.localhost", "member");
			return room_jid;
		end
		local public = new_room("public@conference.localhost", false, true);
		local members_only = new_room("members@conference.localhost", true, true);
		local hidden = new_room("hidden@conference.localhost", false, false);
		local public_by_default = new_room("public@rooms.localhost", false, true);
		local hidden_by_default = new_room("hidden@rooms.localhost", false, false);
		local function count(room_jid)
			return #pushed(room_jid, "hello") + #pushed(room_jid, "hello", reference "uri='xmpp:dana@users.localhost'");
		end
		for level, expected in pairs { always = { 2, 2, 2 }, auto = { 1, 2, 2 }, ["on-mention"] = { 1, 1, 1 }, never = { 0, 0, 0 } } do
			server:reconfigure { muc_push_default = level };
			server:reload_config();
			server:reload_module("muc_cloud_notify");
			assert.same(expected, { count(public), count(members_only), count(hidden) }, level);
		end
		assert.same({ 1, 2 }, { count(public_by_default), count(hidden_by_default) });
	end);
end);
