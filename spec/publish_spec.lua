-- The publish (XEP-0357, section 7): the XML that an app server gets.

local st = require "util.stanza";
local xml = require "util.xml";

-- What publish.lua makes of an engine's numbers.
local function load_publish(engine)
	local environment = setmetatable({ module = { host = "conference.localhost" } }, { __index = _G });
	local function part(name)
		return assert(loadfile("lua/"..name..".lua", "t", environment))(part);
	end
	return part "muc_cloud_notify/publish".new(engine);
end

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
	local publish = load_publish {
		addressee = function () return "mary@localhost", "push.localhost", node, form and xml.parse(form); end;
		summary = function () return summary; end;
	};
	return publish.iq("id1", publish.addressee(1), 1);
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
	local asked, publish;

	before_each(function ()
		asked = 0;
		publish = load_publish {
			addressee = function () return "mary@localhost", "push.localhost", "n1"; end;
			summary = function (_, summary)
				asked = asked + 1;
				return { ["message-count"] = tostring(summary), ["last-message-body"] = "a" };
			end;
		};
	end);

	local function item(summary)
		return publish.iq("id1", publish.addressee(1), summary).tags[1].tags[1].tags[1];
	end

	it("are made once for all pushes that say the same", function ()
		local first = item(1);
		assert.equal(first, item(1));
		assert.equal(1, asked);
		for other = 2, 5 do
			assert.not_equal(first, item(other));
		end
		assert.equal("1", first:find("{urn:xmpp:push:0}notification/{jabber:x:data}x").tags[2]:get_child_text("value"));
	end);

	it("are let go when there are too many", function ()
		local first = item(1);
		for count = 2, 1000 do item(count); end
		local again = item(1);
		assert.not_equal(first, again);
		assert.same(st.preserialize(first), st.preserialize(again));
	end);
end);

describe("the addressees that are kept", function ()
	local asked, publish;

	before_each(function ()
		asked = 0;
		publish = load_publish {
			addressee = function (_, device)
				asked = asked + 1;
				if device > 0 then return "user"..device, "push.localhost", "n"..device; end
			end;
		};
	end);

	it("are asked for once", function ()
		local first = publish.addressee(1);
		assert.same({ "user1", "push.localhost" }, { first.user, first.app_server });
		assert.equal("n1", first.tags[1].tags[1].attr.node);
		assert.equal(first, publish.addressee(1));
		assert.not_equal(first, publish.addressee(2));
		assert.equal(2, asked);
	end);

	it("are asked for again when they were forgotten, or are too many", function ()
		publish.addressee(1);
		publish.forget_addressee(1);
		publish.forget_addressee(2);
		publish.addressee(1);
		assert.equal(2, asked);
		for device = 1, 10000 do publish.addressee(device); end
		asked = 0;
		publish.addressee(10000);
		assert.equal(0, asked);
		publish.addressee(1);
		assert.equal(1, asked);
	end);

	it("are none where the device is gone", function ()
		assert.is_nil(publish.addressee(0));
	end);
end);
