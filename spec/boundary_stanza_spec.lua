-- What crosses the boundary between Lua and Rust as a whole, both ways: records, forms, and stanzas.

local st = require "util.stanza";
local xml = require "util.xml";
local serialization = require "util.serialization";

local boundary = require "spec.support.boundary";

local room, user, form = boundary.room, boundary.user, boundary.form;
local enable_iq, facts, make_absent_member, message = boundary.enable_iq, boundary.facts, boundary.make_absent_member, boundary.message;
local changed, open, push = boundary.changed, boundary.open, boundary.push;

describe("boundary", function ()
	local engine;

	before_each(function ()
		engine = open();
	end);

	after_each(boundary.close);

	describe("a record", function ()
		it("has the fields that mod_cloud_notify stores", function ()
			local change = boundary.prepare_enable(engine, enable_iq("jid='Push.Localhost' node='n1' include_payload='true'", form), nil, 1700000000.5);
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
			local stored = boundary.prepare_enable(engine, enable_iq("jid='push.localhost'"), nil, 1).record["push.localhost<"];
			assert.same({ jid = "push.localhost", timestamp = 1, arrival = 1 }, stored);
		end);

		it("survives Prosody's serialization", function ()
			local change = boundary.prepare_enable(engine, enable_iq(nil, form), nil, 1);
			local read = serialization.deserialize(serialization.serialize(change.record));
			assert.same(change.record, read);
			assert.is_false(engine:set_registrations("x@y", nil));
			assert.is_true(engine:set_registrations(user, read));
		end);

		it("keeps what other modules have put there: every type, nested, and in arrays", function ()
			local theirs = {
				yes = true; no = false; integer = 42; negative = -7; float = 0.25; big = 2^53; text = "ü"; bytes = "\0\255";
				nested = { rules = { ["a@b"] = { when = "never" } }; list = { "x", "y", [5] = "z" } }; [3] = "three"; empty = {};
			};
			local entry = { jid = "push.localhost", node = "n1", timestamp = 5 };
			for key, value in pairs(theirs) do entry[key] = value; end
			local change = boundary.prepare_enable(engine, enable_iq("jid='other.localhost'"), { ["push.localhost<n1"] = entry }, 6);
			assert.same(entry, change.record["push.localhost<n1"]);
			assert.equal("integer", math.type(change.record["push.localhost<n1"].integer));
			assert.equal("float", math.type(change.record["push.localhost<n1"].float));
		end);

		it("keeps entries that are no registrations", function ()
			local junk = { __orderedIndex = { "x" }; ["a<b"] = "text"; ["c<d"] = { node = "d" }; [1] = true;
				["e<f"] = { jid = "e", node = 5 }; ["g<h"] = { jid = "g", options = "text" }; ["i<j"] = { jid = "i", timestamp = {} } };
			local change = boundary.prepare_enable(engine, enable_iq(), junk, 1);
			for key, value in pairs(junk) do
				assert.same(value, change.record[key]);
			end
			assert.is_table(change.record["push.localhost<n1"]);
		end);

		it("is nil when nothing is left", function ()
			local change = boundary.prepare_enable(engine, enable_iq(), nil, 1);
			local iq = xml.parse("<iq xmlns='jabber:client'><disable xmlns='urn:xmpp:push:0' jid='push.localhost'/></iq>");
			local disabled = engine:prepare_disable(iq, "push.localhost", change.record);
			assert.equal(1, disabled.removed);
			assert.is_nil(disabled.record);
			assert.is_nil(disabled.added);
			local record, was_there = engine:without_registration(change.record, "push.localhost<n1");
			assert.is_nil(record);
			assert.is_true(was_there);
			record, was_there = engine:without_registration(change.record, "push.localhost<n2");
			assert.same(change.record, record);
			assert.is_false(was_there);
		end);

		it("may have a timestamp of any kind of number", function ()
			for _, timestamp in ipairs { 1, 1.5, 2^40 } do
				engine:set_registrations(user, { ["a<b"] = { jid = "a", node = "b", timestamp = timestamp } });
				assert.is_true(engine:is_registered(user));
			end
			engine:set_registrations(user, { ["a<b"] = { jid = "a", node = "b" } });
			assert.is_true(engine:is_registered(user));
		end);
	end);

	describe("a form", function ()
		it("comes back as Prosody's parser would have made it", function ()
			make_absent_member(engine, enable_iq(nil, form));
			assert.equal(1, engine:handle_message(facts(), message(), 10));
			local back = push(engine).form;
			assert.is_true(st.is_stanza(back));
			assert.same(st.preserialize(enable_iq(nil, form).tags[1].tags[1]), st.preserialize(back));
			assert.equal("a & b <ü☃𝄞>", back.tags[2]:find("{jabber:x:data}value#"));
			assert.same(back, st.clone(back));
		end);

		it("may hold attributes and namespaces of every kind", function ()
			local odd = [[<x xmlns='jabber:x:data' xmlns:o='urn:odd' o:way='1' type='submit' xml:lang='de'>text
				<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>more
				<o:thing a='&apos;&quot;&lt;'><b/>&amp;</o:thing></x>]];
			make_absent_member(engine, enable_iq(nil, odd));
			engine:handle_message(facts(), message(), 10);
			local given = enable_iq(nil, odd).tags[1].tags[1];
			assert.same(st.preserialize(given), st.preserialize(push(engine).form));
		end);

		it("shares nothing of its own with other forms", function ()
			local forms = {};
			for place, secret in ipairs { "one", "two" } do
				make_absent_member(engine, enable_iq(nil, (form:gsub("a &amp; b", secret))));
				engine:handle_message(facts(), message(), 10);
				forms[place] = push(engine).form;
				engine:set_registrations(user, nil);
			end
			assert.equal("one <ü☃𝄞>", forms[1].tags[2]:find("{jabber:x:data}value#"));
			assert.equal("two <ü☃𝄞>", forms[2].tags[2]:find("{jabber:x:data}value#"));
			assert.equal(forms[1].tags[1], forms[2].tags[1]);
		end);

		it("is another one when the device was registered anew with another", function ()
			local key = make_absent_member(engine, enable_iq(nil, form)).added;
			local function push_again(reply_to)
				if reply_to then engine:handle_result(reply_to.id, "push.localhost", 10); end
				local devices = changed(engine);
				engine:handle_message(facts(), message(), 10);
				local pushed = push(engine);
				pushed.is_changed = devices[1] == pushed.device;
				return pushed;
			end
			local function enable(other_form)
				local change = boundary.prepare_enable(engine, enable_iq(nil, other_form), nil, 2);
				engine:set_registrations(user, change.record, key);
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
			make_absent_member(engine);
			local built = message():tag("x", { xmlns = "urn:x" }):tag("y"):up():up();
			built.attr.id, built.tags[2].attr.n = 5, 1.5;
			table.insert(built.tags[2], 7);
			assert.equal(1, engine:handle_message(facts { keep_original = true }, built, 10));
			local original = push(engine, "one-room").details.original;
			assert.equal("5", original.attr.id);
			assert.equal("Hello", original:get_child_text("body"));
			assert.equal("1.5", original:find("{urn:x}x@n"));
			assert.equal("7", original:get_child("x", "urn:x")[2]);
			assert.equal("urn:x", original:get_child("x", "urn:x").tags[1].attr.xmlns);
		end);

		it("may be nested deeper than any stack", function ()
			make_absent_member(engine);
			local deep = message();
			for _ = 1, 10000 do deep:tag("deeper", { xmlns = "urn:deep" }); end
			deep:reset();
			assert.equal(1, engine:handle_message(facts(), deep, 10));
		end);

		it("may hold text that is no UTF-8", function ()
			make_absent_member(engine);
			local broken = message();
			broken.tags[1][1] = "\255\254 hello";
			assert.equal(1, engine:handle_message(facts(), broken, 10));
		end);
	end);

	-- What is looked at are its first 5,000 elements, attributes and texts.
	describe("a message that has its body after many other elements", function ()
		local function body_after(count, attr)
			make_absent_member(engine);
			local stanza = st.message({ type = "groupchat", from = room.."/bob", id = "m1" });
			for _ = 1, count do stanza:tag("a", attr or { xmlns = "urn:example" }):up(); end
			return engine:handle_message(facts(), stanza:tag("body"):text("Hello"):up(), 10);
		end

		it("is read where people's clients could have made it", function ()
			assert.equal(1, body_after(2400));
		end);

		it("is read no further", function ()
			assert.equal(0, body_after(2600));
		end);

		for what, attr in pairs { elements = { xmlns = ("n"):rep(2560) }, attributes = { [("n"):rep(2560) .. "\1a"] = "" } } do
			it("is read less far where a long namespace is that of many "..what, function ()
				assert.equal(1, body_after(300, attr));
			end);

			it("is not read to its end where a long namespace is that of very many "..what, function ()
				assert.equal(0, body_after(600, attr));
			end);
		end
	end);
end);
