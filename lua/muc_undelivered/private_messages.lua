-- The newest private messages in a room, by what their bounces say: those are not of a broadcast.
--
-- This file is MIT/X11 licensed.

-- Of each room.
local limit = 100;

local function remember(memory, room, stanza)
	local recipient = room:get_occupant_by_nick(stanza.attr.to);
	if not recipient then return; end
	memory.private_count = memory.private_count + 1;
	memory.private[memory.private_count % limit] = {
		from = stanza.attr.from;
		id = stanza.attr.id;
		bare_jid = recipient.bare_jid;
		returned = {}; -- the sessions it has come back from
	};
end

-- Whether a bounce is that of a private message. Ids are up to clients, so there may be a broadcast with the
-- same one: of two bounces that say the same, the first is taken for that of the private message.
local function take(memory, bounce, bare_jid)
	local attr = bounce.attr;
	for _, message in pairs(memory.private) do
		if message.id == attr.id and message.from == attr.to and message.bare_jid == bare_jid and not message.returned[attr.from] then
			message.returned[attr.from] = true;
			return true;
		end
	end
	return false;
end

return { remember = remember, take = take };
