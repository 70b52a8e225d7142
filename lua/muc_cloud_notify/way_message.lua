-- The message that goes to a user's own server, where that is the way to reach them (see engine_types.lua): made of what is kept of the
-- newest message that the push is about, addressed to the bare JID.
--
-- This file is MIT/X11 licensed.

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names

local xmlns_reference = "urn:xmpp:reference:0";

-- user: the bare JID; id: of a push that was polled; summary: its number. Returns nil where the push is about no message.
local function new(engine, user, id, summary)
	local is_mention, sender, body, room = engine:push_words(id);
	if not room then return nil; end
	-- Without a text that may be told, it is the one that app servers are told in its place: servers push nothing but the count for a
	-- message without any.
	body = body or engine:summary(summary)["last-message-body"];
	local message = st.message({ type = "groupchat", from = sender or room, to = user, id = id });
	if body then message:text_tag("body", body); end
	if is_mention then
		message:tag("reference", { xmlns = xmlns_reference, type = "mention", uri = "xmpp:"..user }):up();
	end
	return message;
end

return { new = new };
