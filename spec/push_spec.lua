-- Which members get a push, for what, and what it says.

local st = require "util.stanza";
local xml = require "util.xml";

local prosody = require "harness.prosody";

local message_kinds = require "spec.support.message_kinds";
local versions = require "spec.support.versions";

local service = "conference.localhost";
local plain_service = "rooms.localhost"; -- where no option is set
local form_type_options = "http://jabber.org/protocol/pubsub#publish-options";

-- XML to compare: attributes in the order of their names, without what every stanza on a stream has.
local function canonical(element, parent_ns)
	local names, parts = {}, {};
	local own_ns = element.attr.xmlns or parent_ns;
	for name in pairs(element.attr) do
		if name ~= "xml:lang" and (name ~= "xmlns" or own_ns ~= parent_ns) then
			table.insert(names, name);
		end
	end
	table.sort(names);
	for _, name in ipairs(names) do
		table.insert(parts, string.format(" %s='%s'", name, st.xml_escape(element.attr[name])));
	end
	local content = {};
	for _, child in ipairs(element) do
		table.insert(content, type(child) == "string" and st.xml_escape(child) or canonical(child, own_ns));
	end
	return string.format("<%s%s>%s</%s>", element.name, table.concat(parts), table.concat(content), element.name);
end

local function publish_xml(push, fields, options)
	local form = {};
	for i = 1, #fields, 2 do
		table.insert(form, string.format("<field var='%s'><value>%s</value></field>", fields[i], fields[i + 1]));
	end
	return string.format("<iq from='%s' id='%s' to='push.localhost' type='set'>"
		.."<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='%s'><item><notification xmlns='urn:xmpp:push:0'>"
		.."<x type='submit' xmlns='jabber:x:data'><field type='hidden' var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>"
		.."%s</x></notification></item></publish>%s</pubsub></iq>",
		push.from, push.id, push.node, table.concat(form), options or "");
end

