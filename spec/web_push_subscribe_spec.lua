-- A browser's subscription becomes a node: by HTTP and by an ad-hoc command. What is no subscription does not.

local json = require "util.json";
local st = require "util.stanza";

local files = require "harness.files";
local loop = require "harness.loop";
local prosody = require "harness.prosody";

local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

local xmlns_commands = "http://jabber.org/protocol/commands";
local xmlns_disco_info = "http://jabber.org/protocol/disco#info";

local page, other_page = "https://chat.example.com", "https://evil.example.com";
local strict_host, open_host = "strict.localhost", "open.localhost";

versions.describe("subscribing to Web Push", function (version)
	local app, user;

	lazy_setup(function ()
		local service = web_push.start_push_service();
		app = web_push.start(version, {
			service = service;
			internal = {
				[web_push.host] = web_push.component(service, { web_push_origins = { page } });
				[strict_host] = web_push.component(service);
				[open_host] = web_push.component(service, { web_push_origins = "*" });
			};
		});
		user = app.server:user("alice@users.localhost/converse");
	end);

	lazy_teardown(function () app:close(); end);

	after_each(function ()
		app:expect_no_push(user);
		assert.log_is_clean(app.server);
	end);

	local function refused(status, reason, body, headers)
		local got, _, answer = app:http("POST", body, headers);
		assert.equal("status "..status, "status "..got, answer);
		answer = json.decode(answer);
		assert.equal(reason, answer.error);
		assert.truthy(#answer.text > 0);
		assert.is_nil(answer.node);
	end

	-- Nobody has sent anything from this address for long.
	before_each(function () app.server:reload_module("web_push_app_server", web_push.host); end);

	it("says how to subscribe", function ()
		local status, headers, body = app:http("GET");
		assert.equal(200, status);
		assert.matches("^application/json", headers["content-type"]);
		local answer = json.decode(body);
		assert.equal(web_push.host, answer.jid);
		assert.matches("^B[%w_-]+$", answer.vapid_public_key);
		assert.equal(87, #answer.vapid_public_key);
	end);

	it("gives a node and a secret, the same for the same subscription", function ()
		local first, again = app:subscribe(), app:subscribe();
		assert.same(first, again);
		assert.equal(web_push.host, first.jid);
		assert.truthy(#first.node <= 1024);
		local other = app:subscribe { path = "/push/2" };
		assert.not_equal(first.node, other.node);
		assert.not_equal(first.secret, other.secret);
	end);

	it("is an app server for Converse, and nothing that makes it take others for one", function ()
		local reply = user:iq(st.stanza("iq", { type = "get", to = web_push.host }):tag("query", { xmlns = xmlns_disco_info }):reset());
		local query = reply:get_child("query", xmlns_disco_info);
		local identities = {};
		for identity in query:childtags("identity") do
			table.insert(identities, identity.attr.category.."/"..identity.attr.type);
		end
		assert.same({ "pubsub/push" }, identities);
		for feature in query:childtags("feature") do
			assert.not_equal("urn:xmpp:push:0", feature.attr.var);
		end
	end);

	it("gives no node to what is no subscription", function ()
		local good = app:subscription();
		for _, body in ipairs {
			"", "null", "[]", "{}", "hello", "\0", "\255\254", good:sub(1, -2), good.."x", '{"endpoint":1,"keys":{}}', '{"keys":'..("["):rep(2000);
			app:subscription { p256dh = "AAAA" }, app:subscription { p256dh = ("A"):rep(87) }, app:subscription { auth = "AAAA" };
			app:subscription { auth = 16 }, app:subscription { p256dh = "\255" };
		} do
			refused(400, "malformed", body);
		end
	end);

	it("gives no node for an endpoint that is none", function ()
		local origin, port = app.service.origin, app.service.port;
		for _, endpoint in ipairs {
			"", "x", origin, "http://127.0.0.1:"..port.."/push/1", "//127.0.0.1/x", "file:///etc/passwd", origin.."/a b", origin.."/a\r\nHost: x";
			origin.."/#x", "https://user:password@127.0.0.1:"..port.."/x", "https://127.0.0.1:"..port.."@evil.example.com/", "https:///x";
			"https://[::1/", "https://0x7f.1/x", "https://127.0.0.1:99999/x", "javascript:alert(1)", "https://éxample.com/x";
		} do
			refused(400, "malformed", app:subscription { endpoint = endpoint });
		end
		refused(400, "too-long", app:subscription { path = "/"..("x"):rep(800) });
		refused(413, "too-long", app:subscription { path = "/"..("x"):rep(5000) });
	end);

	it("gives no node for an endpoint that is not at an allowed push service", function ()
		local port = app.service.port;
		for _, endpoint in ipairs {
			"https://127.0.0.1/x", "https://127.0.0.1:"..port + 1 .."/x", "https://127.0.0.2:"..port.."/x", "https://[::1]:"..port.."/x";
			"https://localhost:"..port.."/x", "https://[::ffff:127.0.0.1]:"..port.."/x", "https://169.254.169.254/latest/meta-data/";
			"https://fcm.googleapis.com/fcm/send/x", "https://example.com/x", "https://127.0.0.1.example.com:"..port.."/x";
		} do
			refused(403, "not-allowed", app:subscription { endpoint = endpoint });
		end
	end);

	it("takes JSON alone, which no page sends from elsewhere without being asked", function ()
		for _, content_type in ipairs { "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "" } do
			refused(415, "malformed", app:subscription(), { ["content-type"] = content_type });
		end
		assert.equal(200, (app:http("POST", app:subscription(), { ["content-type"] = "application/json; charset=utf-8" })));
	end);

	it("can be used by the pages of the origins that the operator names", function ()
		local function allowed_origin(host, origin, method)
			local _, headers = app:http(method, method == "POST" and app:subscription() or nil, { origin = origin, host = host });
			return headers["access-control-allow-origin"];
		end
		for _, method in ipairs { "GET", "POST", "OPTIONS" } do
			assert.equal(page, allowed_origin(web_push.host, page, method));
			assert.is_nil(allowed_origin(web_push.host, other_page, method));
			assert.is_nil(allowed_origin(strict_host, page, method));
			assert.equal(other_page, allowed_origin(open_host, other_page, method));
		end
		local _, headers = app:http("OPTIONS", nil, { origin = page });
		assert.matches("POST", headers["access-control-allow-methods"]);
		assert.matches("Content%-Type", headers["access-control-allow-headers"]);
		assert.is_nil(headers["access-control-allow-credentials"]);
	end);

	it("has no more than so many subscriptions from an address", function ()
		local given, refused_ones, begun = 0, 0, loop.now();
		for i = 1, 1000 do
			local status, headers = app:http("POST", app:subscription { path = "/push/"..i });
			if status == 200 then
				given = given + 1;
			else
				refused_ones = refused_ones + 1;
				assert.equal(429, status);
				assert.equal("1", headers["retry-after"]);
			end
		end
		assert.is_true(given >= 60 and given <= 61 + loop.now() - begun, given); -- one more a second
		assert.equal(1000, given + refused_ones);
		-- It still can be asked how to subscribe.
		assert.equal(200, (app:http("GET")));
		-- It is about this address alone, and passes.
		local function status_from(address) return (app:http("POST", app:subscription(), { ["x-forwarded-for"] = address })); end
		local function is_refused() return app:http("POST", app:subscription()) == 429; end
		assert.is_true(is_refused() or is_refused()); -- the first one may have come at the end of a second
		assert.equal(200, status_from "203.0.114.7");
		assert.truthy(loop.wait_until(function () return app:http("POST", app:subscription()) == 200; end, 3, 0.1));
	end);

	it("takes a network of IPv6 for one address", function ()
		local function status_from(address) return (app:http("POST", app:subscription(), { ["x-forwarded-for"] = address })); end
		local given, begun = 0, loop.now();
		for i = 1, 100 do
			if status_from(("2001:db8:1:2::%x"):format(i)) == 200 then given = given + 1; end
		end
		assert.is_true(given >= 60 and given <= 61 + loop.now() - begun, given);
		assert.equal(200, status_from "2001:db8:1:3::1");
	end);

	it("serves what a page needs", function ()
		for _, name in ipairs { "converse.js", "web_push.js", "worker.js" } do
			local status, headers, body = app:http("GET", nil, { origin = page }, "/web_push/"..name);
			assert.equal(200, status);
			assert.matches("^text/javascript", headers["content-type"]);
			assert.equal(page, headers["access-control-allow-origin"]);
			assert.equal(files.read(prosody.root.."/web_push/"..name), body);
		end
		assert.equal(404, (app:http("GET", nil, nil, "/web_push/keys.js")));
		assert.equal(404, (app:http("GET", nil, nil, "/web_push/../mod_web_push_app_server.lua")));
	end);

	local function command(fields, from)
		local iq = st.stanza("iq", { type = "set", to = web_push.host })
			:tag("command", { xmlns = xmlns_commands, node = "web-push-subscribe", action = fields and "complete" or "execute" });
		if fields then
			iq:tag("x", { xmlns = "jabber:x:data", type = "submit" });
			for name, value in pairs(fields) do
				iq:tag("field", { var = name }):text_tag("value", value):up();
			end
		end
		local reply = (from or user):iq(iq:reset());
		local answer = reply:get_child("command", xmlns_commands);
		local values = {};
		local form = answer and answer:get_child("x", "jabber:x:data");
		for field in form and form:childtags("field") or function () end do
			values[field.attr.var] = field:get_child_text("value");
		end
		return values, answer and answer:get_child("note"), answer;
	end

	it("gives a node by a command too", function ()
		local first = command(nil);
		assert.equal(json.decode((select(3, app:http("GET")))).vapid_public_key, first.vapid_public_key);
		local subscription = json.decode(app:subscription());
		local fields = { endpoint = subscription.endpoint, p256dh = subscription.keys.p256dh, auth = subscription.keys.auth };
		local values, note = command(fields);
		assert.is_nil(note);
		assert.same(app:subscribe(), { jid = values.jid, node = values.node, secret = values.secret });
	end);

	it("says by a command too what is wrong", function ()
		local auth, p256dh = web_push.browser.auth, web_push.browser.p256dh;
		local good = app.service.origin.."/push/1";
		for _, fields in ipairs {
			{}, { endpoint = good }, { endpoint = good, p256dh = p256dh }, { endpoint = good, p256dh = "x", auth = auth };
			{ endpoint = "https://example.com/x", p256dh = p256dh, auth = auth }, { endpoint = "x", p256dh = p256dh, auth = auth };
		} do
			local values, note = command(fields);
			assert.equal("error", note.attr.type);
			assert.truthy(#note:get_text() > 0);
			assert.is_nil(values.node);
		end
	end);

	it("has no more than so many commands from another server", function ()
		local subscription = json.decode(app:subscription());
		local fields = { endpoint = subscription.endpoint, p256dh = subscription.keys.p256dh, auth = subscription.keys.auth };
		local given, begun = 0, loop.now();
		for i = 1, 100 do
			local _, note = command(fields, app.server:user(("user-%d@users.localhost/x"):format(i)));
			if not note then given = given + 1; end
		end
		assert.is_true(given >= 60 and given <= 61 + loop.now() - begun, given);
	end);
end);
