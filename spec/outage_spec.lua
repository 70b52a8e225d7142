-- An app server is away, and comes back: as an external component of the server, and as one of another server. Everybody who
-- waits for it is told soon, once, and it is not overrun.
--
-- OUTAGE_MEMBERS says how many wait, and OUTAGE_SECONDS for how long; OUTAGE_FIGURES, if set, has the figures printed.

local st = require "util.stanza";

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local versions = require "spec.support.versions";

local room = "den@conference.localhost";
-- So many that more than may be on their way after a return would be, if nothing kept them from it: as many as have been answered.
local members = tonumber(os.getenv "OUTAGE_MEMBERS") or 600;
-- Between two probes: after 1, 3 and 7 seconds.
local seconds_away = tonumber(os.getenv "OUTAGE_SECONDS") or 4;
-- From the return of a link to the first push, and from a message to the last one: no probe is waited for.
local seconds_to_first, seconds_to_all = 1.5, 4;
local most_after_return = 200;
local seconds_to_answer = 0.1;

-- Members with a device each, in the stores from which they are read at the next start.
local make_members = [[
	local room_jid, count, app_server = ...;
	local room = room(room_jid);
	local store = require "core.storagemanager".open(module.host, "muc_cloud_notify");
	for number = 1, count do
		local user = "user"..number.."@users.localhost";
		room._affiliations[user] = "member";
		assert(store:set(user, { [app_server.."<"..user] = { jid = app_server, node = user, timestamp = 1 } }));
	end
	room:save(true);
]];

local pause = loop.pause; -- how long an app server is away is what these specs are about

-- Answers with a delay, and counts: what is unanswered at most, and how often each node is told.
local function answer_slowly(app)
	local tally = { peak = 0, told = {}, count = 0, total = 0 };
	local waiting = {};
	local function take_note(push)
		tally.first = tally.first or loop.now();
		tally.total = tally.total + 1;
		if not tally.told[push.node] then
			tally.told[push.node], tally.count, tally.last = 0, tally.count + 1, loop.now();
		end
		tally.told[push.node] = tally.told[push.node] + 1;
	end
	for _, push in ipairs(app.pushes) do take_note(push); end -- which were answered
	app.answer = function (push)
		table.insert(waiting, { push = push, at = loop.now() + seconds_to_answer });
		tally.peak = math.max(tally.peak, #waiting);
		take_note(push);
	end;
	function tally.go_on()
		while waiting[1] and waiting[1].at <= loop.now() do
			app:reply(table.remove(waiting, 1).push, "result");
		end
	end
	function tally.wait_until_told(count, timeout)
		return loop.wait_until(function ()
			tally.go_on();
			return tally.count >= count;
		end, timeout, 0.005);
	end
	-- Whether nothing more comes.
	function tally.settle()
		loop.wait_until(function () tally.go_on(); return not waiting[1]; end, nil, 0.005);
		app.component:sync();
		app:clear();
	end
	return tally;
end

local function report(what, version, tally, back)
	if os.getenv "OUTAGE_FIGURES" then
		print(("%s, %s: %d members, first %.2f s after the return, last %.2f s, %d pushes, peak %d"):format(
			version, what, members, tally.first - back, tally.last - back, tally.total, tally.peak));
	end
end

-- The options are the defaults but for this: the first messages are told at once, one after the other.
local muc_options = {
	modules_enabled = { "muc_cloud_notify" }; muc_push_default = "always"; push_notification_with_body = true;
	muc_room_default_persistent = true; muc_push_interval = 0;
};

for _, place in ipairs { "a component of this server", "a component of another server" } do
	local is_far = place ~= "a component of this server";

	versions.describe("an app server that is "..place, function (version)
		local app_host = is_far and "push.far.example" or "push.localhost";
		local server, far, app, olga;

		local function connect_app()
			app = (far or server):app_server(app_host);
		end

		local function say(body)
			olga:say(room, body);
			olga.component:sync();
		end

		lazy_setup(function ()
			server = prosody.start {
				version = version;
				components = is_far and { "users.localhost" } or { "users.localhost", app_host };
				s2s = is_far and "dialback" or nil;
				muc = muc_options;
			};
			if is_far then
				far = prosody.start {
					version = version; s2s = "dialback"; hosts = { ["far.example"] = {} }; muc_host = "rooms.far.example";
					components = { app_host };
				};
			end
			olga = server:user("olga@users.localhost/desk");
			olga:create_room(room, "Olga");
			server:admin(make_members, room, members, app_host);
			server:stop();
			server:start_again();
			connect_app();
			olga = server:user("olga@users.localhost/desk");
			olga:join(room, "Olga");
			server:wait_for_log(members.." device(s) of "..members, 60);
			local tally = answer_slowly(app);
			say "it is known";
			assert(tally.wait_until_told(members, 60), tally.count);
			tally.settle();
		end);

		lazy_teardown(prosody.close_all);

		local function stop_app_server()
			if is_far then far:kill(); else app.component:close(); end
		end

		local function start_app_server()
			if is_far then far:start_again(); end
			connect_app();
		end

		-- Somebody there has something to say to this server, which makes the link to it known.
		local function make_link()
			if not is_far then return; end
			app.component:send(tostring(st.iq({ type = "get", id = "ping", from = app_host, to = server.muc_host })
				:tag("ping", { xmlns = "urn:xmpp:ping" }):reset()));
		end

		local function assert_told(what, tally, back, most_pushes)
			report(what, version, tally, back);
			assert.equal(members, tally.count);
			assert.is_true(tally.last - back <= 30, ("%.1f s"):format(tally.last - back));
			assert.is_true(tally.peak <= most_after_return, tally.peak);
			assert.is_true(tally.total <= most_pushes, tally.total);
		end

		it("tells everybody once who has waited for it, and of what is new at once", function ()
			stop_app_server();
			say "one";
			pause(seconds_away);
			start_app_server();
			local back, tally = loop.now(), answer_slowly(app);
			make_link();
			assert(tally.wait_until_told(members, 30), tally.count);
			tally.settle();
			assert_told("an outage", tally, back, members);
			assert.is_true(tally.first - back <= seconds_to_first, ("%.1f s"):format(tally.first - back));
			tally = answer_slowly(app);
			local said = loop.now();
			say "two";
			assert(tally.wait_until_told(members, 30), tally.count);
			report("a message after that", version, tally, said);
			tally.settle();
			assert.is_true(tally.last - said <= seconds_to_all, ("%.1f s"):format(tally.last - said));
		end);

		it("tells everybody within seconds when it died with pushes that it had not answered", function ()
			app:clear();
			app.answer = "silence";
			local before = app.count;
			say "three";
			assert(loop.wait_until(function () return app.count - before >= math.min(members, 100); end, 30));
			stop_app_server();
			pause(2);
			start_app_server();
			local back, tally = loop.now(), answer_slowly(app);
			assert(tally.wait_until_told(members, 30), tally.count);
			tally.settle();
			assert_told("pushes unanswered", tally, back, members);
			assert.is_true(tally.last - back <= 15);
		end);

		if is_far then
			it("tells everybody when it is back at a server that was there all the time", function ()
				app.component:close();
				pause(0.5); -- what goes into a connection before its end is noticed vanishes, which takes a reply timeout
				say "four";
				pause(2);
				connect_app();
				local back, tally = loop.now(), answer_slowly(app);
				assert(tally.wait_until_told(members, 40), tally.count);
				tally.settle();
				assert_told("behind a link", tally, back, members);
			end);
		end
	end);
end

versions.describe("an app server that answers nothing", function (version)
	local most = 50;
	local server, app, olga;

	local function connect(answer)
		app = server:app_server("push.localhost");
		app.answer = answer;
		olga = server:user("olga@users.localhost/desk");
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			muc = {
				modules_enabled = { "muc_cloud_notify" }; muc_push_default = "always"; muc_room_default_persistent = true;
				muc_push_interval = 0; muc_push_max_in_flight = most; muc_push_reply_timeout = 60; muc_push_retry_delay = 1;
			};
		};
		connect "result";
		olga:create_room(room, "Olga");
		server:admin(make_members, room, members, "push.localhost");
	end);

	lazy_teardown(prosody.close_all);

	local function restart(answer)
		server:stop();
		local length = #server:log();
		server:start_again();
		connect(answer);
		olga:join(room, "Olga");
		server:wait_for_log(members.." device(s) of "..members, 60, length);
	end

	it("never has more on its way than it may, also after a restart and when its link is back", function ()
		restart "result";
		olga:say(room, "it is known");
		assert(loop.wait_until(function () return app.count >= members; end, 60), app.count);
		for _, again in ipairs { "nothing", "restart", "link" } do
			local before = app.count;
			app.answer = "silence";
			if again == "restart" then
				restart "silence";
				before = 0;
			elseif again == "link" then
				app.component:close();
				connect "silence";
				before = 0;
			end
			olga:say(room, again);
			olga.component:sync();
			loop.wait_until(function () return app.count - before > most; end, 0.7);
			assert.is_true(app.count - before <= most, ("%s: %d"):format(again, app.count - before));
		end
	end);