versions.describe("pushes", function (version)
	local server, olga, app, second_app;

	local function user(address, domain)
		return server:user(string.format("%s@%s/phone", address, domain or "users.localhost"));
	end

	local function enable(who, options)
		options = options or {};
		options.jid = options.jid or app.jid;
		options.node = options.node or who.bare_jid:match("^[^@]+");
		local reply = who:enable(options);
		assert.equal("result", reply.attr.type, tostring(reply));
	end

	-- The nodes that were pushed to, until the server has nothing left to do.
	local function pushed()
		return app:take_nodes();
	end

	local function only_push()
		app.component:sync();
		assert.equal(1, #app.pushes);
		return table.remove(app.pushes);
	end

	local function new_room(name, config, host)
		local room = name .. "@" .. (host or service);
		olga:create_room(room, "Olga", config);
		return room;
	end

	-- A room of Olga's, with an absent member who has registered.
	local function room_with(name, member, config, host)
		local room = new_room(name, config, host);
		enable(member, { to = host });
		olga:affiliate(room, member.bare_jid, "member");
		return room;
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "remote.example", "push.localhost", "push.example" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
			mucs = { [plain_service] = { modules_enabled = { "muc_cloud_notify" } } };
		};
		olga = user("olga");
		app, second_app = server:app_server("push.localhost"), server:app_server("push.example");
	end);

	it("go to every owner, admin and member who is away, and to nobody else", function ()
		local room = new_room("who");
		for name, affiliation in pairs { otto = "owner", adam = "admin", mary = "member", outis = "outcast",
			paul = "member", pia = "member", uma = "member" } do
			olga:affiliate(room, name .. "@users.localhost", affiliation, name == "pia" and "Pia" or nil);
		end
		for _, name in ipairs { "olga", "otto", "adam", "mary", "outis", "nina", "paul", "pia" } do
			enable(user(name));
		end
		user("paul"):join(room, "paul");
		user("pia"):join(room, "somebody else");
		user("nina"):join(room, "nina");
		olga:say(room, "hello");
		assert.same({ "adam", "mary", "otto" }, pushed());
		user("nina"):say(room, "hello");
		assert.same({ "adam", "mary", "otto" }, pushed());
	end);

	it("never go to the sender of the message, whatever devices they have", function ()
		local room = new_room("sender");
		enable(olga);
		enable(olga, { node = "olga-tablet" });
		local mary = user("mary-s");
		enable(mary);
		olga:affiliate(room, mary.bare_jid, "member");
		olga:say(room, "hello");
		assert.same({ "mary-s" }, pushed());
		mary:join(room, "Mary");
		olga:leave(room);
		mary:say(room, "hello");
		assert.same({ "olga", "olga-tablet" }, pushed());
	end);

	it("begin when the last session leaves, and end when one enters", function ()
		local phone, desk = server:user("pete@users.localhost/phone"), server:user("pete@users.localhost/desk");
		local room = room_with("sessions", phone);
		olga:say(room, "before");
		assert.same({ "pete" }, pushed());
		phone:join(room, "Pete");
		desk:join(room, "Pete");
		olga:say(room, "both are there");
		assert.same({}, pushed());
		phone:leave(room);
		olga:say(room, "one is there");
		assert.same({}, pushed());
		desk:leave(room);
		olga:say(room, "none is there");
		assert.same({ "pete" }, pushed());
	end);

	it("begin when a member is kicked", function ()
		local kate = user("kate");
		local room = room_with("kicked", kate);
		kate:join(room, "Kate");
		olga:say(room, "hello");
		assert.same({}, pushed());
		olga:iq(st.stanza("iq", { type = "set", to = room }):tag("query", { xmlns = "http://jabber.org/protocol/muc#admin" })
			:tag("item", { nick = "Kate", role = "none" }):reset());
		olga:say(room, "good riddance");
		assert.same({ "kate" }, pushed());
	end);

	it("begin when a member's server says that they are gone, or cannot be reached", function ()
		local dora = user("dora");
		local room = room_with("disconnected", dora);
		for _, farewell in ipairs {
			"<presence from='%s' to='%s/Dora' type='unavailable'><status>Disconnected: Hibernating too long</status></presence>";
			"<presence from='%s' to='%s' type='unavailable'/>";
			"<message from='%s' to='%s/Olga' type='error' id='x'><error type='cancel'>"
				.."<recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
		} do
			dora:join(room, "Dora");
			olga:say(room, "hello");
			assert.same({}, pushed());
			dora:send(farewell:format(dora.jid, room));
			dora.component:sync();
			olga:say(room, "are you there?");
			assert.same({ "dora" }, pushed(), farewell);
		end
	end);

	it("go by the bare JID, not by the nickname", function ()
		local mary, nina = user("mary-n"), user("nina");
		local room = room_with("nick", mary);
		enable(nina);
		mary:join(room, "Mary");
		mary:leave(room);
		nina:join(room, "Mary"); -- she is no member
		olga:say(room, "hello");
		assert.same({ "mary-n" }, pushed());
		nina:leave(room);
		olga:say(room, "hello");
		assert.same({ "mary-n" }, pushed());
	end);

	it("are one per message and device for somebody from another server", function ()
		local bob = user("bob", "remote.example");
		local room = room_with("remote", bob);
		enable(bob, { node = "bob-desk" });
		for count = 1, 3 do
			olga:say(room, "hello");
			app.component:sync();
			assert.same({ tostring(count), tostring(count) }, {
				app.pushes[1].count, app.pushes[2].count });
			assert.same({ "bob", "bob-desk" }, pushed());
		end
		bob:join(room, "Bob");
		olga:say(room, "hello");
		assert.same({}, pushed());
	end);

	it("go to each app server that a member has", function ()
		local tina = user("tina");
		local room = room_with("two", tina);
		enable(tina, { jid = second_app.jid });
		olga:say(room, "hello");
		assert.same({ "tina" }, pushed());
		assert.equal("tina", second_app:expect_push().node);
		second_app:expect_no_push();
		tina:disable { jid = second_app.jid };
		olga:say(room, "hello");
		assert.same({ "tina" }, pushed());
		second_app:expect_no_push();
	end);

	it("end with the affiliation, also those that are still due", function ()
		for _, affiliation in ipairs { "member", "none", "outcast" } do
			local lena = user("lena-" .. affiliation);
			local room = room_with("lost-" .. affiliation, lena);
			app.answer = "silence";
			olga:say(room, "one");
			local first = app:expect_push();
			olga:say(room, "two");
			assert.same({}, pushed());
			olga:affiliate(room, lena.bare_jid, affiliation);
			app.answer = "result";
			app:reply(first, "result");
			assert.same(affiliation == "member" and { "lena-member" } or {}, pushed());
			olga:say(room, "three");
			assert.same(affiliation == "member" and { "lena-member" } or {}, pushed());
		end
	end);

	it("come after the message has gone to everybody who is there", function ()
		local there, away, room = user("there"), user("away"), new_room("order");
		local pusher = "pusher@users.localhost"; -- on the same connection as the user who is there
		enable(away, { jid = pusher });
		olga:affiliate(room, away.bare_jid, "member");
		there:join(room, "There");
		there.component:sync();
		there.component:clear();
		olga:say(room, "hello");
		there.component:sync();
		local order = {};
		for _, stanza in ipairs(there.component.queue) do
			table.insert(order, stanza.name .. " to " .. stanza.attr.to:match("^[^@]+"));
		end
		assert.equal("iq to pusher", table.remove(order));
		table.sort(order);
		assert.same({ "message to olga", "message to there" }, order);
		there:send(st.reply(there.component:expect { name = "iq", to = pusher }));
	end);

	it("keep no message back when the app server is not there", function ()
		local lone, there = user("lone"), user("there-too");
		local room = room_with("unreachable", lone);
		enable(lone, { jid = "nowhere.invalid", node = "lone-nowhere" });
		there:join(room, "There");
		olga:say(room, "hello");
		there:expect { name = "message", body = "hello" };
		assert.same({ "lone" }, pushed());
	end);

	for _, kind in ipairs(message_kinds.of_room("messages@" .. service)) do
		it((kind.is_pushed and "are sent: " or "are not sent: ") .. kind.name, function ()
			local clara, room = user("clara"), "messages@" .. service;
			if not olga.nicks[room] then
				room_with("messages", clara);
			end
			olga:say(room, nil, kind.children);
			assert.same(kind.is_pushed and { "clara" } or {}, pushed());
			olga:say(room, "and another one");
			assert.same({ "clara" }, pushed());
		end);
	end

	it("are not sent for private messages, nor for what a room says to one alone", function ()
		local clara, paul = user("clara-p"), user("paul-p");
		local room = room_with("private", clara);
		paul:join(room, "Paul");
		olga:send(st.message({ type = "chat", to = room .. "/Paul" }):text_tag("body", "psst, Clara"));
		paul:expect { name = "message", type = "chat" };
		assert.same({}, pushed());
		olga:say(room, "hello");
		assert.same({ "clara-p" }, pushed());
	end);

	it("say what the options allow", function ()
		local wanda = user("wanda");
		local plain = room_with("plain", wanda, { ["muc#roomconfig_membersonly"] = true }, plain_service);
		olga:say(plain, "a & b");
		local push = only_push();
		assert.equal(publish_xml(push, { "message-count", "1", "last-message-body", "New Message!" }), canonical(push.stanza));
		assert.equal(plain_service, push.from);

		local room = room_with("xml", wanda);
		local sender = room .. "/Olga";
		local count, encrypted = 0, "<openpgp xmlns='urn:xmpp:openpgp:0'>AA==</openpgp>";
		for _, case in ipairs {
			{ false, false, "New Message!", "a & b", { "last-message-body", "New Message!" } };
			{ true, false, "New Message!", "a & b", { "last-message-body", "a &amp; b" } };
			{ false, true, "Neu & wichtig", "a & b", { "last-message-sender", sender, "last-message-body", "Neu &amp; wichtig" } };
			{ true, true, "New Message!", "a & b", { "last-message-sender", sender, "last-message-body", "a &amp; b" } };
			{ false, false, "", "a & b", {} };
			{ true, true, "", "a & b", { "last-message-sender", sender, "last-message-body", "a &amp; b" } };
			{ true, false, "New Message!", nil, { "last-message-body", "New Message!" } };
			{ true, true, "", nil, { "last-message-sender", sender } };
		} do
			server:reconfigure { push_notification_with_body = case[1], push_notification_with_sender = case[2], push_notification_important_body = case[3] };
			server:reload_config();
			server:reload_module("muc_cloud_notify");
			olga:say(room, case[4], not case[4] and encrypted or nil);
			push, count = only_push(), count + 1;
			assert.equal(publish_xml(push, { "message-count", tostring(count), table.unpack(case[5]) }), canonical(push.stanza));
		end
	end);

	it("carry the publish-options as they came", function ()
		local fay = user("fay");
		local form = "<x type='submit' xmlns='jabber:x:data'> <title>t</title>\n<field var='secret'><value>s &lt;&amp;&gt; ☃</value></field>"
			.."<field var='FORM_TYPE'><value>" .. form_type_options .. "</value></field>"
			.."<field type='text-multi' var='many'><value>b</value><value>a</value><value></value></field>"
			.."<extra a='1' xmlns='urn:example:spec'><deep></deep>text</extra></x>";
		local iq = st.stanza("iq", { type = "set", to = service }):tag("enable", { xmlns = "urn:xmpp:push:0", jid = app.jid, node = "fay" });
		assert.equal("result", fay:iq(iq:add_child(xml.parse(form)):reset()).attr.type);
		local room = new_room("options");
		olga:affiliate(room, fay.bare_jid, "member");
		olga:say(room, "hello");
		local push = only_push();
		assert.equal("<publish-options>" .. form .. "</publish-options>", canonical(push.options, "http://jabber.org/protocol/pubsub"));
	end);

	it("have ids that nobody can guess, and come from the service", function ()
		local room, seen = room_with("ids", user("ida")), {};
		for _ = 1, 20 do
			olga:say(room, "hello");
			local push = only_push();
			assert.equal(service, push.from);
			-- the device, and 128 bits that nobody can guess
			local secret = push.id:match("^%x+$") and #push.id == 48 and push.id:sub(17);
			assert.truthy(secret, push.id);
			assert.is_nil(seen[secret]);
			seen[secret] = true;
		end
	end);
end);
