-- The publish (XEP-0357, section 7): the XML that an app server gets.

local st = require "util.stanza";
local xml = require "util.xml";

local publish = require "lua.publish";

local function text(stanza)
	return (tostring(stanza):gsub(">%s+<", "><"));
end

-- XML as text in the order in which Prosody writes it, with xmlns as its parser finds it.
local function expected(source)
	local parsed = xml.parse((source:gsub(">%s+<", "><"):gsub("^%s+", ""):gsub("^<iq", "<iq xmlns='jabber:client'")));
	parsed.attr.xmlns = nil;
	return st.preserialize(parsed);
end

local function iq(node, summary, form)
	local to = publish.addressee("mary@localhost", "push.localhost", node, form and xml.parse(form));
	return publish.iq("id1", "conference.localhost", to, publish.keep_items()(summary));
end

local form = "<x xmlns='jabber:x:data' type='submit'><field var='secret'><value>a &amp; b</value></field></x>";

describe("a publish", function ()
	it("has the hidden FORM_TYPE, the count, the sender and the body, in this order, and then the options", function ()
		local stanza = iq("n1", {
			["last-message-body"] = "Is it <late>?"; ["message-count"] = "3"; ["last-message-sender"] = "den@conference.localhost/Bob & Co";
		}, form);
		assert.same(expected [[
			<iq type='set' id='id1' from='conference.localhost' to='push.localhost'>
				<pubsub xmlns='http://jabber.org/protocol/pubsub'>
					<publish node='n1'>
						<item>
							<notification xmlns='urn:xmpp:push:0'>
								<x xmlns='jabber:x:data' type='submit'>
									<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>
									<field var='message-count'><value>3</value></field>
									<field var='last-message-sender'><value>den@conference.localhost/Bob &amp; Co</value></field>
									<field var='last-message-body'><value>Is it &lt;late&gt;?</value></field>
								</x>
							</notification>
						</item>
					</publish>
					<publish-options>
						<x xmlns='jabber:x:data' type='submit'><field var='secret'><value>a &amp; b</value></field></x>
					</publish-options>
				</pubsub>
			</iq>]], st.preserialize(stanza));
	end);

	it("has neither node nor options nor fields where there are none", function ()
		local stanza = iq(nil, { ["message-count"] = "0" }, nil);
		assert.same(expected [[
			<iq type='set' id='id1' from='conference.localhost' to='push.localhost'>
				<pubsub xmlns='http://jabber.org/protocol/pubsub'>
					<publish>
						<item>
							<notification xmlns='urn:xmpp:push:0'>
								<x xmlns='jabber:x:data' type='submit'>
									<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>
									<field var='message-count'><value>0</value></field>
								</x>
							</notification>
						</item>
					</publish>
				</pubsub>
			</iq>]], st.preserialize(stanza));
	end);

	it("is a stanza like any other: tags, clones and text", function ()
		local stanza = iq("n1", { ["message-count"] = "1" }, form);
		assert.is_true(st.is_stanza(stanza));
		assert.same(stanza, st.clone(stanza));
		local parsed = xml.parse((text(stanza):gsub("^<iq ", "<iq xmlns='jabber:client' ")));
		assert.same(st.preserialize(parsed.tags[1]), st.preserialize(stanza.tags[1]));
		local pubsub = stanza:get_child("pubsub", "http://jabber.org/protocol/pubsub");
		assert.equal("n1", pubsub:get_child("publish").attr.node);
		assert.is_table(pubsub:get_child("publish-options"));
	end);
end);

describe("the items that are kept", function ()
	local function item(items, count, body)
		return items({ ["message-count"] = tostring(count), ["last-message-body"] = body })[1];
	end

	it("are made once for all pushes that say the same", function ()
		local items = publish.keep_items();
		local first = item(items, 1, "a");
		assert.equal(first, item(items, 1, "a"));
		for _, other in ipairs { { 2, "a" }, { 1, "b" }, { 1 }, { "1a" } } do
			assert.not_equal(first, item(items, other[1], other[2]));
		end
		assert.equal("1", first:find("{urn:xmpp:push:0}notification/{jabber:x:data}x").tags[2]:get_child_text("value"));
	end);

	it("are let go when there are too many", function ()
		local items = publish.keep_items();
		local first = item(items, 1);
		for count = 2, 1000 do item(items, count); end
		local again = item(items, 1);
		assert.not_equal(first, again);
		assert.same(st.preserialize(first), st.preserialize(again));
	end);
end);

describe("the addressees that are kept", function ()
	local asked, engine;

	before_each(function ()
		asked = 0;
		engine = {};
		function engine:addressee(device) -- luacheck: ignore 212/self
			asked = asked + 1;
			if device > 0 then return "user"..device, "push.localhost", "n"..device; end
		end
	end);

	it("are asked for once", function ()
		local find = publish.keep_addressees(engine);
		local first = find(1);
		assert.same({ "user1", "push.localhost" }, { first.user, first.app_server });
		assert.equal("n1", first.tags[1].tags[1].attr.node);
		assert.equal(first, find(1));
		assert.not_equal(first, find(2));
		assert.equal(2, asked);
	end);

	it("are asked for again when they were forgotten, or are too many", function ()
		local find, forget = publish.keep_addressees(engine);
		find(1);
		forget(1);
		forget(2);
		find(1);
		assert.equal(2, asked);
		for device = 1, 10000 do find(device); end
		asked = 0;
		find(10000);
		assert.equal(0, asked);
		find(1);
		assert.equal(1, asked);
	end);

	it("are none where the device is gone", function ()
		assert.is_nil((publish.keep_addressees(engine))(0));
	end);
end);
