-- Messages that are forwarded to the accounts of members on another server, by two servers that talk to each other.

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local st = require "util.stanza";
local xml = require "util.xml";

local muc_service = require "spec.support.muc_service";
local registrations = require "spec.support.registrations";
local versions = require "spec.support.versions";

local submit = registrations.submit;

local far_host, far_app = "far.example", "push.far.example";
local ann_jid = "ann@" .. far_host;
local slow_service, silent_service, narrow_service = "slow.localhost", "silent.localhost", "narrow.localhost";
local interval = 1.5;

local function options(changes)
	local all = muc_service.with_body {
		muc_push_default = "always", muc_room_default_persistent = true, muc_push_retry_delay = 0.1, muc_push_max_retry_delay = 1;
		muc_push_account_interval = 0, allow_unaffiliated_register = true;
	};
	for name, value in pairs(changes or {}) do all[name] = value; end
	return all;
end

-- Takes note of what a MUC service sends to accounts elsewhere.
local watch_links = [[
	local forwarded = {};
	prosody.forwarded = forwarded;
	for _, host in ipairs { ... } do
		module:context(host):hook("route/remote", function (event)
			local stanza = event.stanza;
			if stanza.name == "message" and stanza.attr.type == "groupchat" and not jid.resource(stanza.attr.to) then
				table.insert(forwarded, tostring(stanza));
			end
		end, 1000);
	end
]];

