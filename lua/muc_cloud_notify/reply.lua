-- Replies (XEP-0461): which message a message replies to.
--
-- The id says so. In a room it is the one that the room has given the message (XEP-0359): nobody else can have given it,
-- and it stays what it is when its author takes another nickname.
--
-- This file is MIT/X11 licensed.

local xmlns_reply = "urn:xmpp:reply:0";

-- The id of the message that a message replies to, nil where it is no reply or does not say.
local function replied_id(stanza)
	local reply = stanza:get_child("reply", xmlns_reply);
	return reply and reply.attr.id;
end

return { replied_id = replied_id };
