-- What rooms have broadcast: the newest messages of each, for as long as they may bounce.
--
-- The broadcasts of a room are numbered from 1. What is kept is the stanza itself, not a copy: mod_muc changes its
-- attributes `from` and `to` only, while it sends the message, and those are set anew when the message is handed on.
--
-- Bounds: `limit` messages of a room, for `seconds`, and `max_total` messages of all rooms.
--
-- Other parts read of a room's history `room_jid`, `number`, `oldest`, `first_archived` and `newest_archived`; they
-- write nothing.
--
-- This file is MIT/X11 licensed.

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local xmlns_sid = "urn:xmpp:sid:0";

-- Some 5 MB of ordinary messages. What is kept makes every cycle of the garbage collector longer.
local max_total = 2000;
-- How much of that is left once the quietest rooms have been forgotten: to find them, all rooms are looked at.
local share_left = 0.9;

-- The archive's id of a message (XEP-0359). Only with mod_muc_mam it can be trusted: it removes those that clients have
-- made up.
local function stanza_id_of(stanza, room_jid)
	local tags = stanza.tags;
	for i = #tags, 1, -1 do -- it is the last one, as a rule
		local attr = tags[i].attr;
		if tags[i].name == "stanza-id" and attr.by == room_jid and attr.xmlns == xmlns_sid then
			return attr.id;
		end
	end
end

-- limit: how many messages of a room are kept; seconds: for how long; has_archive(): whether rooms have an archive
local function new(limit, seconds, has_archive)
	local histories = {}; -- set of those of all rooms
	local total = 0; -- of the messages that are kept

	-- The history of a room that has not broadcast anything yet.
	local function open(room_jid)
		local history = {
			room_jid = room_jid;
			number = 0; -- of the newest broadcast
			oldest = 1; -- number of the oldest message that is kept
			slots = {}; -- number modulo limit -> message
			first_archived = nil; -- archive id of the first broadcast that had one
			newest_archived = nil; -- and of the last one
		};
		histories[history] = true;
		return history;
	end

	local function forget_messages(history)
		for slot in pairs(history.slots) do
			history.slots[slot] = nil;
			total = total - 1;
		end
		history.oldest = history.number + 1;
	end

	-- The room is gone, or nothing is kept of it.
	local function close(history)
		forget_messages(history);
		histories[history] = nil;
	end

	-- Forgets the messages of the rooms that have been quiet for longest.
	local function make_space()
		local quietest, newest_times = {}, {};
		for history in pairs(histories) do
			local newest = history.slots[history.number % limit];
			if newest then
				table.insert(quietest, history);
				newest_times[history] = newest.time;
			end
		end
		table.sort(quietest, function (a, b) return newest_times[a] < newest_times[b]; end);
		for _, history in ipairs(quietest) do
			if total <= max_total * share_left then break; end
			forget_messages(history);
		end
	end

	-- Keeps what a room broadcasts now. sender: the bare JID of the occupant it is from, nil for the room's own
	-- messages; by the time of a bounce, the nickname may be somebody else's.
	local function remember(history, stanza, sender)
		local number = history.number + 1;
		history.number = number;
		local stanza_id = has_archive() and stanza_id_of(stanza, history.room_jid) or nil;
		if stanza_id then
			history.newest_archived = stanza_id;
			history.first_archived = history.first_archived or stanza_id;
		end
		if limit == 0 then
			history.oldest = number + 1;
			return;
		end
		local slots, slot = history.slots, number % limit;
		local message = slots[slot];
		if message then -- the oldest one
			message.number, message.time, message.stanza, message.from = number, monotonic(), stanza, stanza.attr.from;
			message.stanza_id, message.sender = stanza_id, sender;
			return;
		end
		slots[slot] = { number = number, time = monotonic(), stanza = stanza, from = stanza.attr.from, stanza_id = stanza_id, sender = sender };
		total = total + 1;
		if total > max_total then make_space(); end
	end

	-- Forgets the messages that are too old. Afterwards none is kept if `oldest` is greater than `number`.
	local function expire(history)
		local oldest, expired = math.max(history.oldest, history.number - limit + 1), monotonic() - seconds;
		while oldest <= history.number and history.slots[oldest % limit].time < expired do
			history.slots[oldest % limit] = nil;
			total = total - 1;
			oldest = oldest + 1;
		end
		history.oldest = oldest;
	end

	-- Iterates over the messages that are kept, the newest first. Yields each one's number and the message:
	-- { number, time, stanza, from, stanza_id, sender }.
	local function each(history)
		expire(history);
		local number, oldest = history.number + 1, history.oldest;
		return function ()
			number = number - 1;
			if number >= oldest then
				return number, history.slots[number % limit];
			end
		end
	end

	-- The message with an id in the archive, if it is kept.
	local function find(history, stanza_id)
		for _, message in each(history) do
			if message.stanza_id == stanza_id then return message; end
		end
	end

	-- Takes over a history from an earlier load of this module, which may have had another limit.
	local function adopt(history, old_limit)
		local slots, oldest = {}, math.max(history.oldest, history.number - math.min(limit, old_limit) + 1);
		for number = oldest, history.number do
			slots[number % limit] = history.slots[number % old_limit];
			total = total + 1;
		end
		history.slots, history.oldest = slots, oldest;
		histories[history] = true;
	end

	return { open = open, close = close, remember = remember, expire = expire, each = each, find = find, adopt = adopt };
end

return { new = new };
