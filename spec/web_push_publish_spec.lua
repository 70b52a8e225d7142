-- A publish becomes a push that the browser alone can read, and what the push service answers becomes an answer to it.

local st = require "util.stanza";

local stream = require "harness.stream";
local loop = require "harness.loop";

local logs = require "spec.support.logs";
local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

local sender_host, none_host = "sender.localhost", "none.localhost";

local summary = {
	["message-count"] = "3", ["last-message-sender"] = "den@conference.example.com/Älice", ["last-message-body"] = "See you at 8 😀";
};

versions.describe("publishing to Web Push", function (version)
	local app, muc, subscribed, impostor;
	local subscribed_count = 0;
	local nobody = "127.0.0.1:1"; -- where no push service is

	lazy_setup(function ()
		local service = web_push.start_push_service();
		impostor = web_push.start_push_service { "other.example.com" };
		app = web_push.start(version, {
			service = service;
			internal = {
				[web_push.host] = web_push.component(service, { web_push_services = { service.host, impostor.host, nobody } });
				[sender_host] = web_push.component(service, { web_push_content = "sender", web_push_ttl = 60 });
				[none_host] = web_push.component(service, { web_push_content = "none" });
			};
		});
		muc = app.server:user("muc@users.localhost/x");
	end);

	lazy_teardown(function ()
		impostor:close();
		app:close();
	end);

	-- Each test has a subscription of its own.
	before_each(function ()
		subscribed_count = subscribed_count + 1;
		subscribed = app:subscribe { path = "/push/"..subscribed_count };
	end);

	after_each(function ()
		app:expect_no_push(muc);
		app.service:clear();
		assert.log_is_clean(app.server);
	end);

	local function publish(options)
		options = options or {};
		return app:publish(muc, {
			to = options.to, node = options.node or subscribed.node, secret = options.secret or subscribed.secret;
			fields = options.fields, extra = options.extra, timeout = options.timeout;
		});
	end

	it("tells the browser what the publish tells", function ()
		assert.equal("result", publish { fields = summary, extra = st.stanza("stanza-id", { xmlns = "urn:xmpp:sid:0", id = "id-1" }) });
		local text, request = app:expect_push();
		assert.same({
			service = "users.localhost", count = 3, room = "den@conference.example.com", sender = "Älice", text = "See you at 8 😀";
			stanza_id = "id-1";
		}, text);
		assert.equal("POST", request.method);
		assert.equal("/push/"..subscribed_count, request.path);
		local headers = request.headers;
		assert.same({ "aes128gcm", "172800", "normal" }, { headers["content-encoding"], headers.ttl, headers.urgency });
		assert.matches("^[%w_-]+$", headers.topic);
		assert.equal(32, #headers.topic);
		assert.matches("^vapid t=[%w_-]+%.[%w_-]+%.[%w_-]+, k=B[%w_-]+$", headers.authorization);
		for _, secret in ipairs { "den", "lice", "See you" } do
			assert.is_nil(request.body:find(secret, 1, true));
		end
	end);

	it("shows as much as the operator wants shown", function ()
		for host, expected in pairs {
			[sender_host] = { service = "users.localhost", count = 3, room = "den@conference.example.com", sender = "Älice" };
			[none_host] = { service = "users.localhost", count = 3, room = "den@conference.example.com" };
		} do
			local status, _, body = app:http("POST", app:subscription(), { host = host });
			assert.equal(200, status);
			local other = require "util.json".decode(body);
			assert.equal("result", publish { to = host, node = other.node, secret = other.secret, fields = summary });
			local text, request = app:expect_push();
			assert.same(expected, text);
			assert.equal(host == sender_host and "60" or "172800", request.headers.ttl);
		end
	end);

	it("says that something is there where a publish says no more", function ()
		assert.equal("result", publish { fields = {} });
		assert.same({ service = "users.localhost" }, (app:expect_push()));
		assert.equal("result", publish { fields = { ["message-count"] = "many", ["last-message-sender"] = "@", ["last-message-body"] = "x" } });
		assert.same({ service = "users.localhost", text = "x" }, (app:expect_push()));
	end);

	it("tells contacts from rooms where a host with accounts publishes, also for a MUC service", function ()
		local muc_host = app.server.muc_host;
		local room = "den@" .. muc_host;
		for from, expected in pairs {
			["eve@users.localhost/phone"] = { service = "localhost", sender = "eve@users.localhost", count = 1 };
			[room .. "/Eve"] = { service = muc_host, room = room, sender = "Eve", count = 1 };
		} do
			local iq = web_push.publish {
				node = subscribed.node, secret = subscribed.secret, fields = { ["message-count"] = "1", ["last-message-sender"] = from };
			};
			iq.attr.from, iq.attr.id = "localhost", "publish";
			app.server:admin("module:context('localhost'):send(assert(require 'util.xml'.parse(...)))", tostring(iq));
			assert.same(expected, (app:expect_push()));
		end
	end);

	it("tells important pushes from others", function ()
		local function priority(text) return st.stanza("priority", { xmlns = "tigase:push:priority:0" }):text(text); end
		publish { extra = priority "high" };
		assert.equal("high", app.service:expect_request().headers.urgency);
		publish { extra = priority "low" };
		assert.equal("normal", app.service:expect_request().headers.urgency);
	end);

	it("has one topic for a room", function ()
		local function topic_of(room)
			publish { fields = { ["last-message-sender"] = room.."@conference.example.com/Alice" } };
			return app.service:expect_request().headers.topic;
		end
		assert.equal(topic_of "den", topic_of "den");
		assert.not_equal(topic_of "den", topic_of "attic");
	end);

	it("looks alike from outside whatever a message says", function ()
		local requests = {};
		for _, text in ipairs { "", "no", ("x"):rep(100), ("😀"):rep(100), ("x"):rep(9000) } do
			publish { fields = { ["last-message-body"] = text } };
			table.insert(requests, app.service:expect_request());
		end
		local lengths = {};
		for i, request in ipairs(requests) do lengths[i] = #request.body; end
		assert.same({ 359, 359, 359, 1127, 4096 }, lengths);
		local texts = web_push.decrypt(requests);
		assert.same({ "", "no", ("x"):rep(100), ("😀"):rep(100) }, { texts[1].text, texts[2].text, texts[3].text, texts[4].text });
		assert.matches("^x+…$", texts[5].text);
		assert.is_true(#texts[5].text > 3900);
	end);

	it("shows nothing where nothing is unread", function ()
		assert.equal("result", publish { fields = { ["message-count"] = "0" } });
		app:expect_no_push(muc);
	end);

	it("takes no node that it has not given out, nor without the secret", function ()
		local other = app:subscribe { path = "/push/other" };
		local status, _, body = app:http("POST", app:subscription(), { host = none_host });
		assert.equal(200, status);
		local foreign = require "util.json".decode(body);
		local changed = subscribed.node:sub(1, 40)..(subscribed.node:sub(41, 41) == "A" and "B" or "A")..subscribed.node:sub(42);
		for _, node in ipairs { "x", "", ("A"):rep(1024), ("A"):rep(5000), "ä", changed, foreign.node } do
			local error_type, condition = publish { node = node, secret = node == foreign.node and foreign.secret or nil };
			assert.same({ "cancel", "item-not-found" }, { error_type, condition });
		end
		for _, secret in ipairs { "x", "ä", other.secret, foreign.secret, subscribed.secret:sub(2), subscribed.secret.."A" } do
			local error_type, condition = publish { secret = secret };
			assert.same({ "auth", "forbidden" }, { error_type, condition });
		end
		local error_type, condition = app:publish(muc, { node = subscribed.node });
		assert.same({ "auth", "forbidden" }, { error_type, condition });
		-- The honest twin.
		assert.equal("result", publish());
		app.service:expect_request();
	end);

	it("sends nothing to a push service that the operator allows no more", function ()
		local function allow(services)
			app.server:admin("require 'core.configmanager'.set(..., 'web_push_services', select(2, ...))", web_push.host, services);
			app.server:reload_module("web_push_app_server", web_push.host);
		end
		allow { "push.example.net" };
		local error_type, condition = publish();
		allow { app.service.host, impostor.host, nobody };
		assert.same({ "cancel", "not-allowed" }, { error_type, condition });
		app:expect_no_push(muc);
		assert.equal("result", publish());
		app.service:expect_request();
	end);

	it("says what is wrong with what is no publish", function ()
		local xml = require "util.xml";
		for _, inner in ipairs {
			"", "<publish node='x'/>", "<publish node='x'><item/></publish>", "<create/>", "<publish><item><x xmlns='y'/></item></publish>";
			"<publish node='x'><item><notification xmlns='urn:other'/></item></publish>";
		} do
			local reply = muc:iq(st.stanza("iq", { type = "set", to = web_push.host })
				:add_child(xml.parse("<pubsub xmlns='http://jabber.org/protocol/pubsub'>"..inner.."</pubsub>")));
			local error_type, condition = reply:get_error();
			assert.same({ "modify", "bad-request" }, { error_type, condition }, inner);
		end
		local error_type, condition = app:publish(muc, { secret = subscribed.secret }); -- without a node
		assert.same({ "cancel", "item-not-found" }, { error_type, condition });
	end);

	-- A subscription of its own for each, as one that is published to too often has to wait.
	local answers = {
		{ 200, "result" }, { 202, "result" }, { 404, "cancel", "item-not-found" }, { 410, "cancel", "item-not-found" };
		{ 429, "wait", "resource-constraint" }, { 500, "wait", "resource-constraint" }, { 503, "wait", "resource-constraint" };
		{ 401, "wait", "internal-server-error", "does not accept who this is" }, { 403, "wait", "internal-server-error", "does not accept who this is" };
		{ 400, "wait", "internal-server-error", "not expected" }, { 413, "wait", "internal-server-error", "not expected" };
	};
	for _, answer in ipairs(answers) do
		it("passes on what the push service answers: "..answer[1], function ()
			app.service.answer = answer[1];
			local from = #app.server:log();
			local error_type, condition = publish { fields = { ["message-count"] = "1" } };
			app.service:expect_request();
			assert.same({ answer[2], answer[3] }, { error_type, condition });
			local warnings = table.concat(logs.entries(app.server:log(from)).warn, "\n");
			assert.equal(answer[4] ~= nil, warnings:find(answer[4] or "push service", 1, true) ~= nil, warnings);
			-- Once is enough.
			from = #app.server:log();
			publish { fields = { ["message-count"] = "1" } };
			app.service:expect_request();
			assert.same({}, logs.entries(app.server:log(from)).warn);
		end);
	end

	it("follows no redirect", function ()
		app.service.answer = { status = 302, headers = { Location = app.service.origin.."/elsewhere" } };
		local error_type, condition = publish();
		assert.same({ "wait", "internal-server-error" }, { error_type, condition });
		app.service:expect_request();
	end);

	it("signs anew for a push service that has not accepted it", function ()
		local function token() return app.service:expect_request().headers.authorization; end
		publish();
		local first = token();
		publish();
		assert.equal(first, token());
		app.service.answer = 403;
		publish();
		token();
		app.service.answer = 201;
		app.server:admin("local now = require 'util.time'.now; local start = now(); while now() - start < 1.1 do end"); -- of a later second
		publish();
		assert.not_equal(first, token());
	end);

	it("sends what is too much once more without the text", function ()
		app.service.answer = function (request) return #request.body > 1000 and 413 or 201; end
		local fields = { ["last-message-sender"] = summary["last-message-sender"], ["last-message-body"] = ("x"):rep(500) };
		assert.equal("result", publish { fields = fields });
		assert.equal(1127, #app.service:expect_request().body);
		assert.same({ service = "users.localhost", room = "den@conference.example.com", sender = "Älice" }, (app:expect_push()));
	end);

	it("leaves one subscription alone for as long as the push service says", function ()
		app.service.answer = { status = 429, headers = { ["Retry-After"] = "2" } };
		assert.same({ "wait", "resource-constraint" }, { (publish()), (select(2, publish())) });
		app.service:expect_request();
		app.service.answer = 201;
		local error_type, condition = publish();
		assert.same({ "wait", "resource-constraint" }, { error_type, condition });
		app:expect_no_push(muc);
		local other = app:subscribe { path = "/push/another" };
		assert.equal("result", publish { node = other.node, secret = other.secret });
		app.service:expect_request();
		assert.truthy(loop.wait_until(function () return publish() == "result"; end, nil, 0.4));
		app.service:expect_request();
	end);

	it("leaves a push service alone for as long as it says", function ()
		app.service.answer = { status = 503, headers = { ["Retry-After"] = "2" } };
		publish();
		app.service:expect_request();
		app.service.answer = 201;
		local other = app:subscribe { path = "/push/another" };
		local error_type, condition = publish { node = other.node, secret = other.secret };
		assert.same({ "wait", "resource-constraint" }, { error_type, condition });
		app:expect_no_push(muc);
		assert.truthy(loop.wait_until(function () return publish { node = other.node, secret = other.secret } == "result"; end, nil, 0.4));
		app.service:expect_request();
	end);

	it("says so where the push service does not answer", function ()
		app.service.answer = "silence";
		-- Half a minute is a twentieth of a second.
		app.server:admin([[
			local module = prosody.hosts[...].modules.web_push_app_server.module;
			local add_timer = module.add_timer;
			function module:add_timer(seconds, ...) return add_timer(self, seconds == 30 and 0.05 or seconds, ...); end
		]], web_push.host);
		local error_type, condition = publish();
		assert.same({ "wait", "remote-server-timeout" }, { error_type, condition });
		app.service:expect_request();
		app.server:admin("prosody.hosts[...].modules.web_push_app_server.module.add_timer = nil", web_push.host);
	end);

	it("says so once where nobody is there", function ()
		local id = stream.new_id();
		local iq = web_push.publish(app:subscribe { endpoint = "https://"..nobody.."/push/1" });
		iq.attr.id = id;
		muc:send(iq);
		local error_type, condition = muc:expect({ id = id }):get_error();
		assert.same({ "wait", "remote-server-timeout" }, { error_type, condition });
		muc:expect_nothing({ id = id }, 0.5);
	end);

	it("tells nothing to whoever has no certificate for the name", function ()
		local other = app:subscribe { endpoint = impostor.origin.."/push/1" };
		local error_type, condition = publish { node = other.node, secret = other.secret };
		assert.same({ "wait", "remote-server-timeout" }, { error_type, condition });
		assert.equal(1, impostor.connections);
		assert.same({}, impostor.requests);
	end);

	it("says so where the push service hangs up", function ()
		app.service.answer = "silence";
		local id = stream.new_id();
		local iq = web_push.publish { node = subscribed.node, secret = subscribed.secret };
		iq.attr.id = id;
		muc:send(iq);
		app.service:expect_request();
		app.service:clear();
		local error_type, condition = muc:expect({ id = id }):get_error();
		assert.same({ "wait", "remote-server-timeout" }, { error_type, condition });
	end);

	it("does not push to one browser too often", function ()
		local results, refused, begun = 0, 0, loop.now();
		for _ = 1, 40 do
			local answer, condition = publish { fields = {} };
			if answer == "result" then
				results = results + 1;
			else
				assert.same({ "wait", "resource-constraint" }, { answer, condition });
				refused = refused + 1;
			end
		end
		-- One more a second.
		assert.is_true(results >= 30 and results <= 31 + loop.now() - begun, results);
		assert.equal(40, results + refused);
		assert.equal(results, #app.service.requests);
		app.service:clear();
	end);

	it("has so many requests under way to a push service, and the rest wait", function ()
		app.service.answer = "silence";
		local ids = {};
		app.server:reload_module("web_push_app_server", web_push.host); -- nothing is known of this address
		for i = 1, 100 do
			if i % 50 == 0 then app.server:reload_module("web_push_app_server", web_push.host); end
			local other = app:subscribe { path = "/push/many/"..i };
			ids[i] = { node = other.node, secret = other.secret };
		end
		local before = app.service.connections;
		for i, each in ipairs(ids) do
			local iq = web_push.publish(each);
			iq.attr.id = "many-"..i;
			muc:send(iq);
		end
		assert.truthy(loop.wait_until(function () return app.service.connections - before == 64; end));
		app.server:settle();
		loop.turn(0.2);
		assert.equal(64, app.service.connections - before);
		app.service:clear();
		app.service.answer = 201;
		local failed = 0;
		for i = 1, 100 do
			local answer = muc:expect { id = "many-"..i };
			if answer.attr.type == "error" then failed = failed + 1; end
		end
		assert.equal(64, failed);
		assert.equal(36, #app.service.requests);
		app.service:clear();
	end);

	it("logs no node, no secret, no endpoint and no text", function ()
		publish { fields = summary };
		app.service:expect_request();
		assert.logs_no_secret(app.server, { "See you", "/push/", "A[%w_-]"..("[%w_-]"):rep(60), web_push.browser.auth });
		local log = app.server:log();
		for _, secret in ipairs { subscribed.node, subscribed.secret, "See you" } do
			assert.is_nil(log:find(secret, 1, true));
		end
	end);
end);
