-- The boundary between Lua and Rust, in the process of the test: what the engine is asked and what it answers, as
-- lua/muc_cloud_notify/engine_types.lua has it.

local st = require "util.stanza";

local boundary = require "spec.support.boundary";

local room, user, form = boundary.room, boundary.user, boundary.form;
local enable_iq, facts, make_absent_member, message = boundary.enable_iq, boundary.facts, boundary.make_absent_member, boundary.message;
local open, options, push = boundary.open, boundary.options, boundary.push;
local native = boundary.native;

describe("boundary", function ()
	local engine, is_new;

	before_each(function ()
		engine, is_new = open();
	end);

	after_each(boundary.close);

	describe("the arrival of a device", function ()
		local function enable(record, node)
			return assert(boundary.prepare_enable(engine, enable_iq("jid='push.localhost' node='"..node.."'"), record, 1)).record;
		end

		it("is a number in its registration, whatever the others say of theirs", function ()
			local record = enable(enable(nil, "n1"), "n2");
			assert.same({ 1, 2 }, { record["push.localhost<n1"].arrival, record["push.localhost<n2"].arrival });
			assert.equal("integer", math.type(record["push.localhost<n1"].arrival));
			for _, nonsense in ipairs { "first", -1, 0/0, 1e300, math.mininteger, math.maxinteger, {}, true } do
				local two = enable(nil, "n1");
				two["push.localhost<n1"].arrival = nonsense;
				two = enable(two, "n2");
				assert.same({ nil, 1 }, { two["push.localhost<n1"].arrival, two["push.localhost<n2"].arrival });
			end
			record["push.localhost<n2"].arrival = 7.0; -- as some stores have it
			assert.equal(8, enable(record, "n3")["push.localhost<n3"].arrival);
		end);

		it("says which is the oldest, and not the clock", function ()
			boundary.close();
			engine = open { max_devices = 2 };
			local record;
			for i, time in ipairs { 1000, 2000, 3, 4 } do
				record = assert(boundary.prepare_enable(engine, enable_iq(("jid='push.localhost' node='n%d'"):format(i)), record, time)).record;
			end
			local nodes = {};
			for _, registration in pairs(record) do table.insert(nodes, registration.node); end
			table.sort(nodes);
			assert.same({ "n3", "n4" }, nodes);
		end);
	end);

	describe("open", function ()
		it("gives the number of the contract", function ()
			assert.equal("integer", math.type(native.contract));
		end);

		it("gives the defaults of the options, and takes them", function ()
			assert.same({
				with_body = false; with_sender = false; important_body = "New Message!"; max_body_bytes = 1024; max_errors = 16;
				max_devices = 5; default_level = "auto"; max_in_flight = 500; reply_timeout = 120; retry_delay = 10; max_retry_delay = 3600;
				push_interval = 1; way_interval = 20; time_to_live = 172800; give_up_after = 1209600; max_users_per_domain = 10000; max_users = 1000000;
				lease = 7776000; journal = true;
			}, native.default_options);
			native.open("x.localhost", native.default_options, st.stanza_mt);
			native.close("x.localhost");
		end);

		it("makes one engine for a host, and finds it again", function ()
			assert.is_true(is_new);
			make_absent_member(engine);
			local again, again_new = open();
			assert.is_false(again_new);
			assert.same(boundary.stats { users = 1, devices = 1 }, again:stats());
			local other, other_new = native.open("other.localhost", options(), st.stanza_mt);
			assert.is_true(other_new);
			assert.same(boundary.stats(), other:stats());
			native.close("other.localhost");
		end);

		it("makes a new engine once the old one was closed", function ()
			make_absent_member(engine);
			boundary.close();
			local again, again_new = open();
			assert.is_true(again_new);
			assert.same(boundary.stats(), again:stats());
		end);

		it("refuses options that it does not know, or that are of another type", function ()
			assert.has_error(function () native.open("x.localhost", options { color = "red" }, st.stanza_mt); end);
			assert.has_error(function () native.open("x.localhost", options { max_errors = "many" }, st.stanza_mt); end);
			assert.has_error(function () native.open("x.localhost", options { default_level = "loud" }, st.stanza_mt); end);
			assert.has_error(function () native.open("x.localhost", {}, st.stanza_mt); end);
			assert.has_error(function () native.open("x.localhost", options()); end);
			local _, x_new = native.open("x.localhost", options { app_servers = { "push.localhost" }, retry_delay = 0.5 }, st.stanza_mt);
			assert.is_true(x_new);
			native.close("x.localhost");
		end);
	end);

	describe("an expected failure", function ()
		it("is nil and what st.error_reply() wants", function ()
			local change, err = boundary.prepare_enable(engine, enable_iq("node='n1'"), nil, 1);
			assert.is_nil(change);
			assert.equal("modify", err.type);
			assert.equal("bad-request", err.condition);
			assert.matches("jid", err.text, 1, true);
			local reply = st.error_reply(enable_iq(), err.type, err.condition, err.text);
			assert.equal(err.text, reply:find("error/{urn:ietf:params:xml:ns:xmpp-stanzas}text#"));
		end);

		it("is none for what is well", function ()
			local change, err = boundary.prepare_enable(engine, enable_iq(), nil, 1);
			assert.is_table(change);
			assert.is_nil(err);
		end);
	end);

	describe("wrong use", function ()
		it("is an error with a text, and leaves the engine usable", function ()
			local enable_facts = { user = user, app_server = "push.localhost", is_local = false, is_member = false };
			for name, use in pairs {
				["no arguments"] = function () engine:prepare_enable(); end;
				["a number for a stanza"] = function () engine:prepare_enable(enable_facts, 1, nil, 1); end;
				["a table that is no stanza"] = function () engine:prepare_enable(enable_facts, {}, nil, 1); end;
				["a user for the facts"] = function () engine:prepare_enable(user, enable_iq(), nil, 1); end;
				["facts without a user"] = function () engine:prepare_enable({ is_local = false, is_member = false }, enable_iq(), nil, 1); end;
				["a string for a time"] = function () engine:poll_push("now", "all-rooms"); end;
				["a scope that there is not"] = function () engine:poll_push(1, "two-rooms"); end;
				["a string for a device"] = function () engine:addressee("first"); end;
				["a number for a summary that is none"] = function () engine:summary(-1); end;
				["facts without a room"] = function () engine:handle_message(facts { room = false }, message(), 1); end;
				["facts with more than that"] = function () engine:handle_message(facts { colour = "red" }, message(), 1); end;
				["something that no store can hold"] = function () engine:set_registrations(user, { ["a<b"] = { jid = "a", f = print } }); end;
				["a table that holds itself"] = function ()
					local own = { jid = "a" };
					own.own = own;
					engine:set_registrations(user, { ["a<b"] = own });
				end;
			} do
				local ok, err = pcall(use);
				assert.is_false(ok, name);
				assert.is_true(#tostring(err) > 0, name);
			end
			assert.same(boundary.stats(), engine:stats());
		end);
	end);

	describe("a push", function ()
		it("is three values", function ()
			make_absent_member(engine, enable_iq(nil, form));
			engine:handle_message(facts(), message(), 10);
			local only = push(engine);
			assert.equal(0, select("#", engine:poll_push(10, "all-rooms")));
			assert.equal(user, only.user);
			assert.equal("push.localhost", only.app_server);
			assert.equal("n1", only.node);
			assert.same({ ["message-count"] = "1", ["last-message-body"] = "New Message!" }, only.summary);
			assert.matches("^%x+$", only.id);
			assert.equal(48, #only.id);
			assert.is_nil(only.details.original);
		end);

		it("has no node and no form where there are none", function ()
			make_absent_member(engine, enable_iq("jid='push.localhost'"));
			engine:handle_message(facts(), message(), 10);
			local only = push(engine);
			assert.is_nil(only.node);
			assert.is_nil(only.form);
		end);

		it("has details for other modules", function ()
			make_absent_member(engine, enable_iq(nil, form));
			engine:handle_message(facts { keep_original = true }, message("Again"), 12);
			local details = push(engine, "one-room").details;
			assert.equal("Again", details.original:get_child_text("body"));
			assert.equal(room, details.room);
			assert.is_false(details.mentioned);
			assert.equal("n1", details.push_info.node);
		end);

		it("has no details once it is not wanted any more", function ()
			make_absent_member(engine);
			engine:handle_message(facts { keep_original = true }, message(), 10);
			local id = push(engine).id;
			engine:occupant_present(room, user, "alice");
			assert.is_nil(engine:push_details(id));
			assert.is_nil(engine:push_details("another"));
		end);

		it("has words for those who may know them, and for nobody else", function ()
			make_absent_member(engine);
			local function words_of(text)
				engine:handle_message(facts(), message(text), 10);
				local sent = push(engine);
				assert.is_nil(sent.summary["last-message-sender"]);
				assert.equal("New Message!", sent.summary["last-message-body"]);
				local is_mention, sender, body = engine:push_words(sent.id);
				engine:handle_result(sent.id, sent.app_server, 11);
				assert.equal(0, select("#", engine:push_words(sent.id)));
				return is_mention, sender, body;
			end
			assert.same({ false, nil, nil }, { words_of "nobody asks for it" });
			engine:keep_words(true);
			assert.same({ false, room.."/bob", "Hello" }, { words_of "Hello" });
			engine:keep_words(false);
			assert.same({ false, nil, nil }, { words_of "nor for this" });
			assert.equal(0, select("#", engine:push_words("another")));
		end);

		it("is about all rooms, or about one", function ()
			local other_room = "lair@conference.localhost";
			make_absent_member(engine);
			boundary.set_members(engine, other_room, { [user] = false });
			engine:set_occupants(other_room, {}, 1);
			local function say_in_both()
				engine:handle_message(facts { keep_original = true }, message("Den"), 10);
				engine:handle_message(facts { room = other_room, keep_original = true }, message("Lair"), 10);
			end
			say_in_both();
			local all = push(engine, "all-rooms");
			assert.equal("2", all.summary["message-count"]);
			assert.is_nil(push(engine, "all-rooms"));
			engine:handle_result(all.id, "push.localhost", 10);
			say_in_both();
			local one = push(engine, "one-room");
			assert.equal("3", one.summary["message-count"]);
			assert.equal(room, one.details.room);
			engine:handle_result(one.id, "push.localhost", 10);
			local other = push(engine, "one-room");
			assert.equal("4", other.summary["message-count"]);
			assert.equal(other_room, other.details.room);
		end);

		it("shares its summary with those that say the same", function ()
			local users = {};
			for number = 1, 3 do
				local other = "user"..number.."@users.localhost";
				engine:set_registrations(other, { ["a<b"] = { jid = "a", node = "b" } });
				users[other] = false;
			end
			boundary.set_members(engine, room, users);
			engine:set_occupants(room, {}, 1);
			engine:handle_message(facts(), message(), 10);
			local summaries = {};
			repeat
				local id, _, summary = engine:poll_push(10, "all-rooms");
				table.insert(summaries, summary);
			until not id;
			assert.equal(3, #summaries);
			assert.same({ summaries[1], summaries[1], summaries[1] }, summaries);
		end);

		it("has an id that no other has", function ()
			local seen = {};
			make_absent_member(engine);
			for turn = 1, 200 do
				engine:handle_message(facts(), message(), turn);
				local id = push(engine).id;
				assert.is_nil(seen[id]);
				seen[id] = true;
				assert.is_true(engine:handle_result(id, "push.localhost", turn));
			end
		end);
	end);

	describe("an answer", function ()
		it("is taken with or without a type and a condition", function ()
			make_absent_member(engine);
			engine:handle_message(facts(), message(), 10);
			local id = push(engine).id;
			assert.is_false(engine:handle_result("another", "push.localhost", 11));
			assert.is_false(engine:handle_error(id, "evil.localhost", "cancel", "gone", 11));
			assert.is_true(engine:handle_error(id, "push.localhost", nil, nil, 11));
			assert.is_false(engine:handle_error(id, "push.localhost", nil, nil, 11));
		end);

		it("leads to an event that names the disabled device", function ()
			engine = open { max_errors = 1 };
			make_absent_member(engine);
			engine:handle_message(facts(), message(), 10);
			assert.is_true(engine:handle_error(push(engine).id, "push.localhost", "cancel", "gone", 11));
			assert.same({ type = "device-disabled", user = user, push_identifier = "push.localhost<n1", app_server = "push.localhost", errors = 1 },
				engine:poll_event());
			assert.is_nil(engine:poll_event());
		end);
	end);

	describe("the next deadline", function ()
		it("is nil, at once, or later, and has a reason", function ()
			assert.same({}, { engine:next_deadline() });
			make_absent_member(engine);
			engine:handle_message(facts(), message(), 10);
			assert.same({ 0.0, "push waiting" }, { engine:next_deadline() });
			assert.equal("push waiting", engine:stats().next_deadline);
			local id = push(engine).id;
			assert.same({ 130, "answer overdue" }, { engine:next_deadline() });
			engine:handle_error(id, "push.localhost", "wait", nil, 20);
			local time, reason = engine:next_deadline();
			assert.equal("retry due", reason);
			assert.is_true(time >= 25 and time <= 30, time);
			engine:handle_timeout(time);
			assert.equal("push waiting", select(2, engine:next_deadline()));
		end);
	end);

	describe("a ping", function ()
		it("pushes every device of a user, without a message", function ()
			assert.equal(0, engine:handle_ping(user));
			make_absent_member(engine);
			assert.equal(1, engine:handle_ping(user));
			local pushed = push(engine, "one-room");
			assert.is_nil(pushed.details.room);
			assert.same({ ["message-count"] = "0" }, pushed.summary);
		end);

		it("can be taken back", function ()
			make_absent_member(engine);
			engine:handle_ping(user);
			local id = push(engine).id;
			assert.equal(1, engine:stats().in_flight);
			assert.is_true(engine:is_wanted(id));
			engine:suppress(id);
			assert.is_false(engine:is_wanted(id));
			assert.equal(0, engine:stats().in_flight);
			engine:handle_send_failure(id, 11);
			assert.is_nil(engine:poll_event());
			assert.is_nil(push(engine));
		end);
	end);

	describe("an addressee", function ()
		it("is nobody once the device is gone", function ()
			make_absent_member(engine);
			engine:handle_message(facts(), message(), 10);
			local device = push(engine).device;
			assert.equal(user, (engine:addressee(device)));
			engine:set_registrations(user, nil);
			assert.equal(0, select("#", engine:addressee(device)));
			assert.equal(0, select("#", engine:addressee(0)));
			assert.equal(0, select("#", engine:addressee(-1)));
		end);
	end);

	describe("a summary", function ()
		it("is known by its number, and no other number is", function ()
			make_absent_member(engine);
			engine:handle_message(facts(), message(), 10);
			local number = push(engine).summary_number;
			assert.equal("1", engine:summary(number)["message-count"]);
			assert.is_nil(engine:summary(number + 1));
		end);
	end);

	describe("a bounce", function ()
		local function bounce(changes)
			return facts(boundary.merged({ user = user, message_key = "k1" }, changes));
		end

		it("is pushed as if its recipient had been absent, once for each message", function ()
			make_absent_member(engine);
			engine:occupant_present(room, user, "alice");
			assert.equal(1, engine:handle_bounce(bounce { gone_nick = "alice", sent = 5 }, message(), 10));
			assert.equal(0, engine:handle_bounce(bounce { gone_nick = "alice", sent = 5 }, message(), 10));
			assert.equal(1, engine:handle_bounce(bounce { gone_nick = "alice", message_key = "k2" }, nil, 10));
			assert.equal("2", push(engine).summary["message-count"]);
		end);

		it("is not pushed to a recipient who is present with another nickname", function ()
			make_absent_member(engine);
			engine:occupant_present(room, user, "alice");
			engine:occupant_present(room, user, "alice2");
			assert.equal(0, engine:handle_bounce(bounce { gone_nick = "alice", sent = 5 }, message(), 10));
		end);
	end);
end);
