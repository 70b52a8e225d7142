-- The module comes and goes: reloads, several services in one server, and places where it does not belong.

local st = require "util.stanza";

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local service = "conference.localhost";
local other_service = "rooms.elsewhere.example";
local hasty_service = "hasty.localhost";
local transient = { type = "wait", condition = "resource-constraint" };
local persistent = { type = "cancel", condition = "item-not-found" };
local reply_timeout = 1;

versions.describe("lifecycle", function (version)
	local server, muc, app;

	local function with(options)
		local all = {
			modules_enabled = { "muc_cloud_notify" };
			muc_push_default = "always";
			muc_room_default_persistent = true;
			push_max_errors = 3;
		};
		for name, value in pairs(options) do
			all[name] = value;
		end
		return all;
	end

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			hosts = { localhost = { modules_enabled = { "muc_cloud_notify" } }, ["other.example"] = {} };
			internal = { ["pubsub.localhost"] = { module = "pubsub", modules_enabled = { "muc_cloud_notify" } } };
			muc = with { muc_push_retry_delay = 0.2 };
			mucs = {
				[other_service] = with { push_max_devices = 1 };
				[hasty_service] = with { muc_push_reply_timeout = reply_timeout, muc_push_retry_delay = 0.1 };
			};
		});
		app = muc.app;
	end);

	after_each(function ()
		app:start_anew();
	end);

	for _, host in ipairs { "localhost", "pubsub.localhost" } do
		it("says that it does not belong under " .. host .. ", and the server runs", function ()
			local errors = muc:errors_at(host);
			assert.equal(1, #errors);
			assert.truthy(errors[1]:find("mod_muc_cloud_notify belongs under a MUC component", 1, true), errors[1]);
			assert.equal("error", (server:admin("return prosody.hosts[...].modules.muc_cloud_notify.module:get_status()", host)));
			local reply = muc.bob:enable { jid = app.jid, node = "n1", to = host };
			assert.equal("error", reply.attr.type);
			assert.same({}, muc:errors_at(service));
			local _, room = muc:new_device("n1");
			assert.same({ "n1" }, (muc:pushed(room)));
		end);
	end

	it("keeps registrations, the count and presence over a reload", function ()
		local user, room = muc:new_device("n1");
		local _, other_room = muc:new_device("n2");
		muc:say(room);
		user:join(room, "member");
		muc:say(other_room);
		for _, name in ipairs { "muc_cloud_notify", "muc", "muc_cloud_notify" } do
			server:reload_module(name);
			assert.same({}, (muc:pushed(room)));
		end
		local nodes, pushes = muc:pushed(other_room);
		assert.same({ "n2" }, nodes);
		assert.equal("2", pushes.n2.count);
		user:leave(room);
		assert.same({ "n1" }, (muc:pushed(room)));
		user:disable { jid = app.jid };
		assert.same({}, (muc:pushed(room)));
	end);

	it("goes on with rooms, members and devices after a reload of mod_muc", function ()
		local user, room, bare_jid = muc:new_device("n1");
		assert.same({ "n1" }, (muc:pushed(room)));
		server:reload_module("muc");
		local later_user, later_room = muc:new_member();
		assert.same({}, (muc:pushed(later_room)));
		assert.equal("result", later_user:enable({ jid = app.jid, node = "n2" }).attr.type);
		assert.same({ "n2" }, (muc:pushed(later_room)));
		muc.bob:affiliate(later_room, bare_jid, "member");
		assert.same({ "n1", "n2" }, (muc:pushed(later_room)));
		user:join(later_room, "member");
		assert.same({ "n2" }, (muc:pushed(later_room)));
		assert.same({ "n1" }, (muc:pushed(room)));
	end);

	for _, name in ipairs { "muc_cloud_notify", "muc" } do
		it("takes an answer after a reload of " .. name, function ()
			local _, room = muc:new_device("n1");
			app.answer = "silence";
			muc:say(room);
			local push = app:expect_push();
			muc:say(room);
			server:reload_module(name);
			app:expect_no_push();
			muc:say(room);
			app:expect_no_push();
			app:reply(push, "result");
			local second = app:expect_push();
			assert.equal("3", second.count);
			server:reload_module(name);
			app:reply(second, "result");
			app:expect_no_push();
		end);

		it("sends unanswered pushes again after a reload of " .. name, function ()
			local _, room = muc:new_device("n1");
			app.answer = transient;
			muc:say(room);
			local push = app:expect_push();
			app:clear(); -- on a slow machine it was sent again already
			app.answer = "result";
			server:reload_module(name);
			local again = app:expect_push();
			assert.equal("1", again.count);
			assert.is_not.equal(push.id, again.id);
			app:expect_no_push();
		end);
	end

	-- Prosody keeps a timer until its time has come, and with it the module that set it.
	for _, name in ipairs { "muc_cloud_notify", "muc_undelivered" } do
		it("leaves nothing of "..name.." in memory that was reloaded", function ()
			local _, room = muc:new_device("n1");
			app.answer = "silence";
			muc:say(room);
			local push = app:expect_push(); -- for whose answer there is a timer
			server:admin([[
				local host, name = ...;
				prosody.before_reload = setmetatable({ prosody.hosts[host].modules[name] }, { __mode = "v" });
			]], service, name);
			server:reload_module(name);
			assert.is_true(server:admin([[
				local host, name = ...;
				collectgarbage(); collectgarbage();
				return prosody.before_reload[1] == nil and prosody.hosts[host].modules[name] ~= nil;
			]], service, name));
			app:reply(push, "result");
			app:expect_no_push();
		end);
	end

	it("notices after a reload that there was no answer", function ()
		local _, room = muc:new_device("n1", hasty_service);
		app.answer = "silence";
		local asked = loop.now();
		muc:say(room);
		local push = app:expect_push();
		app:clear(); -- on a slow machine it was sent again already
		app.answer = "result";
		server:reload_module("muc_cloud_notify", hasty_service);
		local again = app:expect_push();
		assert.is_true(loop.now() - asked >= reply_timeout);
		assert.is_not.equal(push.id, again.id);
		app:expect_no_push();
	end);

	it("counts errors over a reload", function ()
		local _, room = muc:new_device("n1");
		app.answer = persistent;
		for _ = 1, 2 do
			assert.same({ "n1" }, (muc:pushed(room)));
		end
		server:reload_module("muc_cloud_notify");
		assert.same({ "n1" }, (muc:pushed(room)));
		assert.same({}, (muc:pushed(room)));
	end);

	it("reads its options again with a reload", function ()
		local _, room = muc:new_device("n1");
		local function body()
			local _, pushes = muc:pushed(room);
			return pushes.n1.summary["last-message-body"];
		end
		assert.equal("New Message!", body());
		server:reconfigure { push_notification_with_body = true };
		server:reload_config();
		server:reload_module("muc_cloud_notify");
		assert.equal("hello", body());
		server:reconfigure { push_notification_with_body = false };
		server:reload_config();
		server:reload_module("muc_cloud_notify");
		assert.equal("New Message!", body());
	end);

	it("announces itself once after reloads, and not at all when unloaded", function ()
		local function announced()
			local reply = muc.bob:iq(st.stanza("iq", { type = "get", to = service })
				:tag("query", { xmlns = "http://jabber.org/protocol/disco#info" }):reset());
			local _, count = tostring(reply):gsub("urn:xmpp:push:0", "");
			return count;
		end
		assert.equal(1, announced());
		server:reload_module("muc_cloud_notify");
		assert.equal(1, announced());
		local _, room = muc:new_device("n1");
		server:admin("return require 'core.modulemanager'.unload(module.host, 'muc_cloud_notify')");
		assert.equal(0, announced());
		assert.same({}, (muc:pushed(room)));
		server:admin("return require 'core.modulemanager'.load(module.host, 'muc_cloud_notify') and true");
		assert.equal(1, announced());
		assert.same({ "n1" }, (muc:pushed(room)));
	end);

	it("does not mix two services", function ()
		local user, room, bare_jid = muc:new_member();
		local other_room = muc:new_room({ bare_jid }, other_service);
		local function enable(node, to)
			assert.equal("result", user:enable({ jid = app.jid, node = node, to = to }).attr.type);
		end
		local function first_push(where, node)
			local nodes, pushes = muc:pushed(where);
			assert.same({ node }, nodes);
			return { pushes[node].from, pushes[node].count };
		end
		enable("here", service);
		assert.same({}, (muc:pushed(other_room)));
		enable("there", other_service);
		assert.same({ service, "1" }, first_push(room, "here"));
		assert.same({ service, "2" }, first_push(room, "here"));
		assert.same({ other_service, "1" }, first_push(other_room, "there"));
		-- push_max_devices is 1 there.
		enable("there too", other_service);
		assert.same({ other_service, "1" }, first_push(other_room, "there too"));
		assert.same({ service, "3" }, first_push(room, "here"));
		server:reload_module("muc_cloud_notify", other_service);
		assert.same({ service, "4" }, first_push(room, "here"));

		app.answer = persistent;
		for count = 5, 6 do
			assert.same({ service, tostring(count) }, first_push(room, "here"));
			assert.same({ other_service, tostring(count - 3) }, first_push(other_room, "there too"));
		end
		app.answer = "result";
		user:disable { jid = app.jid, to = other_service };
		assert.same({}, (muc:pushed(other_room)));
		assert.same({ service, "7" }, first_push(room, "here"));
	end);

	it("takes no answer that is for another service", function ()
		local _, room = muc:new_device("n1");
		app.answer = "silence";
		muc:say(room);
		local push = app:expect_push();
		muc:say(room);
		local reply = st.reply(push.stanza);
		reply.attr.to = other_service;
		app.component:send(reply);
		app:expect_no_push();
		app:reply(push, "result");
		assert.equal("2", app:expect_push().count);
	end);

	it("has logged no error where it belongs", function ()
		for _, host in ipairs { service, other_service, hasty_service } do
			assert.same({}, muc:errors_at(host));
		end
	end);

	it("goes on where it was when a reload has failed and another does not", function ()
		local function reload(library)
			server:reconfigure { muc_cloud_notify_library = prosody.root .. library };
			server:reload_config();
			server:reload_module("muc_cloud_notify");
		end
		local user, room, bare_jid = muc:new_device("n1");
		app.answer = "silence";
		muc:say(room);
		local push = app:expect_push();
		muc:say(room);
		user:join(room, "member");
		user:leave(room);
		muc:say(room);
		reload("/missing.so");
		assert.equal(1, #muc:errors_at(service));
		local other_room = muc:new_room();
		muc:say(other_room);
		user:join(room, "member");
		muc.bob:affiliate(other_room, bare_jid, "member");
		reload("/muc_cloud_notify.so");
		muc:say(room);
		app:reply(push, "result"); -- nothing more is to be pushed: they are in the room
		app:expect_no_push();
		muc:say(other_room);
		assert.equal("1", app:expect_push().count);
	end);
end);
