-- The newest private messages in a room, by what their bounces say: those are bounces of no broadcast.
--
-- Invariant: of a private message, nothing is kept that it says.
--
-- Bounds: `limit` messages of a room, each with an id of at most 256 bytes, see bounce.lua.
--
-- This file is MIT/X11 licensed.

local limit = 100;

-- Those of a room where none has been sent yet.
local function open()
	return {
		count = 0; -- of all that were sent
		slots = {}; -- count modulo limit -> message
	};
end

local function remember(private_messages, room, stanza)
	local recipient = room:get_occupant_by_nick(stanza.attr.to);
	if not recipient then return; end
	private_messages.count = private_messages.count + 1;
	private_messages.slots[private_messages.count % limit] = {
		from = stanza.attr.from;
		id = stanza.attr.id;
		bare_jid = recipient.bare_jid;
		returned_by = {}; -- set of the full JIDs of the sessions that it has bounced from
	};
end

-- Whether a bounce is that of a private message, which takes note of it. Ids are up to clients, so there may be a
-- broadcast with the same one: of two bounces that say the same, the first is taken for that of the private message.
local function take(private_messages, bounce, bare_jid)
	local attr = bounce.attr;
	for _, message in pairs(private_messages.slots) do
		if message.id == attr.id and message.from == attr.to and message.bare_jid == bare_jid and not message.returned_by[attr.from] then
			message.returned_by[attr.from] = true;
			return true;
		end
	end
	return false;
end

return { open = open, remember = remember, take = take };
