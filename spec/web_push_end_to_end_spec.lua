-- From a message in a room to what the browser of a member who is away can read: with the app server in the Prosody of the MUC
-- service, where it is called from inside of module:send, and in another one.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local tables = require "harness.tables";

local engine_faults = require "spec.support.engine_faults";
local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

local muc_options = { modules_enabled = { "muc_cloud_notify" }, muc_push_default = "always", muc_push_retry_delay = 0.1 };
local telling = { push_notification_with_body = true, push_notification_with_sender = true };

versions.describe("a message in a room", function (version)
	local app, server, bob;
	local room_count = 0;

	-- Carol, a member of a new room who is not there, has a browser.
	local function new_member(path)
		room_count = room_count + 1;
		local room = ("den-%d@%s"):format(room_count, server.muc_host);
		local carol = server:user(("carol-%d@users.localhost/converse"):format(room_count));
		bob:create_room(room, "Bob");
		bob:affiliate(room, carol.bare_jid, "member");
		local subscribed = app:subscribe { path = path };
		local function enable()
			return carol:enable { jid = subscribed.jid, node = subscribed.node, form = { { "secret", subscribed.secret } } }.attr.type;
		end
		assert.equal("result", enable());
		return room, carol, enable;
	end

	local function has_device(user)
		return server:admin([[
			return prosody.hosts[module.host].modules.muc_cloud_notify.module:open_store():get((...)) ~= nil;
		]], user.bare_jid);
	end

	-- errors: how many such answers end a registration
	local function it_all_works(errors)
		it("comes to the browser of a member who is away", function ()
			local room, carol = new_member "/push/1";
			bob:say(room, "See you at eight");
			local text, request = app:expect_push();
			assert.same({ service = server.muc_host, count = 1, room = room, sender = "Bob", text = "See you at eight" }, text);
			assert.equal("/push/1", request.path);
			bob:say(room, "or at nine");
			text = app:expect_push();
			assert.same({ 2, "or at nine" }, { text.count, text.text });
			-- Whoever is there has read it.
			carol:join(room, "Carol");
			bob:say(room, "hello");
			app:expect_no_push(bob);
			assert.log_is_clean(server);
			assert.log_is_clean(app.server);
		end);

		it("comes once to a browser that has subscribed twice", function ()
			local room, _, enable = new_member "/push/2";
			assert.equal("result", enable());
			bob:say(room, "hello");
			app:expect_push();
			app:expect_no_push(bob);
		end);

		it("comes later where the push service cannot take it now", function ()
			local room = new_member "/push/3";
			app.service.answer = 503;
			bob:say(room, "hello");
			app.service:expect_request();
			app.service.answer = 201;
			local text = app:expect_push();
			assert.equal("hello", text.text);
		end);

		it(("ends the registration of a browser whose subscription has ended, after %d pushes"):format(errors), function ()
			local room, carol = new_member "/push/4";
			for i = 1, errors do
				assert.is_true(has_device(carol));
				app.service.answer = i < errors and 404 or 410;
				bob:say(room, "@carol hello "..i, ("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:%s'/>"):format(carol.bare_jid));
				app.service:expect_request();
				server:settle();
			end
			assert.truthy(loop.wait_until(function () return not has_device(carol); end, nil, 0.02));
			app.service.answer = 201;
			bob:say(room, "hello again");
			app:expect_no_push(bob);
		end);
	end

	after_each(function () app.service:clear(); end);

	-- What is said does not leave the server, so it is told whatever the options say.
	describe("with an app server in the same Prosody", function ()
		lazy_setup(function ()
			app = web_push.start(version, { muc = muc_options, components = { "users.localhost", "other.localhost" } });
			server = app.server;
			bob = server:user("bob@users.localhost/desk");
		end);
		lazy_teardown(function () app:close(); end);
		it_all_works(1);

		it("is told to no other app server, also where both hear of it", function ()
			local other = server:app_server("other.localhost");
			local room, carol = new_member "/push/5";
			assert.equal("result", carol:enable({ jid = "other.localhost", node = "other" }).attr.type);
			local function is_told_once(count)
				local push = other:expect_push();
				assert.same({ FORM_TYPE = "urn:xmpp:push:summary", ["message-count"] = count, ["last-message-body"] = "New Message!" }, push.summary);
				assert.is_nil(tostring(push.stanza):find("secret", 1, true));
			end
			bob:say(room, "a secret");
			is_told_once "1";
			assert.equal("a secret", app:expect_push().text);
			-- Nor later, when it stands for more than one message.
			other.answer = { type = "wait", condition = "resource-constraint" };
			bob:say(room, "another secret");
			is_told_once "2";
			app:expect_push();
			bob:say(room, "a third secret");
			app:expect_push();
			other.answer = "result";
			assert.truthy(loop.wait_until(function ()
				local push = other:next_push(0.1);
				assert.is_nil(push and tostring(push.stanza):find("secret", 1, true));
				return push and push.count == "3";
			end));
			assert.is_nil(server:log():find("secret", 1, true));
		end);

		it("is told in a publish that mentions somebody as such", function ()
			local room, carol = new_member "/push/6";
			bob:say(room, "carol, are you there?", ("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:%s'/>"):format(carol.bare_jid));
			local text, request = app:expect_push();
			assert.is_true(text.important);
			assert.equal("high", request.headers.urgency);
			bob:say(room, "hello");
			text, request = app:expect_push();
			assert.is_nil(text.important);
			assert.equal("normal", request.headers.urgency);
		end);

		it("is told no more once the app server is no module of this Prosody any more, and again when it is", function ()
			local room = new_member "/push/7";
			local function words_are_kept()
				bob:say(room, "a secret");
				local text = app:expect_push();
				return text.text == "a secret";
			end
			assert.is_true(words_are_kept());
			server:reload_module("web_push_app_server", web_push.host);
			assert.is_true(words_are_kept());
			server:reload_module("muc_cloud_notify");
			assert.is_true(words_are_kept());
			local shared = "local m = prosody.hosts[module.host].modules.muc_cloud_notify.module; "
				.."return next(m:shared('/*/web_push_app_server/app_servers'))";
			assert.equal(web_push.host, server:admin(shared));
			server:admin("require 'core.modulemanager'.unload(..., 'web_push_app_server')", web_push.host);
			assert.is_nil(server:admin(shared));
			server:admin("require 'core.modulemanager'.load(..., 'web_push_app_server')", web_push.host);
			assert.is_true(words_are_kept());
		end);
	end);

	describe("with an app server in another Prosody that is not told what is said", function ()
		lazy_setup(function ()
			app = web_push.start(version, {
				s2s = "dialback", muc_host = "rooms.elsewhere.localhost", hosts = { ["elsewhere.localhost"] = {} }, components = {};
			});
			server = prosody.start { version = version, s2s = "dialback", components = { "users.localhost" }, muc = muc_options };
			bob = server:user("bob@users.localhost/desk");
		end);
		lazy_teardown(function () app:close(); server:close(); end);

		it("comes as something that is there", function ()
			local room = new_member "/push/1";
			bob:say(room, "a secret");
			assert.same({ service = server.muc_host, count = 1, text = "New Message!" }, (app:expect_push()));
		end);
	end);

	describe("with an app server in another Prosody that is told", function ()
		lazy_setup(function ()
			app = web_push.start(version, {
				s2s = "dialback", muc_host = "rooms.elsewhere.localhost", hosts = { ["elsewhere.localhost"] = {} }, components = {};
			});
			server = prosody.start {
				version = version, s2s = "dialback", components = { "users.localhost" };
				muc = tables.merge(tables.merge({ push_max_errors = 3 }, muc_options), telling);
			};
			bob = server:user("bob@users.localhost/desk");
		end);
		lazy_teardown(function () app:close(); server:close(); end);
		it_all_works(3);
	end);

	it("comes without what is said where that fails", function ()
		app = web_push.start(version, {
			muc = tables.merge({ muc_cloud_notify_library = engine_faults.library }, muc_options);
		});
		server = app.server;
		bob = server:user("bob@users.localhost/desk");
		local room = new_member "/push/1";
		for i, kind in ipairs { "error", "panic" } do
			engine_faults.break_method(server, "push_words", kind);
			bob:say(room, "a secret");
			assert.same({ service = server.muc_host, count = i, text = "New Message!" }, (app:expect_push()));
			assert.matches("Failed to tell an app server in this process what was said", server:log(), 1, true);
		end
		engine_faults.break_method(server, nil);
		bob:say(room, "hello");
		assert.equal("hello", app:expect_push().text);
		app:close();
	end);
end);
