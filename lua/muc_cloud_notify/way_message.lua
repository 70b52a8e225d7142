-- The message that goes to a user's own server, where that is the way to reach them (see engine_types.lua): made of what is kept of the
-- newest message that the push is about, addressed to the bare JID.
--
-- This file is MIT/X11 licensed.

local jid_split = require "util.jid".split; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";

local xmlns_reference = "urn:xmpp:reference:0";

local function percent_encode(character)
	return ("%%%02X"):format(character:byte());
end

-- The URI of a bare JID (RFC 5122, section 2.2). Of a host, the brackets and colons of an IPv6 address stand as they are.
local function uri_of(bare_jid)
	local node, host = jid_split(bare_jid);
	node = node and node:gsub("[^%w%-._~!$()*+,;=]", percent_encode).."@" or "";
	return "xmpp:"..node..host:gsub("[^%w%-._~:%[%]]", percent_encode);
end

-- Says that a message mentions a user. mod_cloud_notify_filters, here or on the user's own server, encodes nothing before it compares.
local function add_reference(message, user)
	local uri, unencoded = uri_of(user), "xmpp:"..user;
	for _, each in ipairs { uri, uri ~= unencoded and unencoded or nil } do
		message:tag("reference", { xmlns = xmlns_reference, type = "mention", uri = each }):up();
	end
end

-- user: the bare JID; id: of a push that was polled; summary: its number. Returns nil where the push is about no message.
local function new(engine, user, id, summary)
	local is_mention, sender, body, room = engine:push_words(id);
	if not room then return nil; end
	-- Without a text that may be told, it is the one that app servers are told in its place: servers push nothing but the count for a
	-- message without any.
	body = body or engine:summary(summary)["last-message-body"];
	local message = st.message({ type = "groupchat", from = sender or room, to = user, id = id });
	if body then message:text_tag("body", body); end
	if is_mention then add_reference(message, user); end
	return message;
end

return { new = new };
