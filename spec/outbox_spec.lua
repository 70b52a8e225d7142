-- The outbox: one push in flight per device, everything else merges, and what fails for the moment is pushed later.

local loop = require "harness.loop";
local before_due = require "spec.support.before_due";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local transient = { type = "wait", condition = "resource-constraint" };
local persistent = { type = "cancel", condition = "item-not-found" };
local retry_delay = 0.1;

versions.describe("outbox", function (version)
	local server, muc, app;
	local devices = {};

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			muc = {
				modules_enabled = { "muc_cloud_notify" };
				muc_push_default = "always";
				muc_push_retry_delay = retry_delay;
				muc_room_default_persistent = true;
			};
		});
		app = muc.app;
	end);

	-- What one case has left over does not reach the next.
	after_each(function ()
		for _, device in ipairs(devices) do
			device.user:disable { jid = app.jid, node = device.node };
		end
		devices = {};
		app:start_anew();
	end);

	local function enable(user, node)
		assert.equal("result", user:enable({ jid = app.jid, node = node }).attr.type);
		table.insert(devices, { user = user, node = node });
	end

	-- Two users who are members of a new room and not in it, each with one device: n1 and n2.
	local function two_members()
		local first, room = muc:new_member();
		local second = server:user("other-" .. first.jid);
		muc.bob:affiliate(room, second.jid:match("^[^/]+"), "member");
		enable(first, "n1");
		enable(second, "n2");
		return room, first, second;
	end

	local function assert_nothing_for(node)
		app.component:sync();
		for _, push in ipairs(app.pushes) do
			assert.is_not.equal(node, push.node);
		end
	end

	it("sends one push per message and device", function ()
		local room, first = two_members();
		enable(first, "n3");
		local ids = {};
		for message = 1, 3 do
			assert.same({ "n1", "n2", "n3" }, muc:pushed(room));
			for _, push in ipairs(app.pushes) do
				assert.equal(tostring(message), push.count);
				assert.is_nil(ids[push.id]);
				ids[push.id] = true;
			end
		end
	end);

	it("lets messages merge while a push is in flight", function ()
		local room = two_members();
		app.answer = "silence";
		muc:say(room);
		local first, other = app:expect_push_for("n1"), app:expect_push_for("n2");
		assert.same({ "1", "1" }, { first.count, other.count });
		for _ = 1, 4 do
			muc:say(room);
		end
		app:expect_no_push();
		app:reply(first, "result");
		local second = app:expect_push_for("n1");
		assert.equal("5", second.count);
		app:reply(second, "result");
		app:expect_no_push(); -- nor has the answer for one device led to a push for another
		app:reply(other, "result");
		assert.equal("5", app:expect_push_for("n2").count);
		app:expect_no_push();
	end);

	it("sends nothing more when nothing has come up meanwhile", function ()
		local room = two_members();
		app.answer = "silence";
		muc:say(room);
		app:reply(app:expect_push_for("n1"), "result");
		assert_nothing_for("n1");
		assert.equal("1", app:expect_push_for("n2").count);
	end);

	for _, condition in ipairs { "resource-constraint", "internal-server-error", "remote-server-timeout", "bad-request" } do
		it("pushes again after an answer of wait/" .. condition, function ()
			local room = two_members();
			app.answer = "silence";
			muc:say(room);
			local first = app:expect_push_for("n1");
			local answered = loop.now();
			app:reply(first, { type = "wait", condition = condition });
			local second = app:expect_push_for("n1");
			assert.is_true(loop.now() - answered >= retry_delay / 2);
			assert.equal("1", second.count);
			assert.is_not.equal(first.id, second.id);
			app:reply(second, "result");
			assert_nothing_for("n1");
		end);
	end

	it("merges a retry with newer messages", function ()
		local room = two_members();
		app.answer = "silence";
		muc:say(room);
		local first = app:expect_push_for("n1");
		muc:say(room);
		app:reply(first, transient);
		muc:say(room);
		local second = app:expect_push_for("n1");
		while second.count == "2" do -- on a slow machine the message came too late for this one
			app:reply(second, transient);
			second = app:expect_push_for("n1");
		end
		assert.equal("3", second.count);
		app:reply(second, "result");
		assert_nothing_for("n1");
	end);

	it("waits longer each time", function ()
		local user, room = muc:new_member();
		enable(user, "n1");
		app.answer = "silence";
		muc:say(room);
		local push = app:expect_push_for("n1");
		for _, delay in ipairs { retry_delay, 2 * retry_delay, 4 * retry_delay } do
			local answered = loop.now();
			app:reply(push, transient);
			push = app:expect_push_for("n1");
			assert.is_true(loop.now() - answered >= delay / 2);
		end
		-- A success starts the count anew.
		before_due(4 * retry_delay, function (begin)
			app:reply(push, "result");
			muc:say(room);
			local refused = app:expect_push_for("n1");
			begin();
			app:reply(refused, transient);
			push = app:expect_push_for("n1");
		end);
	end);

	it("does not retry a push that was refused", function ()
		local room = two_members();
		app.answer = function (push) return push.node == "n1" and persistent or transient; end;
		muc:say(room);
		app:expect_push_for("n1");
		for _ = 1, 2 do
			app:expect_push_for("n2");
		end
		assert_nothing_for("n1");
		app.answer = "result";
		muc:say(room);
		assert.equal("2", app:expect_push_for("n1").count);
	end);

	it("does not retry pushes for members that have returned", function ()
		local room, first = two_members();
		app.answer = transient;
		muc:say(room);
		app:expect_push_for("n1");
		first:join(room, "first");
		app.component:sync();
		app:clear();
		for _ = 1, 2 do
			app:expect_push_for("n2");
		end
		assert_nothing_for("n1");
		app.answer = "result";
		first:leave(room);
		app:expect_push_for("n2");
		muc:say(room);
		assert.equal("1", app:expect_push_for("n1").count);
		assert.equal("2", app:expect_push_for("n2").count);
	end);

	it("pushes nothing more for members that have returned while a push was in flight", function ()
		local room, first = two_members();
		app.answer = "silence";
		muc:say(room);
		local pushes = { app:expect_push_for("n1"), app:expect_push_for("n2") };
		muc:say(room);
		first:join(room, "first");
		for _, push in ipairs(pushes) do
			app:reply(push, "result");
		end
		assert.equal("2", app:expect_push_for("n2").count);
		app:expect_no_push();
	end);

	it("does not retry pushes for users whose affiliation has ended", function ()
		local room, first = two_members();
		app.answer = transient;
		muc:say(room);
		app:expect_push_for("n1");
		muc.bob:affiliate(room, first.jid:match("^[^/]+"), "none");
		app.component:sync();
		app:clear();
		for _ = 1, 2 do
			app:expect_push_for("n2");
		end
		assert_nothing_for("n1");
		app.answer = "result";
		app:clear();
		app:expect_push_for("n2"); -- so many errors in a row may have tripped the domain's circuit breaker, which this resets
		app.component:sync();
	end);

	it("does not retry pushes for a device that was disabled", function ()
		local room, first = two_members();
		app.answer = "silence";
		muc:say(room);
		local in_flight, resting = app:expect_push_for("n1"), app:expect_push_for("n2");
		app:reply(resting, transient);
		muc:say(room);
		first:disable { jid = app.jid };
		app:reply(in_flight, transient);
		for _ = 1, 2 do
			resting = app:expect_push_for("n2");
			app:reply(resting, transient);
		end
		assert_nothing_for("n1");
		enable(first, "n1");
		app.answer = "result";
		muc:say(room);
		assert.equal("1", app:expect_push_for("n1").count);
	end);

	it("keeps what is unread when a device is enabled anew", function ()
		local room, first = two_members();
		app.answer = "silence";
		muc:say(room);
		local push = app:expect_push_for("n1");
		muc:say(room);
		enable(first, "n1");
		app:expect_push(); -- n2's
		app:expect_no_push();
		app:reply(push, "result");
		assert.equal("2", app:expect_push_for("n1").count);
	end);

	it("counts the messages of all rooms, until their owner enters them", function ()
		local user, room, bare_jid = muc:new_member();
		local other_room = muc:new_room { bare_jid };
		enable(user, "n1");
		local function say(where)
			muc:say(where);
			return app:expect_push_for("n1").count;
		end
		assert.same({ "1", "2" }, { say(room), say(room) });
		assert.same({ "3", "4", "5" }, { say(other_room), say(other_room), say(other_room) });
		user:join(room, "member");
		assert.equal("4", say(other_room));
		user:leave(room);
		assert.equal("5", say(room));
		user:join(other_room, "member");
		assert.equal("2", say(room));
		user:leave(other_room);
		muc.bob:destroy_room(room);
		assert.equal("1", say(other_room));
	end);

	it("takes a room's part out of the pushes that are still due", function ()
		local user, room, bare_jid = muc:new_member();
		local other_room = muc:new_room { bare_jid };
		enable(user, "n1");
		app.answer = "silence";
		muc:say(room);
		local push = app:expect_push_for("n1");
		muc:say(room);
		muc:say(other_room);
		user:join(room, "member");
		app:reply(push, "result");
		assert.equal("1", app:expect_push_for("n1").count);
	end);

	it("has logged no error", function ()
		assert.log_is_clean(server);
	end);
end);
