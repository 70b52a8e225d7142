-- Whatever goes wrong in the module, Prosody and its other modules go on.

local st = require "util.stanza";

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local engine_faults = require "spec.support.engine_faults";
local versions = require "spec.support.versions";

local service = "conference.localhost";
local room = "room@conference.localhost";

versions.describe("guard", function (version)
	local server, olga, mary, lin, app;

	local function admin(code, ...)
		return server:admin(code, ...);
	end

	local function break_method(method, kind)
		engine_faults.break_method(server, method, kind);
	end

	local function mend()
		break_method(nil);
	end

	local function stored(user)
		return admin("return (require 'core.storagemanager'.open(module.host, 'muc_cloud_notify'):get(...))", user.bare_jid);
	end

	local function is_pushed(what)
		return app:next_push(nil, function (push) return push.node == what; end) ~= nil;
	end

	-- The nodes of what is pushed until the server has nothing left to do.
	local function pushed()
		return app:take_nodes();
	end

	local function say(body)
		olga:say(room, body);
		olga:expect { name = "message", body = body };
		if lin.nicks[room] then
			lin:expect { name = "message", body = body };
	end
	end

	local doomed = 0;

	local function destroy_a_room()
		doomed = doomed + 1;
		local doomed_room = string.format("doomed-%d@%s", doomed, service);
		olga:create_room(doomed_room, "Olga");
		return function ()
			olga:destroy_room(doomed_room);
		end;
	end

	local function speak()
		say "while it fails";
	end

	local function wake()
		admin("module:fire_event('cloud-notify-ping', { user = ... })", mary.bare_jid);
	end

	-- The app server answers with an error, once.
	local function wake_in_vain()
		app.answer = function ()
			app.answer = "result";
			return { type = "wait", condition = "resource-constraint" };
		end;
		wake();
	end

	local function enter()
		lin:join(room, "Lin");
		return { "mary" };
	end

	local function leave()
		lin:leave(room);
	end

	local function dismiss()
		olga:affiliate(room, lin.bare_jid, "none");
		return { "mary" };
	end

	local function restore()
		admin("module:fire_event('muc-room-restored', { room = room(...) })", room);
	end

	local function lin_is_there()
		lin:join(room, "Lin");
	end

	local function refuse(request, user, node)
		local before = stored(user);
		local reply = user[request](user, { jid = app.jid, node = node });
		assert.same({ "wait", "internal-server-error" }, { table.unpack({ reply:get_error() }, 1, 2) });
		assert.same(before, stored(user));
	end

	-- One, and none that follows: where it cannot be noted that it was stopped, it is tried again, sooner or later.
	local function stop_a_push()
		admin([[
			module.stopped = 0;
			module.spec = function () module.stopped = module.stopped + 1; return module.stopped == 1; end;
			module:hook('cloud_notify/push', module.spec);
		]]);
		wake();
		assert.truthy(loop.wait_until(function () return admin("return module.stopped") > 0; end, nil, 0.02), "no push to be stopped");
		admin("module:unhook('cloud_notify/push', module.spec)");
	end

	local function lin_goes()
		lin:disable { jid = app.jid };
	end

	local function lin_comes_back()
		assert.equal("result", lin:enable { jid = app.jid, node = "lin" }.attr.type);
	end

	local cases = { -- method; what it is for, as the log says; what makes it fail; what has to be done before
		{ "coverage", "push a message", speak };
		{ "is_registered", "read the room "..room, restore };
		{ "begin_members", "read the room "..room, restore };
		{ "add_members", "read the room "..room, restore };
		{ "end_members", "read the room "..room, restore };
		{ "set_occupants", "read the room "..room, restore };
		{ "handle_message", "push a message", speak };
		{ "next_deadline", "push a message", speak };
		{ "poll_event", "push a message", speak };
		{ "handle_timeout", "push what is due", speak };
		{ "poll_push", "push what is due", speak };
		{ "handle_result", "take in the answer of an app server", wake };
		{ "handle_error", "take in the answer of an app server", wake_in_vain };
		{ "handle_ping", "push without a message", wake };
		{ "occupant_present", "take note of a presence", enter };
		{ "occupant_gone", "take note of a presence", leave, lin_is_there };
		{ "affiliation_changed", "take note of an affiliation", dismiss };
		{ "forget_room", "take note of a restored room", restore };
		{ "room_destroyed", "take note of a destroyed room", nil, destroy_a_room };
		{ "coverage", "take note of members of "..room, lin_comes_back, lin_goes };
		{ "affiliation_changed", "take note of members of "..room, lin_comes_back, lin_goes };
		{ "suppress", "send a push to push.localhost", stop_a_push };
		{ "prepare_enable", "enable pushes", function () refuse("enable", mary, "another"); end };
		{ "prepare_enable", "enable pushes", function () refuse("enable", olga, "first"); end };
		{ "prepare_disable", "disable pushes", function () refuse("disable", mary, "mary"); end };
		{ "set_registrations", "enable pushes", function () refuse("enable", mary, "another"); end };
		{ "set_registrations", "enable pushes", function () refuse("enable", olga, "first"); end };
		{ "set_registrations", "disable pushes", function () refuse("disable", mary, "mary"); end };
	};

	local is_of_turns = { handle_timeout = true, poll_push = true, poll_event = true, next_deadline = true };

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			internal = { ["app.localhost"] = { module = "spec_app" } };
			plugin_paths = { prosody.root .. "/spec/support/modules" };
			muc = {
				modules_enabled = { "muc_cloud_notify" };
				muc_cloud_notify_library = engine_faults.library;
				muc_push_default = "always";
				muc_push_reply_timeout = 2;
				muc_push_retry_delay = 0.1;
				muc_room_default_persistent = true;
			};
		};
		olga, mary = server:user("olga@users.localhost/phone"), server:user("mary@users.localhost/phone");
		lin, app = server:user("lin@users.localhost/phone"), server:app_server("push.localhost");
		olga:create_room(room, "Olga");
		olga:affiliate(room, mary.bare_jid, "member");
		mary:enable { jid = app.jid, node = "mary" };
		lin:enable { jid = app.jid, node = "lin" };
	end);

	before_each(function ()
		olga:affiliate(room, lin.bare_jid, "member");
		app.component:sync();
		app:clear();
	end);

	after_each(function ()
		mend();
		admin("prosody.hosts['app.localhost'].modules.spec_app.module.behave = nil");
		if lin.nicks[room] then lin:leave(room); end
	end);

	for _, case in ipairs(cases) do
		for _, kind in ipairs { "error", "panic" } do
			it(string.format("survives %s %s in %s, to %s", kind == "error" and "an" or "a", kind, case[1], case[2]), function ()
				say "before";
				assert.same({ "lin", "mary" }, pushed());
				local trigger = case[4] and case[4]() or case[3];
				app.component:sync();
				app:clear();
				local log_length = #server:log();
				break_method(case[1], kind);
				local expected = trigger() or { "lin", "mary" };
				app.component:sync();
				local log = server:log(log_length);
				local errors = select(2, log:gsub("\terror\t", ""));
				-- The outbox also has turns of its own.
				assert.truthy(errors == 1 or errors > 1 and is_of_turns[case[1]], log);
				assert.equal(errors, select(2, log:gsub("\terror\tFailed to [^\n]* in " .. case[1] .. ", as ordered", "")), log);
				assert.truthy(log:find("Failed to " .. case[2], 1, true), log);
				-- What others do goes on.
				local disco = st.stanza("iq", { type = "get", to = service }):tag("query", { xmlns = "http://jabber.org/protocol/disco#info" });
				assert.equal("result", olga:iq(disco:reset()).attr.type);
				mend();
				app.component:sync();
				app:clear();
				say "after";
				assert.truthy(is_pushed "mary");
				app.component:sync();
				app:clear();
				say "long after";
				assert.same(expected, pushed());
			end);
		end
	end

	for _, method in ipairs { "handle_timeout", "poll_push", "poll_event", "next_deadline" } do
		it("pushes what is due after a failure in " .. method .. ", though nothing else happens", function ()
			break_method(method, "panic");
			say "while it fails";
			app.component:sync();
			assert.same({}, app.pushes);
			mend();
			assert.truthy(app:next_push());
		end);
	end

	for _, kind in ipairs { "error", "panic" } do
		it("pushes again what it could not address because of an " .. kind, function ()
			lin_goes();
			lin_comes_back(); -- as another device than the one that was pushed to before
			app.component:sync();
			local log_length = #server:log();
			break_method("addressee", kind);
			say "while it fails";
			assert.same({ "mary" }, pushed());
			assert.truthy(server:log(log_length):find("Failed to send a push to a device", 1, true));
			mend();
			assert.truthy(is_pushed "lin");
		end);
	end

	describe("with an app server in the same Prosody", function ()
		local rob;

		-- What the app server does, as the text of a function's body, instead of answering.
		local function behave(body, ...)
			admin([[
				local body = ...;
				local app = prosody.hosts["app.localhost"].modules.spec_app.module;
				local env = setmetatable({ app = app, st = st }, { __index = _G });
				app.pushes, app.behave = 0, assert(load("local event = ...; " .. body, "=(app)", "t", env));
			]], body:format(...));
		end

		local function count_pushes()
			return admin("return prosody.hosts['app.localhost'].modules.spec_app.module.pushes");
		end

		local function wait_for_pushes(count)
			assert.truthy(loop.wait_until(function () return count_pushes() >= count; end, nil, 0.02), "no further push");
		end

		local function errors_since(log_length)
			return select(2, server:log(log_length):gsub("\terror\t", ""));
		end

		-- Does something else inside the first push, then answers.
		local function in_the_first_push(body, ...)
			behave("if app.pushes == 1 then " .. body:format(...) .. " end event.origin.send(st.reply(event.stanza)); return true;");
		end

		before_each(function ()
			rob = server:user("rob@users.localhost/phone");
			rob:enable { jid = "app.localhost", node = "rob" };
			olga:affiliate(room, rob.bare_jid, "member");
			behave "event.origin.send(st.reply(event.stanza)); return true;";
		end);

		after_each(function ()
			behave "event.origin.send(st.reply(event.stanza)); return true;";
			if rob.nicks[room] then rob:leave(room); end
			rob:disable { jid = "app.localhost" };
		end);

		it("takes an answer that comes while it sends", function ()
			local log_length = #server:log();
			for count = 1, 3 do
				say "hello";
				assert.same({ "lin", "mary" }, pushed());
				assert.equal(count, count_pushes());
			end
			assert.equal(0, errors_since(log_length));
		end);

		it("tries again when the app server fails", function ()
			behave "error('on purpose')";
			local log_length = #server:log();
			say "hello";
			assert.same({ "lin", "mary" }, pushed());
			assert.equal(0, admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats().in_flight"), "no answer is waited for");
			wait_for_pushes(2);
			assert.truthy(server:log(log_length):find("Failed to send a push to app.localhost", 1, true));
			behave "event.origin.send(st.reply(event.stanza)); return true;";
			wait_for_pushes(1);
			say "hello";
			wait_for_pushes(2);
			app.component:sync();
			assert.equal(2, count_pushes());
		end);

		it("counts a push as delivered when the app server fails after its answer", function ()
			behave "event.origin.send(st.reply(event.stanza)); error('on purpose');";
			local log_length = #server:log();
			say "hello";
			app.component:sync();
			assert.equal(1, errors_since(log_length));
			say "hello";
			app.component:sync();
			assert.equal(2, count_pushes());
			assert.equal(2, errors_since(log_length));
		end);

		it("goes on when even that the app server failed cannot be noted", function ()
			behave "error('on purpose')";
			break_method("handle_send_failure", "panic");
			say "hello";
			assert.same({ "lin", "mary" }, pushed());
			assert.equal(1, count_pushes());
			mend();
			behave "event.origin.send(st.reply(event.stanza)); return true;";
			wait_for_pushes(1);
		end);

		for _, case in ipairs {
			{ "a message", "app:send(st.message({ type = 'groupchat', from = '%s', to = '%s' }, 'from inside'));", "olga", "room" };
			{ "an enable request", "app:send(st.iq({ type = 'set', from = '%s', to = '%s', id = 'in' })"
				.. ":tag('enable', { xmlns = 'urn:xmpp:push:0', jid = 'app.localhost', node = 'second' }):reset());", "rob", "service" };
			{ "a disable request", "app:send(st.iq({ type = 'set', from = '%s', to = '%s', id = 'in' })"
				.. ":tag('disable', { xmlns = 'urn:xmpp:push:0', jid = 'app.localhost' }):reset());", "rob", "service" };
			{ "an entrance", "app:send(st.presence({ from = '%s', to = '%s/Rob' }):tag('x', { xmlns = 'http://jabber.org/protocol/muc' }):reset());",
				"rob", "room" };
		} do
			it("lets the app server send " .. case[1] .. " while it is pushed to", function ()
				local log_length = #server:log();
				in_the_first_push(case[2], case[3] == "rob" and rob.jid or olga.jid, case[4] == "room" and room or service);
				say "hello";
				app.component:sync();
				if case[1] == "a message" then
					olga:expect { name = "message", body = "from inside" };
					assert.equal(2, count_pushes());
				elseif case[1] == "an entrance" then
					rob.nicks[room] = "Rob";
				else
					rob.component:expect { name = "iq", type = "result", id = "in" };
				end
				behave "event.origin.send(st.reply(event.stanza)); return true;";
				app:clear();
				say "and now?";
				assert.same({ "lin", "mary" }, pushed());
				assert.equal(({ ["a message"] = 1, ["an enable request"] = 2 })[case[1]] or 0, count_pushes());
				assert.equal(0, errors_since(log_length));
			end);
		end
	end);

	it("lets the server stop when the outbox cannot be stored", function ()
		app.answer = "silence";
		say "hello";
		app.component:sync();
		local log_length = #server:log();
		break_method("next_part", "panic");
		server:stop();
		assert.truthy(server:log(log_length):find("Failed to store the outbox", 1, true));
		lin.nicks = {};
		server:start_again();
		olga, app = server:user(olga.jid), server:app_server("push.localhost");
		lin, mary = server:user(lin.jid), server:user(mary.jid);
		olga:join(room, "Olga");
		say "hello";
		assert.same({ "lin", "mary" }, pushed());
	end);
end);
