-- Enabling and disabling pushes at the service (XEP-0357, sections 5 and 6).

local st = require "util.stanza";

local prosody = require "harness.prosody";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";
local stream = require "harness.stream";

local service = "conference.localhost";
local guarded_service = "guarded.localhost";
local xmlns_disco_info = "http://jabber.org/protocol/disco#info";
local publish_options = "http://jabber.org/protocol/pubsub#publish-options";

versions.describe("registration", function (version)
	local server, muc, bob, app, other_app;

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "users.elsewhere.example", "push.localhost", "push.elsewhere.example" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
			mucs = {
				[guarded_service] = {
					modules_enabled = { "muc_cloud_notify" };
					muc_push_app_servers = { "push.localhost", "pusher@push.elsewhere.example" };
					muc_push_default = "always";
					muc_room_default_persistent = true;
					push_max_devices = 2;
				};
				["listed.localhost"] = {
					modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always", muc_push_interval = 0;
				};
			};
		};
		muc = muc_service.new(server);
		bob, app = muc.bob, muc.app;
		other_app = server:app_server("push.elsewhere.example");
	end);

	local function new_member(options)
		return muc:new_member(options);
	end

	local function pushed(room, app_server)
		other_app:clear();
		return muc:pushed(room, app_server);
	end

	-- Sends a request as XML, as it is, and returns the reply.
	local function request(user, payload, to)
		local id = stream.new_id();
		user:send(string.format("<iq type='set' id='%s' from='%s' to='%s'>%s</iq>", id, user.jid, to or service, payload));
		return user:expect { name = "iq", id = id };
	end

	local function assert_result(reply)
		assert.equal("result", reply.attr.type, tostring(reply));
		assert.equal(0, #reply.tags);
		return reply;
	end

	local function features(jid)
		local reply = bob:iq(st.stanza("iq", { type = "get", to = jid }):tag("query", { xmlns = xmlns_disco_info }));
		local counts = {};
		for feature in reply:get_child("query", xmlns_disco_info):childtags("feature") do
			counts[feature.attr.var] = (counts[feature.attr.var] or 0) + 1;
		end
		return counts;
	end

	it("is announced once by the service, and not by its rooms", function ()
		local _, room = new_member();
		assert.equal(1, features(service)["urn:xmpp:push:0"]);
		assert.equal(1, features(room)["http://jabber.org/protocol/muc"]);
		assert.is_nil(features(room)["urn:xmpp:push:0"]);
	end);

	it("is for users of any server", function ()
		for _, host in ipairs { "users.localhost", "users.elsewhere.example" } do
			local user, room = new_member { host = host };
			assert.same({}, pushed(room));
			assert_result(user:enable { jid = app.jid, node = "n1" });
			assert.same({ "n1" }, pushed(room));
			assert_result(user:disable { jid = app.jid, node = "n1" });
			assert.same({}, pushed(room));
		end
	end);

	it("is for the accounts of this very server, by their bare JID", function ()
		local _, room = new_member();
		bob:affiliate(room, "carol@localhost", "member");
		server:admin("assert(require 'core.usermanager'.create_user('carol', 'harness', 'localhost'))");
		local function from_session(name, resource)
			return server:admin([[
				local name, resource, service, app_server = ...;
				local answer;
				local session = {
					type = "c2s", username = "carol", host = "localhost", resource = resource, full_jid = "carol@localhost/"..resource;
					log = module._log, send = function (stanza) answer = stanza; return true; end;
				};
				prosody.core_process_stanza(session, st.iq({ type = "set", id = "local", to = service })
					:tag(name, { xmlns = "urn:xmpp:push:0", jid = app_server, node = "local" }):reset());
				settle(2);
				return answer and answer.attr.type;
			]], name, resource, service, app.jid);
		end
		assert.equal("result", from_session("enable", "phone"));
		assert.same({ "local" }, pushed(room));
		assert.equal("result", from_session("disable", "desk"));
		assert.same({}, pushed(room));
	end);

	it("is kept where the operator does not allow the app server any more, which is not pushed to until they do", function ()
		local function allow(list)
			server:admin([[
				require "core.configmanager".set("listed.localhost", "muc_push_app_servers", ...);
				require "core.modulemanager".reload("listed.localhost", "muc_cloud_notify");
			]], list);
		end
		local listed = "listed.localhost";
		local user, room = new_member { service = listed };
		local other, _, other_jid = new_member { service = listed };
		bob:affiliate(room, other_jid, "member");
		assert_result(user:enable { jid = app.jid, node = "first", to = listed });
		assert_result(other:enable { jid = other_app.jid, node = "other", to = listed });
		assert.same({ "first" }, pushed(room));
		assert.equal(1, #other_app.pushes);
		allow { other_app.jid };
		local length = #server:log();
		for _ = 1, 2 do
			assert.same({}, pushed(room));
			assert.equal(1, #other_app.pushes);
		end
		local _, lines = server:log():sub(length):gsub("info\tpush%.localhost is not pushed to", "");
		assert.equal(1, lines);
		allow(nil);
		assert.same({ "first" }, pushed(room));
		assert.equal("4", app.pushes[#app.pushes].count); -- with what was said meanwhile
	end);

	it("is possible before anything else, and while in the room", function ()
		local nobody = server:user("nobody@users.elsewhere.example/web");
		assert_result(nobody:enable { jid = app.jid, node = "early" });
		local user, room = new_member();
		assert.same({}, pushed(room));
		bob:affiliate(room, "nobody@users.elsewhere.example", "member");
		assert.same({ "early" }, pushed(room));
		bob:affiliate(room, "nobody@users.elsewhere.example", "none");
		assert.same({}, pushed(room));

		user:join(room, "member");
		assert_result(user:enable { jid = app.jid, node = "late" });
		assert.same({}, pushed(room));
		user:leave(room);
		assert.same({ "late" }, pushed(room));
	end);

	it("may come twice at once", function ()
		local user, room = new_member();
		local ids = { stream.new_id(), stream.new_id(), stream.new_id() };
		local xml = {};
		for i, node in ipairs { "same", "same", "another" } do
			xml[i] = string.format("<iq type='set' id='%s' from='%s' to='%s'><enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'/></iq>",
				ids[i], user.jid, service, app.jid, node);
		end
		user:send(table.concat(xml));
		for _, id in ipairs(ids) do
			assert_result(user:expect { name = "iq", id = id });
		end
		assert.same({ "another", "same" }, pushed(room));
	end);

	it("belongs to the bare JID, whatever the resource", function ()
		local phone, room, bare_jid = new_member();
		local desk, outsider = server:user(bare_jid .. "/desk"), server:user("outsider@users.localhost/phone");
		assert_result(phone:enable { jid = app.jid, node = "n1" });
		assert_result(outsider:disable { jid = app.jid, node = "n1" });
		assert.same({ "n1" }, pushed(room));
		assert_result(desk:enable { jid = app.jid, node = "n1" });
		assert.same({ "n1" }, pushed(room));
		assert_result(desk:disable { jid = app.jid, node = "n1" });
		assert.same({}, pushed(room));
	end);

	it("understands Converse's stanzas", function ()
		local user, room = new_member();
		assert_result(request(user, [[<enable jid="push.localhost" node="node-1" xmlns="urn:xmpp:push:0"><x type="submit" xmlns="jabber:x:data">]]
			.. [[<field var="FORM_TYPE"><value>http://jabber.org/protocol/pubsub#publish-options</value></field>]]
			.. [[<field var="secret"><value>eruio234vzxc2kla-91</value></field></x></enable>]]));
		local nodes, pushes = pushed(room);
		assert.same({ "node-1" }, nodes);
		assert.same({ "FORM_TYPE=" .. publish_options, "secret=eruio234vzxc2kla-91" }, muc_service.options(pushes["node-1"]));

		assert_result(request(user,
			"<enable jid=\"push.localhost\" node=\"n&amp;1\" xmlns=\"urn:xmpp:push:0\">\n                \n            </enable>"));
		nodes, pushes = pushed(room);
		assert.same({ "n&1", "node-1" }, nodes);
		assert.is_nil(pushes["n&1"].options);
		assert.truthy(pushes["node-1"].options);
		assert_result(request(user,
			"<disable jid=\"push.localhost\" node=\"node-1\" xmlns=\"urn:xmpp:push:0\">\n            </disable>"));
		assert.same({ "n&1" }, pushed(room));
		assert_result(request(user, "<disable jid=\"push.localhost\" xmlns=\"urn:xmpp:push:0\">\n            </disable>"));
		assert.same({}, pushed(room));
	end);

	it("finds FORM_TYPE by its name, and gives the form back as it came", function ()
		local user, room = new_member();
		local fields = "\n <field var='secret'><value>one</value><value>two &lt;</value></field>\n <field var='empty'/>\n"
			.. " <field var='FORM_TYPE'>\n  <value>" .. publish_options .. "</value>\n </field>\n";
		assert_result(request(user, "<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='n1'>\n <x xmlns='jabber:x:data' type='submit'>"
			.. fields .. "</x>\n</enable>"));
		local _, pushes = pushed(room);
		local form = pushes.n1.options:get_child("x", "jabber:x:data");
		assert.equal("submit", form.attr.type);
		local seen = {};
		for _, field in ipairs(form.tags) do
			table.insert(seen, field.attr.var);
			for _, value in ipairs(field.tags) do
				table.insert(seen, value:get_text());
			end
		end
		assert.same({ "secret", "one", "two <", "empty", "FORM_TYPE", publish_options }, seen);
	end);

	it("works without a node", function ()
		local user, room = new_member();
		assert_result(user:enable { jid = app.jid });
		assert.same({ "-" }, pushed(room));
		assert_result(user:disable { jid = app.jid, node = "other" });
		assert.same({ "-" }, pushed(room));
		assert_result(user:disable { jid = app.jid });
		assert.same({}, pushed(room));
	end);

	it("is replaced by a later one of the same app server and node", function ()
		local user, room = new_member();
		for _, secret in ipairs { "old", "new" } do
			assert_result(user:enable { jid = app.jid, node = "n1", form = { { "secret", secret } } });
			local nodes, pushes = pushed(room);
			assert.same({ "n1" }, nodes);
			assert.same({ "FORM_TYPE=" .. publish_options, "secret=" .. secret }, muc_service.options(pushes.n1));
		end
		assert_result(user:enable { jid = app.jid, node = "n1" });
		local nodes, pushes = pushed(room);
		assert.same({ "n1" }, nodes);
		assert.is_nil(pushes.n1.options);
	end);

	it("ends with its node, or with all nodes of the app server, and not with those of another", function ()
		local user, room = new_member();
		for _, app_server in ipairs { app, other_app } do
			for _, node in ipairs { "n1", "n2" } do
				assert_result(user:enable { jid = app_server.jid, node = node });
			end
		end
		assert_result(user:disable { jid = app.jid, node = "n1" });
		assert.same({ "n2" }, pushed(room));
		assert.same({ "n1", "n2" }, pushed(room, other_app));
		assert_result(user:disable { jid = other_app.jid });
		assert.same({ "n2" }, pushed(room));
		assert.same({}, pushed(room, other_app));
	end);

	it("may end without ever having begun", function ()
		local user, room = new_member();
		assert_result(user:disable { jid = app.jid, node = "n1" });
		assert_result(user:disable { jid = app.jid });
		assert_result(user:enable { jid = app.jid, node = "n1" });
		assert_result(user:disable { jid = "unknown.example" });
		assert_result(user:disable { jid = app.jid, node = "unknown" });
		assert.same({ "n1" }, pushed(room));
	end);

	it("removes the oldest device when there are too many", function ()
		local user, room = new_member();
		for i = 1, 5 do
			assert_result(user:enable { jid = app.jid, node = "n" .. i });
		end
		assert.same({ "n1", "n2", "n3", "n4", "n5" }, pushed(room));
		assert_result(user:enable { jid = app.jid, node = "n1" }); -- not the oldest any more
		assert.same({ "n1", "n2", "n3", "n4", "n5" }, pushed(room));
		assert_result(user:enable { jid = app.jid, node = "n6" });
		assert.same({ "n1", "n3", "n4", "n5", "n6" }, pushed(room));
	end);

	it("counts devices of all app servers against push_max_devices", function ()
		local user, room = new_member { service = guarded_service };
		for _, node in ipairs { "n1", "n2" } do
			assert_result(user:enable { to = guarded_service, jid = app.jid, node = node });
		end
		assert.same({ "n1", "n2" }, pushed(room));
		assert_result(user:enable { to = guarded_service, jid = "pusher@push.elsewhere.example", node = "n3" });
		assert.same({ "n2" }, pushed(room));
		assert.same({ "n3" }, pushed(room, other_app));
	end);

	it("is not for requests of type get, nor for rooms", function ()
		local user, room = new_member();
		local enable = st.stanza("iq", { type = "get", to = service }):tag("enable", { xmlns = "urn:xmpp:push:0", jid = app.jid, node = "n1" });
		assert.same({ "cancel", "service-unavailable" }, { user:iq(enable:reset()):get_error() });
		assert.equal("error", user:enable({ to = room, jid = app.jid, node = "n1" }).attr.type);
		assert.same({}, pushed(room));
	end);

	local function form(attr, fields)
		return "<x xmlns='jabber:x:data' " .. attr .. ">" .. fields .. "</x>";
	end

	local form_type = "<field var='FORM_TYPE'><value>" .. publish_options .. "</value></field>";

	local function nested(levels)
		return form("type='submit'", form_type .. ("<a>"):rep(levels) .. ("</a>"):rep(levels));
	end

	-- What is wrong; attributes, children; the error, and what its text speaks of.
	local refused = {
		{ "no app server", "node='n2'", "", "modify", "bad-request", "'jid'" };
		{ "an empty app server", "jid=''", "", "modify", "jid-malformed", "'jid'" };
		{ "an app server that is no JID", "jid='@push.localhost'", "", "modify", "jid-malformed", "'jid'" };
		{ "the service as app server", "jid='" .. service .. "'", "", "cancel", "not-allowed", "app server" };
		{ "a room as app server", "jid='room-1@" .. service .. "'", "", "cancel", "not-allowed", "app server" };
		{ "an occupant as app server", "jid='room-1@" .. service .. "/bob'", "", "cancel", "not-allowed", "app server" };
		{ "a form to fill in", "jid='push.localhost'", form("type='form'", form_type), "modify", "bad-request", "submit" };
		{ "a form without a type", "jid='push.localhost'", form("", form_type), "modify", "bad-request", "submit" };
		{ "a form without FORM_TYPE", "jid='push.localhost'", form("type='submit'", "<field var='secret'><value>s</value></field>"),
			"modify", "bad-request", "FORM_TYPE" };
		{ "another form", "jid='push.localhost'", form("type='submit'", "<field var='FORM_TYPE'><value>urn:example:form</value></field>"),
			"modify", "bad-request", "FORM_TYPE" };
		{ "a long node", "jid='push.localhost' node='" .. ("n"):rep(1025) .. "'", "", "modify", "policy-violation", "1024 bytes" };
		{ "a large form", "jid='push.localhost'",
			form("type='submit'", form_type .. "<field var='s'><value>" .. ("s"):rep(8192) .. "</value></field>"),
			"modify", "policy-violation", "8192 bytes" };
		{ "a deep form", "jid='push.localhost'", nested(9), "modify", "policy-violation", "8 levels" };
	};

	for _, case in ipairs(refused) do
		it("refuses " .. case[1] .. ", and changes nothing", function ()
			local user, room = new_member();
			assert_result(user:enable { jid = app.jid, node = "n1", form = { { "secret", "s" } } });
			local reply = request(user, string.format("<enable xmlns='urn:xmpp:push:0' %s>%s</enable>", case[2], case[3]));
			local error_type, condition, text = reply:get_error();
			assert.same({ service, case[4], case[5] }, { reply.attr.from, error_type, condition });
			assert.truthy(text and text:find(case[6], 1, true), tostring(reply));
			local nodes, pushes = pushed(room);
			assert.same({ "n1" }, nodes);
			assert.truthy(pushes.n1.options);
		end);
	end

	it("accepts what just fits", function ()
		local user, room = new_member();
		local node = ("n"):rep(1024);
		assert_result(request(user, string.format("<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='%s'>%s</enable>", node, nested(8))));
		assert_result(request(user, "<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='large'>"
			.. form("type='submit'", form_type .. "<field var='s'><value>" .. ("s"):rep(7900) .. "</value></field>") .. "</enable>"));
		assert.same({ "large", node }, pushed(room));
	end);

	it("refuses the user as app server", function ()
		local user, _, bare_jid = new_member();
		for _, jid in ipairs { bare_jid, bare_jid .. "/phone" } do
			local error_type, condition, text = user:enable({ jid = jid, node = "n1" }):get_error();
			assert.same({ "cancel", "not-allowed" }, { error_type, condition });
			assert.truthy(text:find("yourself", 1, true), text);
		end
		local reply = request(user, string.format("<enable xmlns='urn:xmpp:push:0' jid='other-%s'/>", bare_jid));
		assert_result(reply);
	end);

	it("refuses what is wrong with <disable/>, and changes nothing", function ()
		local user, room = new_member();
		assert_result(user:enable { jid = app.jid, node = "n1" });
		for attr, condition in pairs { [""] = "bad-request", ["jid='@'"] = "jid-malformed",
			["jid='push.localhost' node='" .. ("n"):rep(1025) .. "'"] = "policy-violation" } do
			local reply = request(user, string.format("<disable xmlns='urn:xmpp:push:0' %s/>", attr));
			local error_type, actual, text = reply:get_error();
			assert.same({ "modify", condition }, { error_type, actual });
			assert.truthy(text and text ~= "");
		end
		assert.same({ "n1" }, pushed(room));
	end);

	it("refuses app servers that the operator does not allow", function ()
		local user, room = new_member { service = guarded_service };
		local function enable(jid)
			return user:enable { to = guarded_service, jid = jid, node = "n1" };
		end
		assert_result(enable("PUSH.localhost"));
		for _, jid in ipairs { "push.elsewhere.example", "other@push.elsewhere.example", "sub.push.localhost" } do
			local reply = enable(jid);
			local error_type, condition, text = reply:get_error();
			assert.same({ guarded_service, "auth", "forbidden" }, { reply.attr.from, error_type, condition });
			assert.truthy(text:find("not allowed", 1, true), text);
		end
		assert.same({ "n1" }, pushed(room));
		assert.same({}, pushed(room, other_app));
		assert_result(enable("pusher@push.elsewhere.example/any"));
		assert.same({ "n1" }, pushed(room, other_app));
	end);

	it("has logged no error, and nobody's node or secret", function ()
		assert.log_is_clean(server);
		assert.logs_no_secret(server, { "eruio234vzxc2kla%-91", "node%-1" });
	end);
end);
