-- Answers of app servers: which count, what they lead to, and what happens without any.

local st = require "util.stanza";

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local before_due = require "spec.support.before_due";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local hasty_service = "hasty.localhost";
local persistent = { type = "cancel", condition = "item-not-found" };
local reply_timeout = 1;

versions.describe("replies", function (version)
	local server, muc, app, mallory;

	lazy_setup(function ()
		local options = {
			modules_enabled = { "muc_cloud_notify" };
			muc_push_default = "always";
			muc_room_default_persistent = true;
		};
		local hasty_options = { muc_push_reply_timeout = reply_timeout, muc_push_retry_delay = 0.1 };
		for name, value in pairs(options) do
			hasty_options[name] = value;
		end
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost", "elsewhere.example" };
			muc = options;
			mucs = { [hasty_service] = hasty_options };
		};
		muc = muc_service.new(server);
		app = muc.app;
		mallory = server:component("elsewhere.example");
	end);

	after_each(function ()
		app:start_anew();
	end);

	-- A push that is in flight, with a message that waits for its answer.
	local function in_flight()
		local user, room = muc:new_device("n1");
		app.answer = "silence";
		muc:say(room);
		local push = app:expect_push();
		muc:say(room);
		app:expect_no_push();
		return push, room, user;
	end

	local function assert_still_in_flight(push)
		app:expect_no_push();
		app:reply(push, "result");
		assert.equal("2", app:expect_push().count);
	end

	local function as_if_from(jid, push, kind)
		local reply = kind == "error" and st.error_reply(push.stanza, "cancel", "item-not-found") or st.reply(push.stanza);
		reply.attr.from = jid;
		return reply;
	end

	it("count when they come from the app server that was asked", function ()
		assert_still_in_flight((in_flight()));
	end);

	for _, kind in ipairs { "result", "error" } do
		it("do not count when they come from somebody else: " .. kind, function ()
			local push = in_flight();
			for _, jid in ipairs { "elsewhere.example", "push.localhost@elsewhere.example", "x@elsewhere.example/push.localhost" } do
				mallory:send(as_if_from(jid, push, kind));
			end
			for _, jid in ipairs { "x@push.localhost", "push.localhost/x" } do
				app.component:send(as_if_from(jid, push, kind));
			end
			assert_still_in_flight(push);
		end);

		it("do not count with an id that is not ours: " .. kind, function ()
			local push = in_flight();
			for _, id in ipairs { push.id .. "0", push.id:sub(1, -2), push.id:upper() .. "X", "", "1" } do
				local reply = as_if_from(app.jid, push, kind);
				reply.attr.id = id;
				app.component:send(reply);
			end
			assert_still_in_flight(push);
		end);

		it("count once: " .. kind, function ()
			local first, room = in_flight();
			app:reply(first, "result");
			local second = app:expect_push();
			muc:say(room);
			for _ = 1, 4 do
				app:reply(first, kind == "result" and "result" or persistent);
			end
			app:expect_no_push();
			app:reply(second, "result");
			assert.equal("3", app:expect_push().count);
		end);

		it("do not matter for a device that was disabled: " .. kind, function ()
			local push, room, user = in_flight();
			user:disable { jid = app.jid, node = "n1" };
			app:reply(push, kind == "result" and "result" or persistent);
			app:expect_no_push();
			muc:say(room);
			app:expect_no_push();
			assert.equal("result", user:enable({ jid = app.jid, node = "n1" }).attr.type);
			muc:say(room);
			assert.equal("1", app:expect_push().count);
		end);
	end

	it("are not mixed up with bounces of our own answers to clients", function ()
		local push, _, user = in_flight();
		for _, payload in ipairs { "enable", "disable" } do
			local reply = user:iq(st.stanza("iq", { type = "set", to = server.muc_host, id = "client's own " .. payload })
				:tag(payload, { xmlns = "urn:xmpp:push:0", jid = app.jid, node = "other" }):reset());
			assert.equal("result", reply.attr.type);
			user:send(st.error_reply(reply, "cancel", "recipient-unavailable"));
			user:send(st.stanza("iq", { type = "error", to = server.muc_host, id = reply.attr.id })
				:tag("error", { type = "cancel", by = "users.localhost" }));
			-- Even where the client has chosen the id of a push.
			user:send(st.stanza("iq", { type = "error", to = server.muc_host, id = push.id }));
		end
		assert_still_in_flight(push);
	end);

	it("are not waited for longer than muc_push_reply_timeout", function ()
		local user, room;
		local function begin_anew()
			if user then user:disable { jid = app.jid, to = hasty_service }; end
			app:start_anew();
			user, room = muc:new_device("n1", hasty_service);
			app.answer = "silence";
		end
		before_due(reply_timeout, function (begin_second)
			local asked, first;
			before_due(reply_timeout, function (begin)
				begin_anew();
				begin();
				asked = loop.now();
				muc:say(room);
				first = app:expect_push();
				muc:say(room);
				app:expect_no_push();
			end);
			local second = app:expect_push();
			begin_second();
			assert.is_true(loop.now() - asked >= reply_timeout);
			assert.equal("2", second.count);
			assert.is_not.equal(first.id, second.id);
			muc:say(room);
			app:reply(first, "result"); -- too late, and so no answer to the second
			app:expect_no_push();
			app:reply(second, "result");
		end);
		local third = app:expect_push();
		assert.equal("3", third.count);
		app:reply(third, "result");
	end);

	it("have caused no error", function ()
		assert.log_is_clean(server);
	end);
end);
