-- Ghosts: clients of this very server that lose their connection. Their sessions hibernate (XEP-0198) and are occupants
-- all the while.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local waiting = "waiting.localhost"; -- where a session that hibernates is taken for present
local forgetful = "forgetful.localhost"; -- which neither remembers nor archives what was said
local slow = "slow.localhost"; -- where rooms are read in many turns

local contentless = "New Message!";

local function service(options)
	options.modules_enabled = { "muc_cloud_notify" };
	options.push_notification_with_body = true;
	return options;
end

versions.describe("a client whose connection is cut,", function (version)
	local server, muc, room, ann, ann_jid;

	lazy_setup(function ()
		server = prosody.start {
			version = version; c2s = true; community_modules = true;
			components = { "users.localhost", "push.localhost" };
			global = { modules_enabled = { "cloud_notify", "smacks" } };
			muc = service {};
			mucs = {
				[waiting] = service { muc_push_hibernating = false };
				[forgetful] = service { muc_undelivered_messages = 0 };
				[slow] = service { muc_push_slice = 0.1 };
			};
		};
		muc = muc_service.new(server);
	end);

	local function say(body)
		muc:say(room, body);
	end

	-- Loses the connection, which nobody is told of.
	local function cut(client)
		client:cut();
		assert(loop.wait_until(function ()
			return server:admin("return prosody.full_sessions[...].hibernating ~= nil", client.jid);
		end, 5, 0.005), client.jid.." does not hibernate");
	end

	-- What mod_smacks does when a session has hibernated for too long.
	local function end_hibernation(client)
		server:admin("prosody.full_sessions[...].hibernating_watchdog:callback()", client.jid);
		server:settle();
		assert.is_nil(server:admin("return prosody.full_sessions[...]", client.jid));
	end

	local function set_up(host)
		room = muc:new_room({}, host);
		ann_jid = room:gsub("@.*", "-ann@localhost");
		muc.bob:affiliate(room, ann_jid, "member");
		ann = server:client(ann_jid.."/phone");
		assert.equal("result", muc:enable(ann, "ann", nil, host));
		ann:join(room, "Ann");
		muc.app:start_anew();
	end

	before_each(function ()
		set_up();
	end);

	after_each(function ()
		for _, client in ipairs(server.clients) do client:close(); end
	end);

	it("is pushed to at once, and not any more when it has resumed", function ()
		say "there";
		assert.same({}, muc:take_pushes());
		cut(ann);
		say "one";
		say "two";
		assert.same({ "ann 1 one", "ann 2 two" }, muc:take_pushes());
		ann:resume();
		ann:expect { body = "two" };
		say "three";
		assert.same({}, muc:take_pushes());
		cut(ann);
		say "four";
		assert.same({ "ann 1 four" }, muc:take_pushes());
	end);

	it("is not pushed to of what waits when it resumes", function ()
		muc.app.answer = "silence";
		cut(ann);
		say "one";
		say "two";
		ann:resume();
		muc.app.answer = "result";
		assert.equal("1", muc:answer "result");
		assert.same({}, muc:take_pushes());
	end);

	it("is pushed to of what it had not acknowledged when its session ends, and not again of what came after", function ()
		ann:go_silent();
		say "unread";
		say "unread too";
		assert.same({}, muc:take_pushes());
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		end_hibernation(ann);
		local told = muc:take_pushes();
		assert.equal("ann 3 "..contentless, told[#told]);
		say "two";
		assert.same({ "ann 4 two" }, muc:take_pushes());
	end);

	it("is not pushed to again when its session ends and it had read everything before", function ()
		say "read";
		ann:expect { body = "read" };
		ann:sync();
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		end_hibernation(ann);
		say "two";
		assert.same({ "ann 2 two" }, muc:take_pushes());
	end);

	it("is not pushed to again where nobody remembers what it was sent", function ()
		set_up(forgetful);
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		end_hibernation(ann);
		say "two";
		assert.same({ "ann 2 two" }, muc:take_pushes());
	end);

	it("is pushed to of what it had not acknowledged though nobody remembers it", function ()
		set_up(forgetful);
		ann:go_silent();
		say "unread";
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		end_hibernation(ann);
		assert.same({ "ann 2 "..contentless }, muc:take_pushes());
	end);

	it("is seen in a room that is in its roster, and so gets its presence anyway", function ()
		server:admin("prosody.full_sessions[...].roster[select(2, ...)] = { subscription = 'both', groups = {} }", ann.jid, room);
		server:admin("prosody.full_sessions[...].directed = nil", ann.jid);
		ann:join(room, "Ann");
		assert.is_nil(server:admin("return (prosody.full_sessions[...].directed or {})[select(2, ...)]", ann.jid, room.."/Ann"));
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
	end);

	it("is not pushed to again after a reload of the module, and is pushed to on", function ()
		ann:go_silent();
		say "unread";
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		server:reload_module "muc_cloud_notify";
		say "two";
		assert.same({ "ann 2 two" }, muc:take_pushes());
		end_hibernation(ann);
		assert.same({ "ann 3 "..contentless }, muc:take_pushes());
		say "three";
		assert.same({ "ann 4 three" }, muc:take_pushes());
	end);

	it("is followed after a reload of the module", function ()
		server:reload_module "muc_cloud_notify";
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		ann:resume();
		say "two";
		assert.same({}, muc:take_pushes());
	end);

	it("is followed under the nickname that it has by now", function ()
		ann:join(room, "Anna");
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
		ann:resume();
		say "two";
		assert.same({}, muc:take_pushes());
	end);

	it("is pushed to in every room that it is in", function ()
		local first = room;
		room = muc:new_room { ann_jid };
		ann:join(room, "Ann");
		cut(ann);
		say "here";
		muc:say(first, "there");
		assert.same({ "ann 1 here", "ann 2 there" }, muc:take_pushes());
		ann:resume();
		say "here";
		muc:say(first, "there");
		assert.same({}, muc:take_pushes());
	end);

	it("is pushed to although its room is read meanwhile", function ()
		set_up(slow);
		cut(ann);
		local log_length = #server:log();
		server:admin([[
			local room = room(...);
			for number = 1, 20000 do
				room._affiliations["user"..number.."@elsewhere.example"] = "member";
			end
			module:context("slow.localhost"):fire_event("muc-room-restored", { jid = room.jid, room = room });
			room:broadcast_message(st.message({ type = "groupchat", from = room.jid.."/bob", to = room.jid, id = "held" }, "held"));
			module:log("info", "The message is broadcast");
		]], room);
		assert.equal("held", muc.app:expect_push().summary["last-message-body"]);
		assert.logs_in_order(server, "The message is broadcast", "is pushed to", log_length);
		say "one";
		assert.same({ "ann 2 one" }, muc:take_pushes());
	end);

	describe("beside another session", function ()
		for _, nick in ipairs { "Ann", "Tablet" } do
			it("is pushed to once that is cut too, as "..nick, function ()
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, nick);
				cut(ann);
				say "one";
				assert.same({}, muc:take_pushes());
				cut(tablet);
				say "two";
				assert.same({ "ann 1 two" }, muc:take_pushes());
				tablet:resume();
				say "three";
				assert.same({}, muc:take_pushes());
			end);

			it("is pushed to once that has left, as "..nick, function ()
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, nick);
				cut(ann);
				tablet:leave(room);
				say "one";
				assert.same({ "ann 1 one" }, muc:take_pushes());
			end);
		end

		it("is pushed to once of what neither had acknowledged when both have ended", function ()
			local tablet = server:client(ann_jid.."/tablet");
			tablet:join(room, "Ann");
			ann:go_silent();
			tablet:go_silent();
			say "unread";
			cut(ann);
			cut(tablet);
			end_hibernation(ann); -- the tablet may still have it
			assert.same({}, muc:take_pushes());
			end_hibernation(tablet);
			assert.same({ "ann 1 unread" }, muc:take_pushes());
			say "one";
			assert.same({ "ann 2 one" }, muc:take_pushes());
		end);

		for what, go in pairs { ["has lost its connection"] = cut, ["has left"] = function (client) client:leave(room); end } do
			it("is not pushed to of what one has read that "..what.." since", function ()
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, "Ann");
				cut(ann);
				say "one";
				say "two";
				tablet:ping("localhost");
				go(tablet);
				end_hibernation(ann);
				assert.same({}, muc:take_pushes());
				say "three";
				assert.same({ "ann 1 three" }, muc:take_pushes());
			end);
		end

		it("is pushed to of what one had not read that ends, though the other goes on hibernating", function ()
			local tablet = server:client(ann_jid.."/tablet");
			tablet:join(room, "Ann");
			cut(ann);
			tablet:go_silent();
			say "unread";
			cut(tablet);
			end_hibernation(tablet);
			assert.same({ "ann 1 unread" }, muc:take_pushes());
			end_hibernation(ann);
			say "one";
			assert.same({ "ann 2 one" }, muc:take_pushes());
		end);

		it("is not pushed to when one comes in, nor when it ends then", function ()
			ann:go_silent();
			say "unread";
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, muc:take_pushes());
			local tablet = server:client(ann_jid.."/tablet");
			tablet:join(room, "Ann");
			say "two";
			end_hibernation(ann);
			say "three";
			assert.same({}, muc:take_pushes());
		end);

		it("is not pushed to when it comes back with a new session in its place", function ()
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, muc:take_pushes());
			ann = server:client(ann.jid);
			ann:join(room, "Ann");
			say "two";
			assert.same({}, muc:take_pushes());
			ann:leave(room);
			say "three";
			assert.same({ "ann 1 three" }, muc:take_pushes());
		end);
	end);

	it("is watched on a host that is activated later", function ()
		server:admin [[assert(require "core.hostmanager".activate("late.localhost", {}))]];
		local eve = server:client "eve@late.localhost/phone";
		muc.bob:affiliate(room, eve.bare_jid, "member");
		assert.equal("result", muc:enable(eve, "eve"));
		eve:join(room, "Eve");
		cut(eve);
		say "one";
		assert.same({ "eve 1 one" }, muc:take_pushes());
		eve:resume();
		say "two";
		assert.same({}, muc:take_pushes());
	end);

	it("is pushed to when its session ends where those that hibernate are taken for present", function ()
		set_up(waiting);
		cut(ann);
		say "one";
		say "two";
		assert.same({}, muc:take_pushes());
		end_hibernation(ann);
		local told = muc:take_pushes();
		assert.equal("ann 2 two", told[#told]);
		say "three";
		assert.same({ "ann 3 three" }, muc:take_pushes());
	end);

	describe("and has push enabled on its account", function ()
		-- The texts of what its own server has pushed, and whether there was something else.
		local function of_account()
			local texts = {};
			muc.app.component:sync();
			for _, push in ipairs(muc.app.pushes) do
				assert.same({ "localhost", "account" }, { push.from, push.node });
				table.insert(texts, push.summary["last-message-body"]);
			end
			muc.app:clear();
			return texts;
		end

		before_each(function ()
			assert.equal("result", ann:enable({ to = ann.bare_jid, jid = muc.app.jid, node = "account" }).attr.type);
			ann:sync();
		end);

		it("is pushed to by its own server, and not by us", function ()
			cut(ann);
			say "one";
			assert(loop.wait_until(function () return muc.app.pushes[1]; end, 5));
			assert.same({ contentless }, of_account());
			end_hibernation(ann);
			assert.same({}, of_account());
			say "two";
			assert.same({ "ann 1 two" }, muc:take_pushes());
		end);

		it("is pushed to by us once its own server has given up meanwhile", function ()
			say "there";
			cut(ann);
			server:admin("prosody.full_sessions[...].push_identifier = nil", ann.jid); -- as mod_cloud_notify does after too many errors
			say "one"; -- by which it is noticed
			muc.app.component:sync();
			muc.app:clear();
			say "two";
			assert.same({ "ann 1 two" }, muc:take_pushes());
		end);

		it("is pushed to by us once its account's push is disabled", function ()
			assert.equal("result", ann:disable({ to = ann.bare_jid, jid = muc.app.jid, node = "account" }).attr.type);
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, muc:take_pushes());
		end);

		it("is pushed to by us for a session without it, once no other one is there", function ()
			local tablet = server:client(ann_jid.."/tablet");
			tablet:join(room, "Ann");
			cut(tablet);
			say "one";
			assert.same({}, muc:take_pushes());
			ann:leave(room);
			say "two";
			assert.same({ "ann 1 two" }, muc:take_pushes());
		end);
	end);
end);
