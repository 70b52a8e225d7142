-- From a message in a room to what the browser of a member who is away can read: with the app server in the Prosody of the MUC
-- service, where it is called from inside of module:send, and in another one.

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

local muc_options = {
	modules_enabled = { "muc_cloud_notify" };
	muc_push_default = "always";
	muc_push_retry_delay = 0.1;
	push_max_errors = 1;
	push_notification_with_body = true;
	push_notification_with_sender = true;
};

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

	local function it_all_works()
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
			local text = app:expect_push(10);
			assert.equal("hello", text.text);
		end);

		it("ends the registration of a browser whose subscription has ended", function ()
			local room, carol = new_member "/push/4";
			assert.is_true(has_device(carol));
			app.service.answer = 410;
			bob:say(room, "hello");
			app.service:expect_request();
			assert.truthy(loop.wait_until(function () return not has_device(carol); end, 5, 0.02));
			app.service.answer = 201;
			bob:say(room, "hello again");
			app:expect_no_push(bob);
		end);
	end

	after_each(function () app.service:clear(); end);

	describe("with an app server in the same Prosody", function ()
		lazy_setup(function ()
			app = web_push.start(version, { muc = muc_service.with_body(muc_options) });
			server = app.server;
			bob = server:user("bob@users.localhost/desk");
		end);
		lazy_teardown(function () app:close(); end);
		it_all_works();
	end);

	describe("with an app server in another Prosody", function ()
		lazy_setup(function ()
			app = web_push.start(version, {
				s2s = "dialback", muc_host = "rooms.elsewhere.localhost", hosts = { ["elsewhere.localhost"] = {} }, components = {};
			});
			server = prosody.start {
				version = version, s2s = "dialback", components = { "users.localhost" }, muc = muc_service.with_body(muc_options);
			};
			bob = server:user("bob@users.localhost/desk");
		end);
		lazy_teardown(function () app:close(); server:close(); end);
		it_all_works();
	end);
end);