versions.describe("forwarding to accounts elsewhere", function (version)
	local near, far, muc, ann, app;

	local function prepare()
		near:admin(watch_links, near.muc_host, slow_service, silent_service, narrow_service);
	end

	local function log_in()
		app = far:app_server(far_app);
		ann = far:client(ann_jid .. "/phone", { stream_management = false });
	end

	lazy_setup(function ()
		near = prosody.start {
			version = version, s2s = "dialback", c2s = true, community_modules = true, components = { "users.localhost", "push.localhost" };
			muc = options(), global = { modules_enabled = { "cloud_notify" } };
			mucs = {
				[slow_service] = options { muc_push_account_interval = interval };
				[silent_service] = options { muc_push_forward = "none" };
				[narrow_service] = options { muc_push_max_users_per_domain = 1 };
			};
		};
		far = prosody.start {
			version = version, s2s = "dialback", c2s = true, community_modules = true, hosts = { [far_host] = {} };
			muc_host = "rooms." .. far_host, components = { far_app };
			global = { modules_enabled = { "cloud_notify" }, push_notification_with_body = true, push_notification_with_sender = true };
		};
		muc = muc_service.new(near);
		prepare();
		log_in();
		assert.equal("result", ann:enable({ to = ann_jid, jid = far_app, node = "ann" }).attr.type);
	end);

	-- What was forwarded so far: texts, and stanzas.
	local function take()
		muc.bob.component:sync();
		local texts, list = {}, near:admin([[
			local taken = table.move(prosody.forwarded, 1, #prosody.forwarded, 1, {});
			for i in ipairs(taken) do prosody.forwarded[i] = nil; end
			return taken;
		]]);
		for i, text in ipairs(list) do
			list[i] = xml.parse(text);
			texts[i] = list[i]:get_child_text("body") or "nothing";
		end
		return texts, list;
	end

	local function wait_for(texts)
		local all = {};
		loop.wait_until(function ()
			for _, text in ipairs((take())) do table.insert(all, text); end
			return #all >= #texts;
		end, nil, 0.02);
		assert.same(texts, all);
	end

	-- A new room of which a user is a member who has asked, refused ("0") or said nothing (nil).
	local function new_room(choice, bare_jid, service)
		local room = muc:new_room({}, service);
		near:admin([[
			local room_jid, bare_jid, choice = ...;
			local data = { reserved_nickname = "Ann", offline_delivery = choice };
			assert(muc_of(jid.host(room_jid)).get_room_from_jid(room_jid):set_affiliation(true, bare_jid, "member", nil, data));
		]], room, bare_jid or ann_jid, choice);
		return room;
	end

	-- To how many users messages are forwarded at all, or what else stats() has.
	local function count(what)
		return near:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats()[...]", what or "forwarded");
	end

	local function told(room, text)
		muc:say(room, text or "hello");
		return (take());
	end

	it("has the account's own server push", function ()
		local room = muc:new_room { ann_jid };
		ann:join(room, "Ann");
		assert.equal("result", (submit(ann, room, "Ann", "1")));
		muc:say(room, "read");
		assert.same({}, (take()));
		ann:leave(room);
		for _, text in ipairs { "one", "two" } do
			local length = #near:log();
			muc:say(room, text);
			local texts, messages = take();
			assert.same({ text }, texts);
			local attr = messages[1].attr;
			assert.same({ "groupchat", room .. "/bob", ann_jid }, { attr.type, attr.from, attr.to });
			assert.truthy(attr.id:match("^muc%-forwarded%-%x+$"));
			assert.is_nil(messages[1]:get_child("reference", "urn:xmpp:reference:0"));
			local push = app:expect_push();
			assert.same({ "ann", text, room .. "/bob" }, { push.node, push.summary["last-message-body"], push.summary["last-message-sender"] });
			near:wait_for_log("came back from " .. ann_jid .. ": cancel/service-unavailable", nil, length);
		end
		assert.equal(1, count());
	end);

	it("says whom a message mentions", function ()
		local room = new_room(true);
		muc:say(room, "Ann: look");
		local texts, messages = take();
		assert.same({ "Ann: look" }, texts);
		local reference = messages[1]:get_child("reference", "urn:xmpp:reference:0");
		assert.same({ "mention", "xmpp:" .. ann_jid }, { reference.attr.type, reference.attr.uri });
	end);

	it("is not done for who has not asked, has refused, or is no member any more", function ()
		assert.same({}, told(new_room(nil)));
		assert.same({}, told(new_room(false)));
		local room = new_room(true);
		assert.same({ "one" }, told(room, "one"));
		muc.bob:affiliate(room, ann_jid, "none");
		assert.same({}, told(room, "two"));
		muc.bob:affiliate(room, ann_jid, "member");
		assert.same({}, told(room, "three"));
		room = new_room(true);
		muc.bob:affiliate(room, ann_jid, "outcast");
		assert.same({}, told(room, "four"));
	end);

	it("ends and begins at once with the choice", function ()
		local room = new_room(nil);
		assert.same({}, told(room, "one"));
		for choice, expected in pairs { ["1"] = { "two" }, ["0"] = {} } do
			assert.equal("result", (submit(ann, room, "Ann", choice)));
			assert.same(expected, told(room, "two"));
		end
		assert.equal("result", (submit(ann, room, "Ann", "1")));
		assert.equal("result", (registrations.remove(ann, room)));
		assert.same({}, told(room, "three"));
	end);

	it("is not done for who is there, nor for who has said it", function ()
		local room = new_room(true);
		ann:join(room, "Ann");
		assert.same({}, told(room, "one"));
		ann:say(room, "mine");
		muc.bob:expect { body = "mine" };
		ann:leave(room);
		muc.bob:expect { name = "presence", from = room .. "/Ann", type = "unavailable" };
		assert.same({}, (take()));
		assert.same({ "two" }, told(room, "two"));
	end);

	it("is not done for who has a device here, and is done again once that is gone", function ()
		local room = new_room(true);
		assert.equal("result", ann:enable({ to = near.muc_host, jid = muc.app.jid, node = "here" }).attr.type);
		assert.same({}, told(room, "one"));
		local pushes = muc:take_pushes();
		assert.equal(1, #pushes);
		assert.truthy(pushes[1]:match("^here %d+ one$"));
		assert.equal("result", ann:disable({ to = near.muc_host, jid = muc.app.jid }).attr.type);
		assert.same({ "two" }, told(room, "two"));
	end);

	it("is not done for users of this server, who can refuse what their account gets", function ()
		local ulf = near:client("ulf@localhost/phone", { stream_management = false });
		local room, before = new_room(true, ulf.bare_jid), count();
		assert.same({}, told(room));
		assert.same({}, muc:take_pushes());
		assert.equal(before, count());
		assert.equal("result", ulf:enable({ to = ulf.bare_jid, jid = muc.app.jid, node = "ulf" }).attr.type);
		assert(loop.wait_until(function () return count "accounts" == 1; end, nil, 0.01));
		room = new_room(nil, ulf.bare_jid);
		local function is_pushed()
			muc:say(room);
			muc.bob.component:sync();
			local pushes = muc:take_pushes();
			return pushes[1] ~= nil and pushes[1]:match("^ulf ") ~= nil;
		end
		assert.is_true(is_pushed());
		for _, choice in ipairs { "0", "1", "0" } do
			assert.equal("result", (submit(ulf, room, "Ulf", choice)));
			assert.equal(choice ~= "0", is_pushed());
		end
		-- That they can do where nothing is forwarded, too. The form shows what happens as long as they have not.
		local silent_room = muc:new_room({ ulf.bare_jid, ann_jid }, silent_service);
		assert.same({ "1" }, registrations.shown(ulf, silent_room));
		assert.same({}, registrations.shown(ann, silent_room));
		assert.same({}, (take()));
	end);

	it("is not done where the operator forwards nothing", function ()
		assert.same({}, told(new_room(true, nil, silent_service)));
	end);

	it("is bounded for each domain", function ()
		local room = muc:new_room({}, narrow_service);
		assert.equal("result", (submit(ann, room, "Ann", "1")));
		local other = far:client("other@" .. far_host .. "/phone", { stream_management = false });
		assert.same({ "error", "wait", "resource-constraint" }, { table.unpack({ submit(other, room, "Other", "1") }, 1, 3) });
		assert.is_nil(near:admin([[
			return muc_of(select(3, ...)).get_room_from_jid(...)._affiliations[select(2, ...)];
		]], room, other.bare_jid, narrow_service));
		assert.same({ "one" }, told(room, "one"));
		assert.equal("result", (submit(other, room, "Other", "0")));
		other:close();
	end);

	it("tells of the newest message, once in a while", function ()
		local room = new_room(true, nil, slow_service);
		local begun = loop.now();
		assert.same({ "one" }, told(room, "one"));
		for _, text in ipairs { "two", "three" } do muc.bob:say(room, text); end
		wait_for { "three" };
		assert.is_true(loop.now() - begun >= interval);
	end);

	it("is not done for an account that is an occupant itself, which makes no difference to what is answered", function ()
		local room = new_room(true, "carl@users.localhost");
		local carl, account = near:user("carl@users.localhost/phone"), near:user("carl@users.localhost");
		local function forwarded_to_carl()
			local texts = {};
			repeat
				local message = account:receive(0, function (stanza) return stanza.attr.id and stanza.attr.id:find "^muc%-forwarded%-"; end);
				if message then table.insert(texts, message:get_child_text("body")); end
			until not message;
			account:clear();
			return texts;
		end
		account:join(room, "Carl");
		muc:say(room, "one");
		account:expect { body = "one" };
		assert.same({}, forwarded_to_carl());

		near:admin([[module:hook("muc-undelivered-message", function () prosody.undelivered = (prosody.undelivered or 0) + 1; end)]]);
		for _, condition in ipairs { "service-unavailable", "item-not-found", "not-acceptable" } do
			for _, to in ipairs { room .. "/bob", room } do
				account:send(st.message({ type = "error", id = "muc-forwarded-" .. ("0"):rep(48), to = to })
					:tag("error", { type = "cancel" }):tag(condition, { xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas" }):reset());
			end
		end
		muc.bob.component:sync();
		assert.is_nil(near:admin("return prosody.undelivered"));
		assert.equal(room .. "/Carl", near:admin("return room(...):get_occupant_jid(select(2, ...))", room, account.jid));
		assert.is_nil(muc.bob:receive(0, { name = "message", type = "error" }));

		account:leave(room);
		muc:say(room, "two");
		assert.same({ "two" }, forwarded_to_carl());
		-- Of a session it is a bounce like any other.
		carl:join(room, "Carl");
		carl:send(st.message({ type = "error", id = "muc-forwarded-" .. ("0"):rep(48), to = room .. "/bob" })
			:tag("error", { type = "cancel" }):tag("service-unavailable", { xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas" }):reset());
		muc.bob:expect { name = "presence", from = room .. "/Carl", type = "unavailable" };
	end);

	it("is done again whatever was answered before, and by whomever", function ()
		local room, carl_jid = new_room(true, "carl@users.localhost"), "carl@users.localhost";
		local account = near:user(carl_jid);
		for _, text in ipairs { "one", "two", "three" } do
			muc:say(room, text);
			local message = account:expect { body = text };
			for _, from in ipairs { carl_jid .. "/phone", "eve@users.localhost", carl_jid } do
				local bounce = st.error_reply(message, "cancel", text == "one" and "gone" or "service-unavailable");
				bounce.attr.from = from;
				account:send(bounce);
			end
			muc.bob.component:sync();
		end
	end);

	it("is done one after the other, and goes on where nobody answers at all", function ()
		local room = new_room(true, "dan@users.localhost");
		local account = near:user "dan@users.localhost";
		muc:say(room, "one");
		account:expect { body = "one" };
		muc:say(room, "two");
		assert.is_nil(account:receive(0, { body = "two" }));
		account:expect({ body = "two" });
		account:expect_nothing { body = "one" };
	end);

	it("is done once where the module is reloaded, or the server stopped, before anything has come back", function ()
		local users = { "eric@users.localhost", "eric@" .. far_host }; -- of a component, and at the other end of a link
		near:user(users[1]);
		far:client(users[2] .. "/phone", { stream_management = false }):close();
		far:admin([[
			local host = ...;
			module:context(host):hook("message/bare/groupchat", function (event)
				if jid.node(event.stanza.attr.to) == "eric" then return true; end
			end, 20);
		]], far_host);
		-- What a link to it means is known of a domain that has answered.
		local length = #near:log();
		muc:say(new_room(true));
		near:wait_for_log("came back from " .. ann_jid, nil, length);
		local rooms = {};
		for place, user in ipairs(users) do rooms[place] = new_room(true, user); end

		-- How often something was forwarded to each of them since then.
		local function counts()
			local text, numbers = near:log(length), {};
			for place, user in ipairs(users) do
				numbers[place] = select(2, text:gsub("Forwarding a message to " .. user:gsub("%p", "%%%0") .. "\n", ""));
			end
			return numbers;
		end

		local function say(body)
			length = #near:log();
			for _, room in ipairs(rooms) do muc:say(room, body); end
			loop.wait_until(function () local numbers = counts(); return numbers[1] > 0 and numbers[2] > 0; end, nil, 0.02);
			assert.same({ 1, 1 }, counts());
		end

		say "one";
		muc:manage "reload";
		say "two";
		near:stop();
		length = #near:log();
		near:start_again();
		near:user(users[1]);
		muc:connect();
		prepare();
		loop.wait_until(function () return counts()[1] > 0 and counts()[2] > 0; end, 0.5, 0.02);
		assert.same({ 0, 0 }, counts());
		say "three";
		take();
	end);

	it("is done again where another server says that the domain is out of reach", function ()
		local room = new_room(true);
		far:admin([[
			local host = ...;
			module:context(host):hook("message/bare/groupchat", function (event)
				local bounce = st.error_reply(event.stanza, "wait", "remote-server-timeout");
				module:context(host):send(bounce);
				return true;
			end, 10);
		]], far_host);
		local length = #near:log();
		for number = 1, 6 do
			assert.same({ "message "..number }, told(room, "message "..number));
			near:wait_for_log(("came back from "..ann_jid..".*"):rep(number), nil, length);
		end
	end);

	it("goes on after a restart, and not in a room that is destroyed", function ()
		local room, other_room = new_room(true), new_room(true, "dora@" .. far_host);
		muc:restart("stop");
		prepare();
		muc.bob:join(other_room, "bob");
		muc:say(room, "one");
		wait_for { "one" };
		muc:say(other_room, "two");
		wait_for { "two" };
		local before = count();
		muc.bob:destroy_room(other_room);
		muc.bob.component:sync();
		assert.equal(before - 1, count());
	end);

	it("waits for a domain that is out of reach", function ()
		local room = new_room(true);
		app:clear();
		far:stop();
		assert(loop.wait_until(function ()
			return near:admin("return prosody.hosts[module.host].s2sout[...] == nil", far_host);
		end, nil, 0.01));
		local length = #near:log();
		muc:say(room, "missed");
		near:wait_for_log("came back from " .. ann_jid .. ": [^\n]*remote%-server%-", nil, length);
		far:start_again();
		log_in();
		-- That there is a link again makes itself known.
		ann:send(st.stanza("iq", { type = "get", to = near.muc_host, id = "ping" }):tag("ping", { xmlns = "urn:xmpp:ping" }):reset());
		assert.equal("missed", app:expect_push(20).summary["last-message-body"]);
		muc:say(room, "hello again");
		assert.equal("hello again", app:expect_push().summary["last-message-body"]);
		assert.log_is_clean(near);
	end);
end);