end);

-- It answers at once, unless it is asked to hold its answers; hostmanager lets go of its host, and takes it again.
versions.describe("an app server inside this server", function (version)
	local count = 20;
	local server, olga;

	local function pushes()
		return server:admin("local app = prosody.hosts['app.localhost']; return app and app.modules.spec_app.module.pushes or 0");
	end

	local function wait_until_pushed(wanted)
		assert(loop.wait_until(function () return pushes() >= wanted; end, nil, 0.05), pushes());
		server:settle();
		assert.equal(wanted, pushes());
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			internal = { ["app.localhost"] = { module = "spec_app" } };
			plugin_paths = { prosody.root.."/spec/support/modules" };
			muc = muc_options;
		};
		olga = server:user("olga@users.localhost/desk");
		olga:create_room(room, "Olga");
		server:admin(make_members, room, count, "app.localhost");
		server:stop();
		server:start_again();
		olga = server:user("olga@users.localhost/desk");
		olga:join(room, "Olga");
		server:wait_for_log(count.." device(s) of "..count, 60);
		olga:say(room, "it is known");
		wait_until_pushed(count);
	end);

	lazy_teardown(prosody.close_all);

	it("is told again what it has not answered when its host was gone, and as soon as that is there again", function ()
		server:admin [[prosody.hosts["app.localhost"].modules.spec_app.module.behave = function () return true; end]];
		olga:say(room, "one");
		wait_until_pushed(2 * count);
		server:admin [[assert(require "core.hostmanager".deactivate("app.localhost"))]];
		olga:say(room, "two");
		olga.component:sync();
		server:admin [[assert(require "core.hostmanager".activate("app.localhost"))]];
		wait_until_pushed(count);
	end);

	it("is told again what it has not answered when its module was reloaded", function ()
		local before = pushes();
		server:admin [[prosody.hosts["app.localhost"].modules.spec_app.module.behave = function () return true; end]];
		olga:say(room, "three");
		wait_until_pushed(before + count);
		server:admin [[assert(require "core.modulemanager".reload("app.localhost", "spec_app"))]];
		wait_until_pushed(count);
	end);
end);
