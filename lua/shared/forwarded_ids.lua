-- The ids of messages that are forwarded to the accounts of members (`type='groupchat'` to a bare JID). A server like Prosody answers
-- each of them with an error, which comes from that bare JID and says nothing of any session, nor of any message that was broadcast;
-- it may come after a restart, and so is known by its id. Who makes one up is not told from a server that answers, and achieves as much.
--
-- This file is MIT/X11 licensed.

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names

local prefix = "muc-forwarded-";

-- push_id: names the push that the message is
local function new(push_id)
	return prefix..push_id;
end

-- The push that a stanza answers by an error from a bare JID; nil where it is no such error. Errors from sessions are never meant.
local function answered_push(stanza)
	local attr = stanza.attr;
	if attr.type ~= "error" or not attr.id or attr.id:sub(1, #prefix) ~= prefix then return nil; end
	if not attr.from or jid_resource(attr.from) then return nil; end
	return attr.id:sub(#prefix + 1);
end

return { new = new, answered_push = answered_push };
