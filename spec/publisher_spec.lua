-- From whom publishes leave (muc_push_from): some app servers know a node only by the domain of the account that it was registered for.

local st = require "util.stanza";

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local tables = require "harness.tables";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local other_muc, usual_muc, bad_muc = "other-muc.localhost", "usual-muc.localhost", "bad-muc.localhost";

local muc_options = muc_service.with_body {
	muc_push_default = "always", muc_room_default_persistent = true, push_max_errors = 1, muc_push_retry_delay = 0.1;
};

local function from_account(options)
	return tables.merge(tables.merge({ muc_push_from = { ["PUSH.localhost"] = "account", ["app.localhost"] = "account" } }, muc_options), options);
end

-- As p2, the app server of Conversations: targets are found by the domain of the publisher and the node. Each node begins with its
-- domain.
local function answer_as_p2(push)
	if push.node:find(push.from .. " ", 1, true) == 1 then return "result"; end
	return { type = "cancel", condition = "item-not-found" };
end

versions.describe("the publisher", function (version)
	local server, muc, count;

	lazy_setup(function ()
		count = 0;
		server, muc = muc_service.start(version, {
			c2s = true;
			community_modules = true;
			plugin_paths = { prosody.root .. "/spec/support/modules" };
			hosts = { localhost = { modules_enabled = { "cloud_notify" } }, ["second.localhost"] = {} };
			muc = from_account();
			mucs = {
				[other_muc] = from_account(), [usual_muc] = muc_options;
				[bad_muc] = tables.merge({ muc_push_from = { ["push.localhost"] = "accounts" } }, muc_options);
			};
			internal = { ["app.localhost"] = { module = "spec_app" } };
		});
		server:admin [[
			module.answers = {};
			module:hook_object_event(prosody.hosts.localhost.events, "iq/host", function (event)
				if event.stanza.attr.type ~= "set" then table.insert(module.answers, event.stanza.attr.id); end
			end, 5);
		]];
	end);

	-- What else comes to a host as an answer to an IQ, to whomever: the ids.
	local function take_answers()
		return server:admin "local answers = module.answers; module.answers = {}; return answers";
	end

	before_each(function ()
		count = count + 1;
		muc.app:start_anew();
		take_answers();
		muc.app.answer = answer_as_p2;
	end);

	-- A client of a new account with a device, whose node has the host of the account in it, and a room of a service that it is a
	-- member of.
	local function new_device(host, service, app_server)
		local client = server:client(("ann-%d@%s/phone"):format(count, host), { stream_management = false });
		local reply = client:enable { to = service, jid = app_server or muc.app.jid, node = host .. " node" };
		assert.equal("result", reply.attr.type);
		return client, muc:new_room({ client.bare_jid }, service);
	end

	-- What is pushed for a message: from where, how often something is unread, and the text.
	local function told(room, body)
		muc:say(room, body);
		muc.app.component:sync();
		local pushes = {};
		for _, push in ipairs(muc.app.pushes) do
			table.insert(pushes, ("%s %s %s"):format(push.from, push.count, push.summary["last-message-body"]));
		end
		muc.app:clear();
		return pushes;
	end

	local function in_flight(service)
		return server:admin("return prosody.hosts[...].modules.muc_cloud_notify.stats().in_flight", service or server.muc_host);
	end

	local function is_registered(client, service)
		return server:admin([[
			return require "core.storagemanager".open((...), "muc_cloud_notify"):get((select(2, ...))) ~= nil;
		]], service or server.muc_host, client.bare_jid);
	end

	it("is the host of the account, where the option says so of the app server", function ()
		for _, host in ipairs { "localhost", "second.localhost" } do
			local _, room = new_device(host);
			for number, body in ipairs { "one", "two", "three" } do
				assert.same({ ("%s %d %s"):format(host, number, body) }, told(room, body));
			end
			assert.equal(0, in_flight());
		end
	end);

	it("is the MUC service for app servers that the option does not name", function ()
		local ann, room = new_device("localhost", usual_muc);
		assert.same({ usual_muc .. " 1 hello" }, told(room));
		server:settle();
		assert.is_false(is_registered(ann, usual_muc));
	end);

	it("is the MUC service where the option makes no sense", function ()
		muc.app.answer = "result";
		local _, room = new_device("localhost", bad_muc);
		assert.same({ bad_muc .. " 1 hello" }, told(room));
	end);

	it("is the MUC service for users of other servers", function ()
		muc.app.answer = "result";
		local _, room = muc:new_device "node";
		assert.same({ server.muc_host .. " 1 hello" }, told(room));
		assert.same({ server.muc_host .. " 2 again" }, told(room, "again"));
	end);

	it("gets the errors", function ()
		local ann, room = new_device "localhost";
		muc.app.answer = { type = "cancel", condition = "item-not-found" };
		assert.same({ "localhost 1 hello" }, told(room));
		server:settle();
		assert.is_false(is_registered(ann));
	end);

	it("gets errors that pass, after which it is tried again from there", function ()
		local _, room = new_device "localhost";
		muc.app.answer = { type = "wait", condition = "resource-constraint" };
		muc:say(room, "hello");
		assert.equal("localhost", muc.app:expect_push().from);
		local taken;
		muc.app.answer = function (push)
			taken = push.from;
			return "result";
		end;
		assert.is_true(loop.wait_until(function () return taken and in_flight() == 0; end));
		assert.equal("localhost", taken);
	end);

	it("takes no answer from anybody else, and leaves all other answers alone", function ()
		local _, room = new_device "localhost";
		muc.app.answer = "silence";
		muc:say(room, "hello");
		local push = muc.app:expect_push();
		local stranger = server:user "stranger@users.localhost/phone";
		stranger:send(st.iq { type = "result", id = push.id, from = stranger.jid, to = "localhost" });
		stranger:send(st.iq { type = "result", id = "of-somebody-else", from = stranger.jid, to = "localhost" });
		stranger.component:sync();
		assert.equal(1, in_flight());
		assert.same({ push.id, "of-somebody-else" }, take_answers());
		muc.app:reply(push, "result");
		muc.app.component:sync();
		assert.equal(0, in_flight());
		assert.same({}, take_answers());
	end);

	it("leaves to mod_cloud_notify there what answers its pushes", function ()
		local name = ("eve-%d@localhost"):format(count);
		local eve = server:client(name .. "/phone", { stream_management = false });
		assert.equal("result", eve:enable({ to = name, jid = muc.app.jid, node = "of the account" }).attr.type);
		eve:close();
		local _, room = new_device "localhost";
		muc.app.answer = function (push)
			return push.node == "of the account" and { type = "cancel", condition = "item-not-found" } or "result";
		end;
		muc:say(room, "hello");
		muc.bob:send(st.message({ type = "chat", from = muc.bob.jid, to = name }, "hello"));
		local push = muc.app:expect_push_for "of the account";
		muc.app:expect_push_for "localhost node";
		muc.app.component:sync();
		assert.same({ push.id }, take_answers());
		assert.equal(0, in_flight());
		assert.truthy(server:log():find("error count for this identifier is now at 1", 1, true));
	end);

	it("serves several MUC services, each with its own answers", function ()
		local _, room = new_device "localhost";
		local _, other_room = new_device("second.localhost", other_muc);
		muc.app.answer = "silence";
		muc:say(room, "one");
		muc:say(other_room, "two");
		local push, other_push = muc.app:expect_push_for "localhost node", muc.app:expect_push_for "second.localhost node";
		assert.same({ 1, 1 }, { in_flight(), in_flight(other_muc) });
		muc.app:reply(other_push, "result");
		muc.app.component:sync();
		assert.same({ 1, 0 }, { in_flight(), in_flight(other_muc) });
		muc.app:reply(push, "result");
		muc.app.component:sync();
		assert.same({ 0, 0 }, { in_flight(), in_flight(other_muc) });
	end);

	it("is what other modules see", function ()
		server:admin [[
			local muc = prosody.hosts[module.host].modules.muc_cloud_notify.module;
			module.seen = {};
			module:hook("cloud_notify/push", function (event)
				table.insert(module.seen, event.notification_stanza.attr.from.." "..event.username);
			end);
		]];
		local ann, room = new_device "localhost";
		assert.same({ "localhost 1 hello" }, told(room));
		assert.same({ "localhost " .. ann.bare_jid }, server:admin "return module.seen");
	end);

	it("is asked by an app server in the same process, which answers while it is sent to", function ()
		server:admin [[
			local st = require "util.stanza";
			local app = prosody.hosts["app.localhost"].modules.spec_app.module;
			module.from = {};
			app.behave = function (event)
				table.insert(module.from, event.stanza.attr.from);
				table.insert(module.from, event.origin.host);
				event.origin.send(st.reply(event.stanza));
				return true;
			end;
		]];
		local _, room = new_device("localhost", nil, "app.localhost");
		muc:say(room, "one");
		muc:say(room, "two");
		server:settle();
		assert.same({ "localhost", "localhost", "localhost", "localhost" }, server:admin "return module.from");
		assert.equal(0, in_flight());
	end);

	it("has its answers taken across a reload, and leaves nothing behind", function ()
		local function handlers()
			return server:admin [[
				local count = 0;
				for _, event in ipairs { "iq/host", "s2sout-established", "s2sin-destroyed" } do
					for _ in pairs(prosody.hosts["second.localhost"].events._event_map[event] or {}) do count = count + 1; end
				end
				return count;
			]];
		end
		local _, room = new_device "second.localhost";
		local before = handlers();
		muc.app.answer = "silence";
		muc:say(room, "hello");
		local push = muc.app:expect_push();
		muc:manage "reload";
		assert.equal(before, handlers());
		assert.equal(1, in_flight());
		muc.app:reply(push, "result");
		muc.app.component:sync();
		assert.equal(0, in_flight());
		muc:manage "unload";
		assert.equal(before - 3, handlers());
		muc:manage "load";
		assert.equal(before, handlers());
	end);

	it("may be a host that is activated later", function ()
		server:admin [[assert(require "core.hostmanager".activate("late.localhost", {}));]];
		local _, room = new_device "late.localhost";
		assert.same({ "late.localhost 1 one" }, told(room, "one"));
		assert.same({ "late.localhost 2 two" }, told(room, "two"));
		assert.equal(0, in_flight());
	end);
end);

