-- The events for other modules.

local prosody = require "harness.prosody";

local requests = require "spec.support.requests";
local versions = require "spec.support.versions";

local room = "room@conference.localhost";
local xmlns_push = "urn:xmpp:push:0";

versions.describe("events for other modules", function (version)
	local server, olga, mary, app;

	local function meet()
		olga, mary = server:user("olga@users.localhost/phone"), server:user("mary@users.localhost/phone");
		app = server:app_server("push.localhost");
	end

	-- Hooks a handler, given as the text of its body, on the service; what it keeps is in `seen`.
	local function hook(event, body)
		server:admin([[
			local event, body = ...;
			module.spec = module.spec or { handlers = {}, seen = {} };
			local env = setmetatable({ seen = module.spec.seen, module = module, st = st }, { __index = _G });
			local handler = assert(load("local event = ...; " .. body, "=(handler)", "t", env));
			table.insert(module.spec.handlers, { event, handler });
			module:hook(event, handler);
		]], event, body);
	end

	local function unhook_all()
		server:admin([[
			for _, hooked in ipairs(module.spec and module.spec.handlers or {}) do module:unhook(hooked[1], hooked[2]); end
			module.spec = nil;
		]]);
	end

	-- What the handlers have kept.
	local function seen()
		app.component:sync();
		return server:admin("return module.spec.seen");
	end

	local function stored(user)
		return server:admin("return (require 'core.storagemanager'.open(module.host, 'muc_cloud_notify'):get(...))", user.bare_jid);
	end

	local function errors_since(length)
		return select(2, server:log(length):gsub("\terror\t", ""));
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
		};
		meet();
		olga:create_room(room, "Olga");
		olga:affiliate(room, mary.bare_jid, "member", "Mary");
		assert.equal("result", requests.enable(mary, "mary").attr.type);
	end);

	after_each(function ()
		unhook_all();
		app.component:sync();
		app:clear();
	end);

	it("show a registration to others before it is stored", function ()
		hook("cloud_notify/registration", [[
			seen.stanza = { event.stanza.name, event.stanza.attr.from, event.stanza:get_child("enable", "urn:xmpp:push:0").attr.node };
			seen.can_answer = type(event.origin.send);
			seen.push_info = { event.push_info.jid, event.push_info.node, type(event.push_info.timestamp) };
		]]);
		local nora = server:user("nora@users.localhost/phone");
		assert.equal("result", requests.enable(nora, "nora").attr.type);
		local push_info = { "push.localhost", "nora", "number" };
		assert.same({ stanza = { "iq", nora.jid, "nora" }, can_answer = "function", push_info = push_info }, seen());
		assert.equal("nora", stored(nora)["push.localhost<nora"].node);
	end);

	it("let others refuse a registration", function ()
		local vera = server:user("vera@users.localhost/phone");
		hook("cloud_notify/registration", [[
			event.origin.send(st.error_reply(event.stanza, "auth", "subscription-required", "Not for you"));
			return false;
		]]);
		assert.same({ "auth", "subscription-required", "Not for you" }, { requests.enable(vera, "vera"):get_error() });
		assert.is_nil(stored(vera));
		unhook_all();
		assert.equal("result", requests.enable(vera, "vera").attr.type);
		assert.truthy(stored(vera));
		vera:disable { jid = app.jid };
	end);

	it("refuse a registration when another module fails", function ()
		local vera = server:user("vera@users.localhost/phone");
		hook("cloud_notify/registration", "error('on purpose')");
		local log_length = #server:log();
		assert.same({ "wait", "internal-server-error" }, { table.unpack({ requests.enable(vera, "vera"):get_error() }, 1, 2) });
		assert.is_nil(stored(vera));
		assert.equal(1, errors_since(log_length));
	end);

	it("keep what others have added to a registration", function ()
		local kim = server:user("kim@users.localhost/phone");
		hook("cloud_notify/registration", "event.push_info.extra = { text = 'a', list = { 1, 2.5, true }, deeper = { [7] = { x = 'y' } } };");
		assert.equal("result", requests.enable(kim, "kim").attr.type);
		olga:affiliate(room, kim.bare_jid, "member");
		local extra = { text = "a", list = { 1, 2.5, true }, deeper = { [7] = { x = "y" } } };
		assert.same(extra, stored(kim)["push.localhost<kim"].extra);
		server:stop();
		server:start_again();
		meet();
		olga:join(room, "Olga");
		hook("cloud_notify/push", "seen[event.push_info.node] = event.push_info.extra or false;");
		olga:say(room, "hello");
		assert.same({ mary = false, kim = extra }, seen());
		kim = server:user("kim@users.localhost/phone");
		assert.equal("result", kim:disable { jid = app.jid }.attr.type);
	end);

	it("show a push with all that is known of it", function ()
		hook("cloud_notify/push", [[
			local original = event.original_stanza;
			seen.is_live = event.notification_payload
				== event.notification_stanza:get_child("pubsub", "http://jabber.org/protocol/pubsub").tags[1].tags[1].tags[1];
			seen.stanzas = { event.notification_payload.name, event.notification_stanza.name, event.notification_stanza.attr.to };
			seen.original = { original.name, original.attr.type, original.attr.from, original.attr.to, original:get_child_text("body"),
				st.is_stanza(original), original:get_child("x", "urn:example:spec").attr.a };
			seen.rest = { event.username, event.push_info.jid, event.push_info.node, event.important, event.reason == nil };
			seen.push_summary = event.push_summary;
		]]);
		olga:say(room, "hello", "<x xmlns='urn:example:spec' a='1'/>");
		assert.same({
			is_live = true;
			stanzas = { "notification", "iq", "push.localhost" };
			original = { "message", "groupchat", room .. "/Olga", mary.bare_jid, "hello", true, "1" };
			rest = { mary.bare_jid, "push.localhost", "mary", true, true };
			push_summary = { ["message-count"] = app:expect_push().count, ["last-message-body"] = "New Message!" };
		}, seen());
	end);

	it("show each push with a message of its own", function ()
		local kim = server:user("kim@users.localhost/phone");
		requests.enable(kim, "kim");
		olga:affiliate(room, kim.bare_jid, "member");
		hook("cloud_notify/push", [[
			seen[event.push_info.node] = { event.original_stanza.attr.to, event.original_stanza:get_child("touched") ~= nil };
			event.original_stanza:text_tag("touched");
			event.original_stanza.attr.to = nil;
		]]);
		local lin = server:user("lin@users.localhost/phone");
		lin:join(room, "Lin");
		olga:say(room, "hello");
		assert.same({ mary = { mary.bare_jid, false }, kim = { kim.bare_jid, false } }, seen());
		assert.is_nil(lin:expect { name = "message", body = "hello" }:get_child("touched"));
		lin:leave(room);
		kim:disable { jid = app.jid };
	end);

	it("show a message that was made once, however many devices are pushed to", function ()
		local members = {};
		for i = 1, 4 do
			members[i] = server:user(("member-%d@users.localhost/phone"):format(i));
			for node = 1, 5 do assert.equal("result", requests.enable(members[i], node).attr.type); end
			olga:affiliate(room, members[i].bare_jid, "member");
		end
		hook("cloud_notify/push", [[
			local original = event.original_stanza;
			seen.pushes = (seen.pushes or 0) + 1;
			seen.parts = seen.parts or { top = {}, attr = {}, tags = {}, body = {}, list = {} };
			local body, list = original:get_child("body"), original:get_child("list", "urn:example:spec");
			for name, part in pairs { top = original, attr = original.attr, tags = original.tags, body = body, list = list } do
				seen.parts[name][part] = true;
			end
			seen.is_whole = seen.is_whole ~= false and #list.tags == 100 and original.attr.to == event.username
				and original[1] == body and original.tags[1] == body and st.is_stanza(original) and st.is_stanza(body);
		]]);
		olga:say(room, "hello", "<list xmlns='urn:example:spec'>"..("<a/>"):rep(100).."</list>");
		app.component:sync();
		local pushes, is_whole, made = server:admin([[
			local seen, made = module.spec.seen, {};
			for name, parts in pairs(seen.parts) do
				made[name] = 0;
				for _ in pairs(parts) do made[name] = made[name] + 1; end
			end
			return seen.pushes, seen.is_whole, made;
		]]);
		assert.same({ 21, true }, { pushes, is_whole });
		assert.same({ top = 21, attr = 21, tags = 21, body = 1, list = 1 }, made);
		for _, member in ipairs(members) do member:disable { jid = app.jid }; end
	end);

	it("show of a large message what a push can be about", function ()
		hook("cloud_notify/push", "seen.body = event.original_stanza:get_child_text('body'); seen.tags = #event.original_stanza.tags;");
		olga:say(room, "hello", ("<a xmlns='urn:example:spec'/>"):rep(2000));
		assert.same({ body = "hello", tags = 499 }, seen());
		assert.truthy(app:expect_push());
	end);

	it("let others change a push", function ()
		hook("cloud_notify/push", [[
			event.notification_payload:remove_children("x", "jabber:x:data"):text_tag("secret", "xyz", { xmlns = "urn:example:spec" });
		]]);
		olga:say(room, "hello");
		local push = app:expect_push();
		assert.equal("xyz", push.notification:get_child_text("secret", "urn:example:spec"));
		assert.equal(1, #push.notification.tags);
	end);

	it("let others stop a push, and no more than that", function ()
		hook("cloud_notify/push", "if event.original_stanza:get_child_text('body') == 'no' then event.reason = 'because'; return true; end");
		local log_length = #server:log();
		olga:say(room, "no");
		app:expect_no_push();
		server:wait_for_log("because", nil, log_length);
		olga:say(room, "yes");
		assert.truthy(app:expect_push());
		app:expect_no_push();
	end);

	it("drop a push whose reader another module has put out of the room's members", function ()
		hook("cloud_notify/push", [[
			module:depends("muc").get_room_from_jid("room@conference.localhost"):set_affiliation(true, "mary@users.localhost", "none");
		]]);
		olga:say(room, "hello");
		app:expect_no_push();
		unhook_all();
		olga:affiliate(room, mary.bare_jid, "member", "Mary");
		olga:say(room, "hello again");
		assert.truthy(app:expect_push());
		app:expect_no_push();
	end);

	it("drop a push that another module fails at, and log it once", function ()
		hook("cloud_notify/push", "if event.original_stanza:get_child_text('body') == 'bad' then error('on purpose'); end");
		local log_length = #server:log();
		olga:say(room, "bad");
		app:expect_no_push();
		assert.equal(1, errors_since(log_length));
		assert.truthy(server:log(log_length):find("on purpose", 1, true));
		olga:say(room, "good");
		assert.truthy(app:expect_push());
		app:expect_no_push();
		assert.equal(1, errors_since(log_length));
	end);

	it("let others ask for a push without a message", function ()
		local function ping(user)
			server:admin("module:fire_event('cloud-notify-ping', { user = ... })", user);
		end
		ping(mary.bare_jid);
		local push = app:expect_push();
		assert.equal("mary", push.node);
		assert.is_nil(push.summary["last-message-body"]);
		hook("cloud_notify/push", "seen.original = { event.original_stanza.attr.to, #event.original_stanza.tags }; seen.important = event.important;");
		ping(mary.bare_jid);
		assert.same({ original = { mary.bare_jid, 0 }, important = false }, seen());
		assert.truthy(app:expect_push());
		ping("nobody@users.localhost");
		app:expect_no_push();
	end);

	it("cost nothing when nobody listens", function ()
		server:admin([[prosody.hosts[module.host].events.add_wrapper("cloud_notify/push", function (handlers, ...)
			prosody.spec_fired = (prosody.spec_fired or 0) + 1;
			return handlers(...);
		end)]]);
		olga:say(room, "hello");
		app:expect_push();
		assert.is_nil(server:admin("return prosody.spec_fired"));
		hook("cloud_notify/push", "");
		olga:say(room, "hello");
		app:expect_push();
		assert.equal(1, server:admin("return prosody.spec_fired"));
	end);

	it("announce what others say they can do, for as long as they say so", function ()
		assert.same({ 1, nil }, { requests.features(olga)[xmlns_push], requests.features(olga)["urn:example:one"] });
		hook("account-disco-info", "event.reply:tag('feature', { var = 'urn:example:one' }):up();");
		hook("account-disco-info", "event.reply:tag('feature', { var = 'urn:xmpp:push:0' }):up();");
		assert.same({ 1, 1 }, { requests.features(olga)[xmlns_push], requests.features(olga)["urn:example:one"] });
		unhook_all();
		assert.same({ 1, nil }, { requests.features(olga)[xmlns_push], requests.features(olga)["urn:example:one"] });
	end);
end);
