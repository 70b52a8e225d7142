-- The message that goes to a user's own server: how it says that it mentions the user.

local prosody = require "harness.prosody";

local way_message = assert(loadfile(prosody.root .. "/lua/muc_cloud_notify/way_message.lua"))();

describe("what goes to a user's own server", function ()
	-- The URIs of its references.
	local function uris(user, is_mention)
		local room = "den@conference.localhost";
		local engine = { push_words = function () return is_mention, room .. "/Alice", "Look", room; end };
		local message, list = way_message.new(engine, user, "1", 1), {};
		assert.same({ user, "Look" }, { message.attr.to, message:get_child_text("body") });
		for reference in message:childtags("reference", "urn:xmpp:reference:0") do
			assert.equal("mention", reference.attr.type);
			table.insert(list, reference.attr.uri);
		end
		return list;
	end

	it("has the URI of who is mentioned", function ()
		for user, uri in pairs {
			["bob@far.example"] = "xmpp:bob@far.example";
			["b-o.b_~!$()*+,;=1@far.example"] = "xmpp:b-o.b_~!$()*+,;=1@far.example";
			["bob@[::1]"] = "xmpp:bob@[::1]";
			["far.example"] = "xmpp:far.example";
		} do
			assert.same({ uri }, uris(user, true));
		end
	end);

	it("has it percent-encoded where need be, and as some compare it", function ()
		assert.same({ "xmpp:bob%C3%B6%23%3F%25@far.example", "xmpp:bobö#?%@far.example" }, uris("bobö#?%@far.example", true));
		local nasty = "nasty!#$%()*+,-.;=?[\\]^_`{|}~node@example.com"; -- RFC 5122, section 2.7
		assert.same({ "xmpp:nasty!%23$%25()*+,-.;=%3F%5B%5C%5D%5E_%60%7B%7C%7D~node@example.com", "xmpp:" .. nasty }, uris(nasty, true));
		assert.equal("xmpp:bob@b%C3%BCcher.example", uris("bob@bücher.example", true)[1]);
	end);

	it("has none of who is not", function ()
		assert.same({}, uris("bob@far.example", false));
		assert.same({}, uris("bobö#?%@far.example", false));
	end);
end);
