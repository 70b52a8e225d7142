-- The newest messages that rooms have broadcast, as long as a bounce may ask for them.
--
-- A room's broadcasts are numbered. What is remembered is the stanza itself, not a copy: whoever routes it
-- works on its attributes `from` and `to` only, and those are set anew when the message is given away.
--
-- This file is MIT/X11 licensed.

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local xmlns_sid = "urn:xmpp:sid:0";

-- In all rooms: some 5 MB of ordinary messages. What is kept makes every cycle of the garbage collector longer.
local max_total = 2000;

-- The archive's id of a message in a room. Only mod_muc_mam keeps others from giving one themselves.
local function stanza_id_of(stanza, room_jid)
	local tags = stanza.tags;
	for i = #tags, 1, -1 do -- it is the last one, as a rule
		local attr = tags[i].attr;
		if tags[i].name == "stanza-id" and attr.by == room_jid and attr.xmlns == xmlns_sid then
			return attr.id;
		end
	end
end

-- rooms: what is known of each room, by its JID; limit: how many broadcasts of a room are remembered; seconds:
-- for how long; has_archive(): whether rooms have an archive
local function new(rooms, limit, seconds, has_archive)
	local total = 0;

	local function forget(memory)
		for slot in pairs(memory.broadcasts) do
			memory.broadcasts[slot] = nil;
			total = total - 1;
		end
		memory.oldest = memory.number + 1;
	end

	-- The rooms that have been quiet for longest are forgotten, and some more than has to be: it takes a look at
	-- every room.
	local function make_space()
		local quietest = {};
		for _, memory in pairs(rooms) do
			if memory.oldest <= memory.number then table.insert(quietest, memory); end
		end
		table.sort(quietest, function (a, b) return a.newest_time < b.newest_time; end);
		for _, memory in ipairs(quietest) do
			if total <= max_total * 0.9 then break; end
			forget(memory);
		end
	end

	-- sender: the bare JID of who has said it, whom its nickname may not mean any more when it comes back
	local function remember(memory, stanza, sender)
		local number = memory.number + 1;
		memory.number = number;
		local stanza_id = has_archive() and stanza_id_of(stanza, memory.room_jid) or nil;
		if stanza_id then
			memory.newest_archived = stanza_id;
			memory.first_archived = memory.first_archived or stanza_id;
		end
		if limit == 0 then
			memory.oldest = number + 1;
			return;
		end
		local slot, now = number % limit, monotonic();
		local broadcast = memory.broadcasts[slot];
		if not broadcast then
			broadcast = {};
			memory.broadcasts[slot] = broadcast;
			total = total + 1;
		end
		broadcast.time, broadcast.stanza, broadcast.from, broadcast.stanza_id = now, stanza, stanza.attr.from, stanza_id;
		broadcast.sender, broadcast.number = sender, number;
		memory.newest_time = now;
		if total > max_total then make_space(); end
	end

	-- Forgets what is too old, and returns the number of the oldest one that is remembered.
	local function expire(memory)
		local oldest, expired = math.max(memory.oldest, memory.number - limit + 1), monotonic() - seconds;
		while oldest <= memory.number and memory.broadcasts[oldest % limit].time < expired do
			memory.broadcasts[oldest % limit] = nil;
			total = total - 1;
			oldest = oldest + 1;
		end
		memory.oldest = oldest;
		return oldest;
	end

	-- Goes over what is remembered, from the newest to the oldest: number, broadcast.
	local function each(memory)
		local oldest, number = expire(memory), memory.number + 1;
		return function ()
			number = number - 1;
			if number >= oldest then
				return number, memory.broadcasts[number % limit];
			end
		end
	end

	-- What another load of this module has remembered, perhaps with another limit.
	local function adopt(memory, old_limit)
		local kept, oldest = {}, math.max(memory.oldest, memory.number - math.min(limit, old_limit) + 1);
		for number = oldest, memory.number do
			kept[number % limit] = memory.broadcasts[number % old_limit];
			total = total + 1;
		end
		memory.broadcasts, memory.oldest = kept, oldest;
	end

	return { remember = remember, expire = expire, each = each, forget = forget, adopt = adopt };
end

return { new = new };