versions.describe("a publisher that has lost its link", function (version)
	local near, far, muc, app;

	lazy_setup(function ()
		near = prosody.start {
			version = version, c2s = true, s2s = "dialback", components = { "users.localhost", "push.localhost" };
			muc = muc_service.with_body { muc_push_default = "always", muc_push_from = { ["push.far.example"] = "account" } };
		};
		far = prosody.start {
			version = version, s2s = "dialback", hosts = { ["far.example"] = {} }, muc_host = "rooms.far.example", components = { "push.far.example" };
		};
		muc = muc_service.new(near);
		app = far:app_server "push.far.example";
	end);

	lazy_teardown(prosody.close_all);

	local function close_links(host)
		near:admin("for _, session in pairs(prosody.hosts[...].s2sout) do session:close(); end", host);
	end

	it("sends again what was on its way from there, and that alone", function ()
		local ann, bob = near:client("ann@localhost/phone", { stream_management = false }), near:user "eve@users.localhost/phone";
		for node, user in pairs { ann = ann, eve = bob } do
			assert.equal("result", user:enable({ jid = app.jid, node = node }).attr.type);
		end
		local room = muc:new_room { ann.bare_jid, bob.bare_jid };
		muc:say(room, "one");
		assert.equal("localhost", app:expect_push_for("ann").from);
		assert.equal(near.muc_host, app:expect_push_for("eve").from);
		near:settle();
		app.answer = "silence";
		muc:say(room, "two");
		app:expect_push_for "ann";
		app:expect_push_for "eve";
		app:clear();
		close_links "localhost";
		local again = app:expect_push_for "ann";
		assert.same({ "localhost", "2" }, { again.from, again.count });
		assert.is_nil(app.pushes[1]);
		close_links(near.muc_host);
		again = app:expect_push_for "eve";
		assert.same({ near.muc_host, "2" }, { again.from, again.count });
	end);
end);
