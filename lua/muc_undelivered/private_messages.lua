-- The newest private messages in a room, by what their bounces say: those are bounces of no broadcast.
--
-- Invariant: of a private message, nothing is kept that it says.
--
-- Bounds: `limit` messages of a room and `max_total` of all, for `seconds`, each with an id of at most 256 bytes, see
-- bounce.lua; of each, `max_returns` sessions that have returned it, and `max_candidates` are looked at for a bounce.
--
-- This file is MIT/X11 licensed.

local part = ...;

local queues = part "muc_undelivered/queue";
local shares = part "muc_undelivered/shares";

local limit = 100;
local max_total = 2000;
local max_returns = 20;
local max_candidates = 20;

-- Of a message, and of a session that has returned one, beside their texts.
local weight_of_message = 800;
local weight_of_return = 80;

-- Those of a room where none has been sent yet.
local function open()
	return {
		count = 0; -- of all that were sent
		slots = {}; -- count modulo limit -> message
		by_id = {}; -- id, false for none -> the newest message with it, which knows the `earlier` and the `later` one
	};
end

local function forget(message)
	local of_room, id = message.room, message.id or false;
	if of_room.slots[message.slot] == message then of_room.slots[message.slot] = nil; end
	local earlier, later = message.earlier, message.later;
	if earlier then earlier.later = later; end
	if later then
		later.earlier = earlier;
	elseif of_room.by_id[id] == message then
		of_room.by_id[id] = earlier;
	end
end

-- seconds: for how long they are kept
local function new(seconds, memory)
	local queue = queues.new { memory = memory, seconds = seconds, limit = max_total, forget = forget };

	local function remember(of_room, room, stanza)
		local attr = stanza.attr;
		-- Not by get_occupant_by_nick(), which makes copies with all sessions.
		local recipient, sender = room._occupants[attr.to], room._occupants[attr.from];
		if not recipient then return; end
		of_room.count = of_room.count + 1;
		local slot, id = of_room.count % limit, attr.id or false;
		local oldest = of_room.slots[slot];
		if oldest then queue.remove(oldest); end
		local earlier = of_room.by_id[id];
		local message = {
			room = of_room, slot = slot, earlier = earlier;
			from = attr.from;
			id = attr.id;
			bare_jid = recipient.bare_jid;
			returned_by = nil; -- set of the full JIDs of the sessions that it has bounced from
			returns = 0;
			owner = shares.owner_of(sender and sender.bare_jid);
			weight = weight_of_message + #attr.from + #(attr.id or "") + #recipient.bare_jid;
		};
		if earlier then earlier.later = message; end
		of_room.by_id[id], of_room.slots[slot] = message, message;
		queue.add(message);
	end

	-- Whether a bounce is that of a private message, which takes note of it. Ids are up to clients, so there may be a
	-- broadcast with the same one: of two bounces that say the same, the first is taken for that of the private message.
	local function take(of_room, bounce, bare_jid)
		queue.expire();
		local attr = bounce.attr;
		local message, looked_at = of_room.by_id[attr.id or false], 0;
		while message and looked_at < max_candidates do
			if message.from == attr.to and message.bare_jid == bare_jid then
				looked_at = looked_at + 1;
				local returned_by = message.returned_by or {};
				if not returned_by[attr.from] and message.returns < max_returns then
					returned_by[attr.from] = true;
					message.returned_by, message.returns = returned_by, message.returns + 1;
					queue.grow(message, weight_of_return + #attr.from);
					return true;
				end
			end
			message = message.earlier;
		end
		return false;
	end

	return { remember = remember, take = take, expire = queue.expire, save = queue.save, restore = queue.restore };
end

return { open = open, new = new };
