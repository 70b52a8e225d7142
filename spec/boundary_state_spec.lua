-- The boundary between Lua and Rust, in the process of the test: what the engine knows of rooms and users, and what of it
-- outlives a restart.

local serialization = require "util.serialization";

local boundary = require "spec.support.boundary";

local room, user = boundary.room, boundary.user;
local facts, make_absent_member, message = boundary.facts, boundary.make_absent_member, boundary.message;
local open, push = boundary.open, boundary.push;
describe("boundary", function ()
	local engine;

	before_each(function ()
		engine = open();
	end);

	after_each(boundary.close);

	describe("a room", function ()
		it("has members who have not consented", function ()
			make_absent_member(engine);
			local function devices(body)
				return engine:handle_message(facts(), message(body), 10);
			end
			boundary.set_members(engine, room, { [user] = "alice" }, { user });
			engine:set_occupants(room, {}, 1);
			assert.same({ 0, 1, 0 }, { devices("hello"), devices("Alice, hello"), devices("Alice, hello") });
			engine:affiliation_changed(room, user, true, "alice", false);
			assert.equal(1, devices("hello"));
			engine:affiliation_changed(room, user, true, "alice", true);
			assert.equal(0, devices("hello"));
			engine:occupant_present(room, user, "alice");
			engine:occupant_gone(room, user, "alice", 20);
			assert.equal(1, devices("hello"));
			assert.has_error(function () engine:add_members(room, {}, "everybody"); end);
		end);

		it("is known step by step", function ()
			local function coverage() return { engine:coverage(room) }; end
			assert.same({ "nothing", false, false }, coverage());
			engine:set_registrations(user, { ["a<b"] = { jid = "a", node = "b" } });
			boundary.set_members(engine, room, { [user] = "alice", ["nobody@users.localhost"] = false });
			assert.same({ "members", true, true }, coverage());
			engine:set_occupants(room, { nobody = "nobody@users.localhost" }, 1);
			assert.same({ "complete", true, true }, coverage());
			assert.same({ user }, engine:absent_members(room));
			engine:occupant_present(room, user, "alice");
			assert.same({}, engine:absent_members(room));
			assert.same({ "complete", false, true }, coverage());
			engine:occupant_gone(room, user, "alice", 2);
			assert.same({ user }, engine:absent_members(room));
			engine:forget_room(room);
			assert.equal("nothing", (engine:coverage(room)));
			engine:room_destroyed(room);
			assert.same({}, engine:absent_members(room));
		end);
	end);

	describe("a snapshot", function ()
		it("survives Prosody's serialization, and is taken up again", function ()
			engine = open { with_body = true, with_sender = true };
			make_absent_member(engine);
			engine:handle_message(facts(), message("What is up?"), 10);
			local snapshot = serialization.deserialize(serialization.serialize(engine:snapshot(12)));
			assert.same({ devices = { {
				user = user, key = "push.localhost<n1", errors = 0, attempts = 0, pinged = false;
				missed = { { room = room, count = 1, pending = {
					sender = room.."/bob", body = "What is up?", mentioned = false, messages = 1, age = 2.0, places = { 1 };
				} } };
			} }, messages = { { author = "bob@users.localhost", ids = { { id = "08a98b07b5509b6b" } }, age = 2.0 } } }, snapshot);

			boundary.close();
			engine = open { with_body = true };
			engine:set_registrations(user, { ["push.localhost<n1"] = { jid = "push.localhost", node = "n1" } });
			assert.same({ room }, engine:restore(snapshot, 20));
			assert.equal("What is up?", push(engine).summary["last-message-body"]);
		end);

		it("has the nicknames that members have last used", function ()
			make_absent_member(engine);
			engine:occupant_present(room, user, "alice");
			engine:occupant_gone(room, user, "alice", 2);
			local snapshot = serialization.deserialize(serialization.serialize(engine:snapshot(12)));
			assert.same({ devices = {}, nicknames = { { room = room, user = user, nick = "alice" } } }, snapshot);
			assert.same({}, engine:restore(snapshot, 20));
		end);

		it("is taken up as an earlier version has stored it, and with what a later one may add", function ()
			make_absent_member(engine);
			local pending = { body = "What was up?", mentioned = false, messages = 1, age = 2.0, of_a_later_version = {} };
			local device = { user = user, key = "push.localhost<n1", errors = 0, attempts = 0, pinged = false;
				missed = { { room = room, count = 1, pending = pending } } };
			boundary.open { with_body = true };
			assert.same({ room }, engine:restore({ devices = { device }, of_a_later_version = {} }, 20));
			assert.equal("What was up?", push(engine).summary["last-message-body"]);
		end);

		it("is empty when there is nothing to keep", function ()
			assert.same({ devices = {} }, engine:snapshot(1));
			assert.same({}, engine:restore({ devices = {} }, 1));
			assert.has_error(function () engine:restore({ devices = { { missed = 1 } } }, 1); end);
		end);
	end);

	describe("a message that was held", function ()
		it("is not pushed to users who were there when it was sent", function ()
			make_absent_member(engine);
			assert.equal(0, engine:handle_message(facts { present = { "bob@users.localhost", user } }, message(), 10));
			assert.equal(1, engine:handle_message(facts { present = { "bob@users.localhost" } }, message(), 10));
		end);
	end);

	describe("a user whose account is disabled", function ()
		it("is pushed to when it is enabled again", function ()
			make_absent_member(engine);
			engine:set_suspended(user, true);
			assert.equal(1, engine:handle_message(facts(), message(), 10));
			assert.is_nil(push(engine));
			assert.is_nil(engine:next_deadline());
			engine:set_suspended(user, false);
			assert.equal("1", push(engine).summary["message-count"]);
			assert.has_error(function () engine:set_suspended(); end);
		end);
	end);

	describe("a member", function ()
		it("is mentioned by a reply to a message of theirs, whatever the reply says of its author", function ()
			boundary.close();
			engine = open { default_level = "on-mention" };
			make_absent_member(engine);
			local function reply() return message():tag("reply", { xmlns = "urn:xmpp:reply:0", id = "1", to = room .. "/somebody" }):up(); end
			assert.equal(0, engine:handle_message(facts(), reply(), 10));
			assert.equal(0, engine:handle_message(facts { reply_author = "carol@users.localhost" }, reply(), 10));
			assert.equal(1, engine:handle_message(facts { reply_author = user }, reply(), 10));
		end);
	end);
end);
