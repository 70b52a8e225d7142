-- The boundary between Lua and Rust, in the process of the test: what the engine knows of rooms and users, and what of it
-- outlives a restart.

local json = require "util.json";
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

		it("has members to whom messages are forwarded, and accounts that they are handed to", function ()
			local function devices(body)
				return engine:handle_message(facts(), message(body), 10);
			end
			local function ways()
				local stats = engine:stats();
				return { stats.accounts, stats.forwarded, stats.users };
			end
			local account = "ann@here.localhost";
			assert.is_true(engine:set_account(account, true));
			assert.is_false(engine:set_account(account, true));
			engine:begin_members(room);
			engine:add_members(room, { [user] = false, [account] = false }, nil, { [user] = "asked" });
			assert.is_true(engine:end_members(room));
			engine:set_occupants(room, {}, 1);
			assert.same({ 1, 1, 0 }, ways());
			assert.equal(2, devices());
			local polled = {};
			for _ = 1, 2 do
				local id, device = engine:poll_push(10, "all-rooms");
				local owner, address, node, form, way = engine:addressee(device);
				polled[way] = { owner, address, node, form, engine:push_words(id) };
				engine:handed_over(id, 10);
				assert.is_nil(engine:push_words(id));
			end
			assert.same({
				account = { account, "", nil, nil, false, room.."/bob", "Hello", room };
				forward = { user, user, nil, nil, false, room.."/bob", "Hello", room };
			}, polled);
			engine:affiliation_changed(room, account, true, nil, false, "refused");
			assert.equal(1, devices());
			engine:affiliation_changed(room, user, true, nil, false, nil);
			assert.same({ 1, 0, 0 }, ways());
			assert.equal(0, devices());
			for _, bad in ipairs { "sometimes", 1, {} } do
				assert.has_error(function () engine:affiliation_changed(room, user, true, nil, false, bad); end);
				assert.has_error(function () engine:add_members(room, { [user] = false }, nil, { [user] = bad }); end);
			end
			assert.same({ 1, 0, 0 }, ways());
			assert.is_nil(engine:admit_forwarding(user));
			engine = boundary.open { max_users_per_domain = 1 };
			engine:affiliation_changed(room, user, true, nil, false, "asked");
			local refusal = engine:admit_forwarding("other@users.localhost");
			assert.same({ "wait", "resource-constraint" }, { refusal.type, refusal.condition });
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
		local function part_of(detail)
			local plan = engine:plan_snapshot();
			local part, bytes, left = engine:next_part(plan, 12, 10, detail or "words");
			assert.equal(0, left);
			assert.is_nil((engine:next_part(plan, 12, 10, "words")));
			return serialization.deserialize(serialization.serialize(part)), bytes;
		end

		-- The entries of a list, of which each is a line.
		local function entries(list)
			local decoded = {};
			for line in list:gmatch("[^\n]+") do table.insert(decoded, (assert(json.decode(line)))); end
			return decoded;
		end

		local function open_anew()
			boundary.close();
			engine = open { with_body = true };
			engine:set_registrations(user, { ["push.localhost<n1"] = { jid = "push.localhost", node = "n1" } });
		end

		local function read_room()
			boundary.set_members(engine, room, { [user] = false });
			engine:set_occupants(room, {}, 20);
		end

		local function pushed_body()
			local sent = push(engine);
			return sent and sent.summary["last-message-body"];
		end

		it("survives Prosody's serialization, and is taken up again", function ()
			engine = open { with_body = true, with_sender = true };
			make_absent_member(engine);
			engine:handle_message(facts(), message("What is up?"), 10);
			local part, bytes = part_of();
			assert.equal(bytes, #part.devices + #part.messages);
			assert.same({ { user = user, key = "push.localhost<n1", missed = { {
				room = room, count = 1, pending = { words = true, messages = 1, age = 2.0, places = { 1 } };
			} } } }, entries(part.devices));
			assert.same({ {
				author = "bob@users.localhost", from = "a1e791eceb59fb7d", ids = { { id = "08a98b07b5509b6b" } }, age = 2.0;
				sender = room.."/bob", body = "What is up?";
			} }, entries(part.messages));
			assert.is_nil(part.nicknames);

			open_anew();
			assert.is_nil(engine:awaited_room());
			assert.equal(0, engine:restore(part, 20));
			assert.equal(room, engine:awaited_room());
			assert.is_nil(push(engine));
			read_room();
			assert.is_nil(engine:awaited_room());
			assert.equal("What is up?", pushed_body());
		end);

		it("of the journal names accounts, who are presumed to have devices where that cannot be said", function ()
			local ann, bea = "ann@here.localhost", "bea@there.localhost";
			local function restart(part)
				engine = boundary.open { journal = true, way_interval = 0 };
				engine:await_accounts "here.localhost";
				assert.equal(0, engine:restore(part, 20));
				boundary.set_members(engine, room, { [ann] = false, [bea] = false });
				engine:set_occupants(room, {}, 20);
			end
			engine = boundary.open { journal = true, way_interval = 0 };
			engine:set_account(ann, true);
			engine:set_account(bea, true);
			boundary.set_members(engine, room, { [ann] = false, [bea] = false });
			engine:set_occupants(room, {}, 1);
			assert.equal(2, engine:handle_message(facts(), message(), 10));
			local part, bytes = engine:poll_batch(10);
			engine:batch_stored(10, 0);
			assert.same({ { host = "here.localhost", names = { "ann" } }, { host = "there.localhost", names = { "bea" } } }, entries(part.accounts));
			assert.equal(bytes, #part.accounts + #part.unread + #part.messages + #part.key);
			part = serialization.deserialize(serialization.serialize(part));
			boundary.close();
			restart(part);
			assert.equal(1, engine:stats().accounts);
			local id, device = engine:poll_push(20, "all-rooms");
			assert.equal(ann, (engine:addressee(device)));
			engine:put_off(id, 20, 5);
			engine:handle_timeout(24.9);
			assert.is_nil((engine:poll_push(24.9, "all-rooms")));
			engine:handle_timeout(27.6);
			assert.truthy((engine:poll_push(27.6, "all-rooms")));
			assert.is_nil(engine:presumed_account "there.localhost");
			assert.equal(ann, engine:presumed_account "here.localhost");
			assert.is_nil(engine:presumed_account "here.localhost");
			engine:set_account(ann, false);
			assert.equal(0, engine:stats().accounts);
			boundary.close();
			part.accounts = "no JSON\n" .. part.accounts;
			engine = boundary.open { journal = true };
			engine:await_accounts "here.localhost";
			assert.equal(1, engine:restore(part, 20), "one cannot be read");
			assert.equal(1, engine:stats().accounts);
			for _, bad in ipairs { {}, true } do
				assert.has_error(function () engine:await_accounts(bad); end);
				assert.has_error(function () engine:presumed_account(bad); end);
				assert.has_error(function () engine:put_off("1", 20, bad); end);
			end
		end);

		it("holds no more than counts where that is asked for", function ()
			engine = open { with_body = true, with_sender = true };
			make_absent_member(engine);
			engine:handle_message(facts(), message("What is up?"), 10);
			local part = part_of "counts";
			assert.is_nil(part.messages);
			assert.same({ room = room, count = 1, pending = { messages = 1, age = 2.0 } }, entries(part.devices)[1].missed[1]);
			open_anew();
			engine:restore(part, 20);
			read_room();
			local sent = push(engine);
			assert.equal("1", sent.summary["message-count"]);
			assert.equal("New Message!", sent.summary["last-message-body"]);
		end);

		it("has the nicknames that members have last used", function ()
			make_absent_member(engine);
			engine:occupant_present(room, user, "alice");
			engine:occupant_gone(room, user, "alice", 2);
			local part = part_of();
			assert.same({ { room = room, user = user, nick = "alice" } }, entries(part.nicknames));
			assert.is_nil(part.devices);
			assert.equal(0, engine:restore(part, 20));
			assert.is_nil(engine:awaited_room());
		end);

		it("is taken up as an earlier version has stored it, and with what a later one may add", function ()
			make_absent_member(engine);
			local pending = { body = "What was up?", mentioned = false, messages = 1, age = 2.0, of_a_later_version = {} };
			local device = { user = user, key = "push.localhost<n1", errors = 0, attempts = 0, pinged = false;
				missed = { { room = room, count = 1, pending = pending } } };
			open_anew();
			assert.equal(0, engine:restore({ devices = { device }, of_a_later_version = {} }, 20));
			read_room();
			assert.equal("What was up?", pushed_body());
		end);

		it("is empty when there is nothing to keep", function ()
			local plan, devices = engine:plan_snapshot();
			assert.equal(0, devices);
			assert.same({ plan, 0 }, { engine:plan_snapshot(plan) });
			assert.has_error(function () engine:plan_snapshot({}); end);
			assert.same({ n = 3, nil, 0, 0 }, table.pack(engine:next_part(plan, 1, 10, "words")));
			assert.equal(0, engine:restore({}, 1));
			assert.equal(0, engine:restore({ devices = {} }, 1));
			assert.has_error(function () engine:restore({ devices = 7 }, 1); end);
			assert.equal(2, engine:restore({ devices = "none\nof ours" }, 1));
			assert.has_error(function () engine:restore(nil, 1); end);
			assert.has_error(function () engine:next_part(plan, 1, 10, "everything"); end);
			assert.has_error(function () engine:next_part({}, 1, 10, "words"); end);
		end);

		-- An entry of a list of devices that says that something waits; what is wrong in it, if anything
		local function device(wrong)
			local pending = { body = "What was up?", messages = 1, age = 2.0 };
			local unread = { room = room, count = 1, pending = pending };
			local state = { user = user, key = "push.localhost<n1", missed = { unread } };
			if wrong then wrong(state, unread, pending); end
			return state;
		end

		local nested = {};
		for _ = 1, 100 do nested = { nested }; end

		for what, entry in pairs {
			["a word for a count"] = device(function (_, unread) unread.count = "many"; end);
			["a negative count"] = device(function (_, unread) unread.count = -1; end);
			["half a message"] = device(function (_, unread) unread.count = 1.5; end);
			["a count that is too large"] = device(function (_, unread) unread.count = 1 << 40; end);
			["no number for an age"] = device(function (_, _, pending) pending.age = 0/0; end);
			["an endless age"] = device(function (_, _, pending) pending.age = math.huge; end);
			["a negative age"] = device(function (_, _, pending) pending.age = -1; end);
			["a negative place"] = device(function (_, _, pending) pending.places = { -1 }; end);
			["an endless failure"] = device(function (state) state.failing_for = math.huge; end);
			["negative errors"] = device(function (state) state.errors = -1; end);
			["a number for a user"] = device(function (state) state.user = 7; end);
			["a text for rooms"] = device(function (state) state.missed = "none"; end);
			["something nested for rooms"] = device(function (state) state.missed = nested; end);
			["a number"] = 7;
			["no value"] = true;
			["text in a table"] = "devices";
		} do
			it("loses no more than one entry through "..what, function ()
				open_anew();
				local part = { devices = { entry, device(), entry }, messages = {}, nicknames = { { room = room, user = user, nick = "al" } } };
				assert.equal(2, engine:restore(part, 20));
				read_room();
				local sent = push(engine);
				assert.same({ "1", "What was up?" }, { sent.summary["message-count"], sent.summary["last-message-body"] });
				assert.is_nil(push(engine));
			end);
		end

		for what, line in pairs {
			["no JSON"] = "devices";
			["text that breaks off"] = '{"user":"alice';
			["a count with an exponent"] = '{"user":"a","missed":[{"room":"r","count":1e999}]}';
			["an age with an exponent"] = '{"user":"a","failing_for":1e999}';
			["much that is nested"] = ("["):rep(100000);
			["bytes that are no text"] = '{"user":"\255\0"}';
			["a number"] = "7";
		} do
			it("loses no more than one line through "..what, function ()
				open_anew();
				local lines = table.concat({ line, json.encode(device()), line }, "\n");
				assert.equal(2, engine:restore({ devices = lines }, 20));
				read_room();
				local sent = push(engine);
				assert.same({ "1", "What was up?" }, { sent.summary["message-count"], sent.summary["last-message-body"] });
			end);
		end

		it("takes what refers to a message that cannot be read", function ()
			open_anew();
			local state = device(function (_, _, pending)
				pending.body, pending.words, pending.places, pending.messages = nil, true, { 1, 2, 1 << 40 }, 2;
			end);
			local messages = { { age = 5, body = "What was up?" }, { age = 0/0, body = "Nothing" } };
			assert.equal(1, engine:restore({ devices = { state }, messages = messages }, 20));
			read_room();
			assert.equal("2", push(engine).summary["message-count"]);
		end);

		it("adds to what has come in since", function ()
			engine = open { with_body = true };
			make_absent_member(engine);
			engine:handle_message(facts(), message("What is up?"), 10);
			assert.equal(0, engine:restore({ devices = { device() } }, 12));
			local sent = push(engine);
			assert.same({ "2", "What is up?" }, { sent.summary["message-count"], sent.summary["last-message-body"] });
			assert.is_nil(push(engine));
		end);
	end);

	describe("a message that was held", function ()
		it("is not pushed to users who were there when it was sent", function ()
			make_absent_member(engine);
			assert.equal(0, engine:handle_message(facts { present = { "bob@users.localhost", user } }, message(), 10));
			assert.equal(1, engine:handle_message(facts { present = { "bob@users.localhost" } }, message(), 10));
		end);
	end);

	describe("a message of which nothing is known any more", function ()
		it("counts, and has no words", function ()
			engine = open { with_body = true };
			make_absent_member(engine);
			assert.equal(0, engine:handle_forgotten(facts { sender = user }, 3, 10));
			assert.equal(0, engine:handle_forgotten(facts { present = { user } }, 3, 10));
			assert.equal(1, engine:handle_forgotten(facts(), 3, 10));
			assert.same({ ["message-count"] = "3", ["last-message-body"] = "New Message!" }, push(engine).summary);
			for _, number in ipairs { -1, 1.5, 1 << 32, "many" } do
				assert.has_error(function () engine:handle_forgotten(facts(), number, 10); end);
			end
			assert.has_error(function () engine:handle_forgotten(nil, 1, 10); end);
		end);

		it("is important or not", function ()
			assert.is_true(engine:is_important(room, "bob@users.localhost", message()));
			assert.is_true(engine:is_important(room, nil, message()));
			assert.is_false(engine:is_important(room, nil, message(""):tag("active", { xmlns = "http://jabber.org/protocol/chatstates" }):up()));
			assert.is_false(engine:is_important(room, "bob@users.localhost", message():tag("replace", { xmlns = "urn:xmpp:message-correct:0", id = "x" })));
			assert.has_error(function () engine:is_important(room, nil, {}); end);
		end);
	end);

	describe("a user whose record cannot be read", function ()
		it("is told what they have missed once it can", function ()
			assert.is_true(engine:await_registrations(user));
			assert.is_false(engine:await_registrations(user));
			assert.is_true(engine:is_registered(user));
			boundary.set_members(engine, room, { [user] = false });
			engine:set_occupants(room, {}, 1);
			assert.equal(1, engine:handle_message(facts(), message(), 10));
			assert.is_nil(push(engine));
			assert.same(boundary.stats(), engine:stats());
			assert.is_false(engine:set_registrations(user, { ["push.localhost<n1"] = { jid = "push.localhost", node = "n1" } }));
			assert.equal("1", push(engine).summary["message-count"]);
			assert.has_error(function () engine:await_registrations(); end);
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

	describe("a user who has blocked a room", function ()
		it("is not pushed to about it, until they have not any more", function ()
			make_absent_member(engine);
			for _, blocked in ipairs { room, room:match("@(.*)"), message().attr.from } do
				engine:set_blocked(user, { blocked });
				assert.equal(0, engine:handle_message(facts(), message(), 10));
				assert.is_nil(push(engine));
			end
			engine:set_blocked(user, {});
			assert.equal(1, engine:handle_message(facts(), message(), 10));
			engine:set_blocked(user, { room });
			assert.is_nil(push(engine));
			engine:set_blocked(user);
			assert.equal(1, engine:handle_message(facts(), message(), 10));
			assert.equal("1", push(engine).summary["message-count"]);
			assert.has_error(function () engine:set_blocked(); end);
			assert.has_error(function () engine:set_blocked(user, room); end);
			assert.has_error(function () engine:set_blocked(user, { {} }); end);
		end);
	end);

	describe("a push that leaves from another host", function ()
		it("is lost with the link of that host, and with that alone", function ()
			make_absent_member(engine);
			engine:handle_message(facts(), message(), 10);
			assert.is_true(engine:handle_result(push(engine).id, "push.localhost", 10));
			engine:handle_message(facts(), message(), 11);
			engine:set_publisher(push(engine).id, "users.localhost");
			for _, other in ipairs { "conference.localhost", "elsewhere.localhost" } do
				engine:link_lost("push.localhost", 12, other);
				assert.equal(1, engine:stats().in_flight);
			end
			engine:link_lost("push.localhost", 12, "users.localhost");
			assert.equal(0, engine:stats().in_flight);
			engine:set_publisher("no id", "users.localhost");
			assert.has_error(function () engine:set_publisher("id"); end);
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
