-- Filters of another module and merged pushes: what is stopped takes nothing with it that was wanted. With the real
-- mod_cloud_notify_filters.

local prosody = require "harness.prosody";

local versions = require "spec.support.versions";
local st = require "util.stanza";
local xml = require "util.xml";

local wanted_room, muted_room = "wanted@conference.localhost", "muted@conference.localhost";
local filters = "<muted xmlns='tigase:push:filter:muted:0'><item jid='"..muted_room.."'/></muted>"
	.."<groupchat xmlns='tigase:push:filter:groupchat:0'><room jid='"..wanted_room.."' allow='%s' nick='Ann'/></groupchat>";
local mention = "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:ann@users.localhost'/>";

versions.describe("filters and merging", function (version)
	local server, app, olga, ann;

	before_each(function ()
		server = prosody.start {
			version = version; community_modules = true;
			components = { "users.localhost", "push.localhost" };
			muc = {
				modules_enabled = { "muc_cloud_notify", "cloud_notify_filters" }; muc_push_default = "always";
				muc_room_default_persistent = true; push_notification_with_body = true; muc_push_retry_delay = 0.2;
			};
		};
		app = server:app_server("push.localhost");
		olga, ann = server:user("olga@users.localhost/desk"), server:user("ann@users.localhost/desk");
		for _, room in ipairs { wanted_room, muted_room } do
			olga:create_room(room, "Olga");
			olga:affiliate(room, ann.bare_jid, "member");
		end
	end);

	after_each(prosody.close_all);

	local function enable(allow)
		local request = xml.parse("<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='ann'>"..filters:format(allow).."</enable>");
		local iq = st.stanza("iq", { type = "set", to = "conference.localhost" }):add_child(request);
		assert.equal("result", ann:iq(iq).attr.type);
	end

	-- A push that is in flight while more is said.
	local function push_on_its_way(extra)
		app.answer = "silence";
		olga:say(wanted_room, "first", extra);
		return app:expect_push();
	end

	local function answer(push)
		app.answer = "result";
		app:reply(push, "result");
	end

	local function summary(push)
		return { push.count, push.summary["last-message-body"] };
	end

	it("push what was said in another room before a message in a muted one", function ()
		enable "always";
		local push = push_on_its_way();
		olga:say(wanted_room, "second");
		olga:say(muted_room, "noise");
		answer(push);
		assert.same({ "2", "second" }, summary(app:expect_push()));
		app:expect_no_push();
	end);

	it("do not count what they stop", function ()
		enable "always";
		for _ = 1, 4 do olga:say(muted_room, "noise"); end
		app:expect_no_push();
		for count = 1, 3 do
			olga:say(wanted_room, "hello");
			assert.same({ tostring(count), "hello" }, summary(app:expect_push()));
		end
		app:expect_no_push();
	end);

	it("push a mention though an unrelated message follows, and no unrelated message", function ()
		enable "mentioned";
		local push = push_on_its_way(mention);
		olga:say(wanted_room, "Ann?", mention);
		olga:say(wanted_room, "whoever");
		answer(push);
		assert.equal("ann", app:expect_push().node);
		olga:say(wanted_room, "whoever");
		app:expect_no_push();
	end);

	it("push a mention that had to wait for the next start", function ()
		enable "mentioned";
		app.answer = { type = "wait", condition = "resource-constraint" };
		olga:say(wanted_room, "Ann?", mention);
		app:expect_push();
		server:stop();
		server:start_again();
		app = server:app_server("push.localhost");
		assert.equal("1", app:expect_push(60).count);
	end);
end);
