-- Replies (XEP-0461): which message a message replies to.
--
-- The id says so. In a room it is the one that the room has given the message (XEP-0359): nobody else can have given it,
-- and it stays what it is when its author takes another nickname.
--
-- This file is MIT/X11 licensed.

local xmlns_reply = "urn:xmpp:reply:0";

-- The id of the message that a message replies to, nil where it is no reply or does not say. Every message in a room where
-- somebody is absent is asked: it takes half the time of get_child().
local function replied_id(stanza)
	local tags = stanza.tags;
	for i = 1, #tags do
		local tag = tags[i];
		if tag.name == "reply" and tag.attr.xmlns == xmlns_reply then
			return tag.attr.id;
		end
	end
end

return { replied_id = replied_id };
