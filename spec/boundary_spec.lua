-- The boundary between Lua and Rust, in the process of the test: every type that crosses it, both ways.

local st = require "util.stanza";
local xml = require "util.xml";
local serialization = require "util.serialization";

local native = assert(package.loadlib("./muc_cloud_notify.so", "luaopen_muc_cloud_notify"))();

local room = "den@conference.localhost";
local user = "alice@users.localhost";

local function options(changes)
	local set = {
		with_body = false; with_sender = false; important_body = "New Message!"; max_errors = 16; max_devices = 5;
		default_level = "always"; app_servers = nil; reply_timeout = 120; retry_delay = 10; max_retry_delay = 3600;
		time_to_live = 172800; give_up_after = 1209600;
	};
	for name, value in pairs(changes or {}) do set[name] = value; end
	return set;
end

local function enable_iq(attributes, children)
	return xml.parse(("<iq xmlns='jabber:client' type='set' id='1'><enable xmlns='urn:xmpp:push:0' %s>%s</enable></iq>")
		:format(attributes or "jid='push.localhost' node='n1'", children or ""));
end

local form = [[<x xmlns='jabber:x:data' type='submit'>
	<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>
	<field var='secret'><value>a &amp; b &lt;ü☃𝄞&gt;</value></field></x>]];

local function message(body)
	return st.message({ type = "groupchat", from = room.."/bob", to = room, id = "m1" }):body(body or "Hello");
end

local function facts(changes)
	local set = { room = room; sender = "bob@users.localhost"; members_only = false; public = true; keep_original = false };
	for name, value in pairs(changes or {}) do set[name] = value; end
	return set;
end

