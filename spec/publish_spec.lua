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
	return publish.iq("id1", "conference.localhost", "push.localhost", node, publish.item(summary),
		form and publish.publish_options(xml.parse(form)));
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
		for _, none in ipairs { false, "nil" } do
			local stanza = iq(none ~= "nil" and none or nil, { ["message-count"] = "0" }, nil);
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
		end
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

describe("the options that are kept", function ()
	local made;
	local function to_stanza(name)
		made = made + 1;
		return st.stanza("x", { xmlns = "jabber:x:data", name = name });
	end

	before_each(function () made = 0; end);

	it("are made once", function ()
		local options = publish.keep_options(to_stanza);
		local first = options("a");
		assert.equal("publish-options", first.name);
		assert.equal("a", first.tags[1].attr.name);
		assert.equal(first, options("a"));
		assert.not_equal(first, options("b"));
		assert.equal(2, made);
	end);

	it("are let go when there are too many, the oldest first", function ()
		local options = publish.keep_options(to_stanza);
		for number = 1, 10000 do
			options("form"..number);
		end
		assert.equal(10000, made);
		options("form10000");
		assert.equal(10000, made);
		options("form1");
		assert.equal(10001, made);
	end);
end);