describe("boundary", function ()
	local engine, is_new;

	before_each(function ()
		engine, is_new = native.open("conference.localhost", options(), st.stanza_mt);
	end);

	after_each(function ()
		native.close("conference.localhost");
	end);

	-- Registers the user's device, and makes the user an absent member of the room.
	local function make_absent_member(iq)
		local change = assert(engine:enable(user, iq or enable_iq(), nil, 1));
		engine:register(user, change.record);
		engine:set_members(room, { user, false });
		engine:set_occupants(room, {}, 1);
		return change;
	end

	-- The first push of a turn, by the names of its values.
	local function push(with_event)
		local pushes, summaries, disabled, changed, events = engine:turn(10, 100, with_event or false);
		assert.same({}, disabled);
		local recipient, app_server, node, known_form = engine:addressee(pushes[2]);
		return {
			id = pushes[1], device = pushes[2], summary = summaries[pushes[3]];
			user = recipient, app_server = app_server, node = node, form = known_form;
			is_changed = changed[1] == pushes[2], event = events and events[1];
		}, #pushes / 3;
	end

	describe("open", function ()
		it("tells the version of the library", function ()
			assert.matches("^%d+%.%d+%.%d+$", native.version);
		end);

		it("makes one engine for a host, and finds it again", function ()
			assert.is_true(is_new);
			make_absent_member();
			local again, again_new = native.open("conference.localhost", options(), st.stanza_mt);
			assert.is_false(again_new);
			assert.same({ users = 1, devices = 1, in_flight = 0 }, again:census());
			local other, other_new = native.open("other.localhost", options(), st.stanza_mt);
			assert.is_true(other_new);
			assert.same({ users = 0, devices = 0, in_flight = 0 }, other:census());
			native.close("other.localhost");
		end);

		it("makes a new engine once the old one was closed", function ()
			make_absent_member();
			native.close("conference.localhost");
			local again, again_new = native.open("conference.localhost", options(), st.stanza_mt);
			assert.is_true(again_new);
			assert.same({ users = 0, devices = 0, in_flight = 0 }, again:census());
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
			local change, err = engine:enable(user, enable_iq("node='n1'"), nil, 1);
			assert.is_nil(change);
			assert.equal("modify", err.type);
			assert.equal("bad-request", err.condition);
			assert.matches("jid", err.text, 1, true);
			local reply = st.error_reply(enable_iq(), err.type, err.condition, err.text);
			assert.equal(err.text, reply:find("error/{urn:ietf:params:xml:ns:xmpp-stanzas}text#"));
		end);

		it("is none for what is well", function ()
			local change, err = engine:enable(user, enable_iq(), nil, 1);
			assert.is_table(change);
			assert.is_nil(err);
		end);
	end);

	describe("wrong use", function ()
		it("is an error with a text, and leaves the engine usable", function ()
			for name, use in pairs {
				["no arguments"] = function () engine:enable(); end;
				["a number for a stanza"] = function () engine:enable(user, 1, nil, 1); end;
				["a table that is no stanza"] = function () engine:enable(user, {}, nil, 1); end;
				["a string for a time"] = function () engine:turn("now", 1, false); end;
				["a negative limit"] = function () engine:turn(1, -1, false); end;
				["facts without a room"] = function () engine:message(facts { room = false }, message(), 1); end;
				["facts with more than that"] = function () engine:message(facts { colour = "red" }, message(), 1); end;
				["something that no store can hold"] = function () engine:register(user, { ["a<b"] = { jid = "a", f = print } }); end;
				["a table that holds itself"] = function ()
					local own = { jid = "a" };
					own.own = own;
					engine:register(user, { ["a<b"] = own });
				end;
			} do
				local ok, err = pcall(use);
				assert.is_false(ok, name);
				assert.is_true(#tostring(err) > 0, name);
			end
			assert.same({ users = 0, devices = 0, in_flight = 0 }, engine:census());
		end);
	end);

	describe("a record", function ()
		it("has the fields that mod_cloud_notify stores", function ()
			local change = engine:enable(user, enable_iq("jid='Push.Localhost' node='n1' include_payload='true'", form), nil, 1700000000.5);
			assert.equal("push.localhost<n1", change.added);
			assert.equal(0, change.removed);
			local stored = change.record["push.localhost<n1"];
			assert.equal("push.localhost", stored.jid);
			assert.equal("n1", stored.node);
			assert.equal("true", stored.include_payload);
			assert.equal(1700000000.5, stored.timestamp);
			local options_form = st.deserialize(stored.options);
			assert.equal("submit", options_form.attr.type);
			assert.equal("jabber:x:data", options_form.attr.xmlns);
			assert.equal("a & b <ü☃𝄞>", options_form.tags[2]:find("{jabber:x:data}value#"));
		end);

		it("has no node and no form where the client gave none", function ()
			local stored = engine:enable(user, enable_iq("jid='push.localhost'"), nil, 1).record["push.localhost<"];
			assert.same({ jid = "push.localhost", timestamp = 1 }, stored);
		end);

		it("survives Prosody's serialization", function ()
			local change = engine:enable(user, enable_iq(nil, form), nil, 1);
			local read = serialization.deserialize(serialization.serialize(change.record));
			assert.same(change.record, read);
			assert.is_false(engine:register("x@y", nil));
			assert.is_true(engine:register(user, read));
		end);

		it("keeps what other modules have put there: every type, nested, and in arrays", function ()
			local theirs = {
				yes = true; no = false; integer = 42; negative = -7; float = 0.25; big = 2^53; text = "ü"; bytes = "\0\255";
				nested = { rules = { ["a@b"] = { when = "never" } }; list = { "x", "y", [5] = "z" } }; [3] = "three"; empty = {};
			};
			local entry = { jid = "push.localhost", node = "n1", timestamp = 5 };
			for key, value in pairs(theirs) do entry[key] = value; end
			local change = engine:enable(user, enable_iq("jid='other.localhost'"), { ["push.localhost<n1"] = entry }, 6);
			assert.same(entry, change.record["push.localhost<n1"]);
			assert.equal("integer", math.type(change.record["push.localhost<n1"].integer));
			assert.equal("float", math.type(change.record["push.localhost<n1"].float));
		end);

		it("keeps entries that are no registrations", function ()
			local junk = { __orderedIndex = { "x" }; ["a<b"] = "text"; ["c<d"] = { node = "d" }; [1] = true;
				["e<f"] = { jid = "e", node = 5 }; ["g<h"] = { jid = "g", options = "text" }; ["i<j"] = { jid = "i", timestamp = {} } };
			local change = engine:enable(user, enable_iq(), junk, 1);
			for key, value in pairs(junk) do
				assert.same(value, change.record[key]);
			end
			assert.is_table(change.record["push.localhost<n1"]);
		end);

		it("is nil when nothing is left", function ()
			local change = engine:enable(user, enable_iq(), nil, 1);
			local iq = xml.parse("<iq xmlns='jabber:client'><disable xmlns='urn:xmpp:push:0' jid='push.localhost'/></iq>");
			local disabled = engine:disable(iq, change.record);
			assert.equal(1, disabled.removed);
			assert.is_nil(disabled.record);
			assert.is_nil(disabled.added);
			local record, was_there = engine:without(change.record, "push.localhost<n1");
			assert.is_nil(record);
			assert.is_true(was_there);
			record, was_there = engine:without(change.record, "push.localhost<n2");
			assert.same(change.record, record);
			assert.is_false(was_there);
		end);

		it("may have a timestamp of any kind of number", function ()
			for _, timestamp in ipairs { 1, 1.5, 2^40 } do
				engine:register(user, { ["a<b"] = { jid = "a", node = "b", timestamp = timestamp } });
				assert.is_true(engine:is_registered(user));
			end
			engine:register(user, { ["a<b"] = { jid = "a", node = "b" } });
			assert.is_true(engine:is_registered(user));
		end);
	end);

	describe("a form", function ()
		it("comes back as Prosody's parser would have made it", function ()
			make_absent_member(enable_iq(nil, form));
			assert.equal(1, engine:message(facts(), message(), 10));
			local back = push().form;
			assert.is_true(st.is_stanza(back));
			assert.same(st.preserialize(enable_iq(nil, form).tags[1].tags[1]), st.preserialize(back));
			assert.equal("a & b <ü☃𝄞>", back.tags[2]:find("{jabber:x:data}value#"));
			assert.same(back, st.clone(back));
		end);

		it("may hold attributes and namespaces of every kind", function ()
			local odd = [[<x xmlns='jabber:x:data' xmlns:o='urn:odd' o:way='1' type='submit' xml:lang='de'>text
				<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>more
				<o:thing a='&apos;&quot;&lt;'><b/>&amp;</o:thing></x>]];
			make_absent_member(enable_iq(nil, odd));
			engine:message(facts(), message(), 10);
			local given = enable_iq(nil, odd).tags[1].tags[1];
			assert.same(st.preserialize(given), st.preserialize(push().form));
		end);

		it("shares nothing of its own with other forms", function ()
			local forms = {};
			for place, secret in ipairs { "one", "two" } do
				make_absent_member(enable_iq(nil, (form:gsub("a &amp; b", secret))));
				engine:message(facts(), message(), 10);
				forms[place] = push().form;
				engine:register(user, nil);
			end
			assert.equal("one <ü☃𝄞>", forms[1].tags[2]:find("{jabber:x:data}value#"));
			assert.equal("two <ü☃𝄞>", forms[2].tags[2]:find("{jabber:x:data}value#"));
			assert.equal(forms[1].tags[1], forms[2].tags[1]);
		end);

		it("is another one when the device was registered anew with another", function ()
			local key = make_absent_member(enable_iq(nil, form)).added;
			local function push_again(reply_to)
				if reply_to then engine:reply(reply_to.id, "push.localhost", false, nil, nil, 10); end
				engine:message(facts(), message(), 10);
				return push();
			end
			local function enable(other_form)
				local change = engine:enable(user, enable_iq(nil, other_form), nil, 2);
				engine:register(user, change.record, key);
			end
			local first = push_again();
			enable(form);
			local second = push_again(first);
			enable((form:gsub("𝄞", "")));
			local third = push_again(second);
			local fourth = push_again(third);
			assert.same({ false, false, true, false }, { first.is_changed, second.is_changed, third.is_changed, fourth.is_changed });
			assert.same({ first.device, first.device }, { third.device, fourth.device });
			assert.equal("a & b <ü☃>", third.form.tags[2]:find("{jabber:x:data}value#"));
		end);
	end);

	describe("a stanza", function ()
		it("may be built by a module, with numbers for text and without namespaces", function ()
			make_absent_member();
			local built = message():tag("x", { xmlns = "urn:x" }):tag("y"):up():up();
			built.attr.id, built.tags[2].attr.n = 5, 1.5;
			table.insert(built.tags[2], 7);
			assert.equal(1, engine:message(facts { keep_original = true }, built, 10));
			local original = push(true).event.original;
			assert.equal("5", original.attr.id);
			assert.equal("Hello", original:get_child_text("body"));
			assert.equal("1.5", original:find("{urn:x}x@n"));
			assert.equal("7", original:get_child("x", "urn:x")[2]);
			assert.equal("urn:x", original:get_child("x", "urn:x").tags[1].attr.xmlns);
		end);

		it("may be nested deeper than any stack", function ()
			make_absent_member();
			local deep = message();
			for _ = 1, 10000 do deep:tag("deeper", { xmlns = "urn:deep" }); end
			deep:reset();
			assert.equal(1, engine:message(facts(), deep, 10));
		end);

		it("may hold text that is no UTF-8", function ()
			make_absent_member();
			local broken = message();
			broken.tags[1][1] = "\255\254 hello";
			assert.equal(1, engine:message(facts(), broken, 10));
		end);
	end);

	describe("a push", function ()
		it("is three values", function ()
			make_absent_member(enable_iq(nil, form));
			engine:message(facts(), message(), 10);
			local only, count = push();
			assert.equal(1, count);
			assert.equal(user, only.user);
			assert.equal("push.localhost", only.app_server);
			assert.equal("n1", only.node);
			assert.same({ ["message-count"] = "1", ["last-message-body"] = "New Message!" }, only.summary);
			assert.matches("^%x+$", only.id);
			assert.equal(48, #only.id);
			assert.is_nil(only.event);
		end);

		it("has no node and no form where there are none", function ()
			make_absent_member(enable_iq("jid='push.localhost'"));
			engine:message(facts(), message(), 10);
			local only = push();
			assert.is_nil(only.node);
			assert.is_nil(only.form);
		end);

		it("comes with its event when that is asked for", function ()
			make_absent_member(enable_iq(nil, form));
			engine:message(facts { keep_original = true }, message("Again"), 12);
			local event = push(true).event;
			assert.equal("Again", event.original:get_child_text("body"));
			assert.equal(room, event.room);
			assert.is_false(event.mentioned);
			assert.equal("n1", event.push_info.node);
		end);

		it("shares its summary with those that say the same", function ()
			local users = {};
			for number = 1, 3 do
				local other = "user"..number.."@users.localhost";
				engine:register(other, { ["a<b"] = { jid = "a", node = "b" } });
				table.insert(users, other);
				table.insert(users, false);
			end
			engine:set_members(room, users);
			engine:set_occupants(room, {}, 1);
			engine:message(facts(), message(), 10);
			local pushes, summaries = engine:turn(10, 100, false);
			assert.equal(9, #pushes);
			assert.equal(1, #summaries);
			assert.same({ 1, 1, 1 }, { pushes[3], pushes[6], pushes[9] });
		end);

		it("has an id that no other has", function ()
			local seen = {};
			make_absent_member();
			for turn = 1, 200 do
				engine:message(facts(), message(), turn);
				local id = push().id;
				assert.is_nil(seen[id]);
				seen[id] = true;
				assert.is_true((engine:reply(id, "push.localhost", false, nil, nil, turn)));
			end
		end);
	end);

	describe("a reply", function ()
		it("is taken with or without a type and a condition", function ()
			make_absent_member();
			engine:message(facts(), message(), 10);
			local id = push().id;
			assert.is_false((engine:reply("another", "push.localhost", false, nil, nil, 11)));
			assert.is_false((engine:reply(id, "evil.localhost", true, "cancel", "gone", 11)));
			assert.is_true((engine:reply(id, "push.localhost", true, nil, nil, 11)));
			assert.is_false((engine:reply(id, "push.localhost", true, nil, nil, 11)));
		end);

		it("tells what it has disabled", function ()
			engine = native.open("conference.localhost", options { max_errors = 1 }, st.stanza_mt);
			make_absent_member();
			engine:message(facts(), message(), 10);
			local expected, disabled = engine:reply(push().id, "push.localhost", true, "cancel", "gone", 11);
			assert.is_true(expected);
			assert.same({ user = user, key = "push.localhost<n1", app_server = "push.localhost", errors = 1 }, disabled);
		end);
	end);

	describe("the time of the next turn", function ()
		it("is nil, at once, or later", function ()
			assert.is_nil(engine:next_turn());
			make_absent_member();
			engine:message(facts(), message(), 10);
			assert.equal(-math.huge, engine:next_turn());
			push();
			assert.equal(130, engine:next_turn());
		end);
	end);

	describe("a room", function ()
		it("is known step by step", function ()
			local function knowledge() return { engine:knowledge(room) }; end
			assert.same({ "nothing", false }, knowledge());
			engine:register(user, { ["a<b"] = { jid = "a", node = "b" } });
			engine:set_members(room, { user, "alice", "nobody@users.localhost", false });
			assert.same({ "members", true }, knowledge());
			engine:set_occupants(room, { "nobody@users.localhost", "nobody" }, 1);
			assert.same({ "complete", true }, knowledge());
			assert.same({ user }, engine:absent(room));
			engine:occupant_present(room, user, "alice");
			assert.same({}, engine:absent(room));
			assert.same({ "complete", false }, knowledge());
			engine:occupant_gone(room, user, "alice", 2);
			assert.same({ user }, engine:absent(room));
			engine:room_restored(room);
			assert.equal("nothing", (engine:knowledge(room)));
			engine:room_destroyed(room);
			assert.same({}, engine:absent(room));
		end);
	end);

	describe("a snapshot", function ()
		it("survives Prosody's serialization, and is taken up again", function ()
			engine = native.open("conference.localhost", options { with_body = true, with_sender = true }, st.stanza_mt);
			make_absent_member();
			engine:message(facts(), message("What is up?"), 10);
			local snapshot = serialization.deserialize(serialization.serialize(engine:snapshot(12)));
			assert.same({ devices = { {
				user = user, key = "push.localhost<n1", errors = 0, attempts = 0, pinged = false;
				missed = { { room = room, count = 1, pending = {
					sender = room.."/bob", body = "What is up?", mentioned = false, messages = 1, age = 2.0;
				} } };
			} } }, snapshot);

			native.close("conference.localhost");
			engine = native.open("conference.localhost", options { with_body = true }, st.stanza_mt);
			engine:register(user, { ["push.localhost<n1"] = { jid = "push.localhost", node = "n1" } });
			assert.same({ room }, engine:restore(snapshot, 20));
			assert.equal("What is up?", push().summary["last-message-body"]);
		end);

		it("is empty when there is nothing to keep", function ()
			assert.same({ devices = {} }, engine:snapshot(1));
			assert.same({}, engine:restore({ devices = {} }, 1));
			assert.has_error(function () engine:restore({ devices = { { missed = 1 } } }, 1); end);
		end);
	end);

	describe("a message that was held", function ()
		it("is for nobody who was there when it was sent", function ()
			make_absent_member();
			assert.equal(0, engine:message(facts(), message(), 10, { "bob@users.localhost", user }));
			assert.equal(1, engine:message(facts(), message(), 10, { "bob@users.localhost" }));
		end);
	end);

	describe("a ping", function ()
		it("pushes every device of a user, without a message", function ()
			assert.equal(0, engine:ping(user));
			make_absent_member();
			assert.equal(1, engine:ping(user));
			local pushed = push(true);
			assert.is_nil(pushed.event.room);
			assert.same({ ["message-count"] = "0" }, pushed.summary);
		end);

		it("can be taken back", function ()
			make_absent_member();
			engine:ping(user);
			local id = push().id;
			assert.equal(1, engine:census().in_flight);
			assert.is_true(engine:is_wanted(id));
			engine:withdraw(id, true);
			assert.is_false(engine:is_wanted(id));
			assert.equal(0, engine:census().in_flight);
			assert.is_nil(engine:sending_failed(id, 11));
		end);
	end);

	describe("an addressee", function ()
		it("is nobody once the device is gone", function ()
			make_absent_member();
			engine:message(facts(), message(), 10);
			local device = push().device;
			assert.equal(user, (engine:addressee(device)));
			engine:register(user, nil);
			assert.equal(0, select("#", engine:addressee(device)));
			assert.equal(0, select("#", engine:addressee(0)));
			assert.equal(0, select("#", engine:addressee(-1)));
		end);
	end);
end);
