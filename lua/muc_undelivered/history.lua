-- What rooms have broadcast: the newest messages of each, for as long as they may bounce.
--
-- The broadcasts of a room are numbered from 1. What is kept of one is said in packing.lua. It is no copy: mod_muc changes the
-- attributes `from` and `to` of a stanza only, while it sends the message, and those are set anew when the message is handed on.
--
-- Bounds: `limit` messages of a room, for `seconds`, and `max_total` messages of all rooms, beside their weight. When there are
-- too many, those who hold the most give way, see shares.lua.
--
-- Other parts read of a room's history `room_jid`, `number`, `oldest`, `first_archived` and `newest_archived`; they
-- write nothing.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local message_index = part "muc_undelivered/message_index";
local packing = part "muc_undelivered/packing";
local shares = part "muc_undelivered/shares";

local pack = packing.pack;

local xmlns_sid = "urn:xmpp:sid:0";

-- What is kept makes every cycle of the garbage collector longer.
local max_total = 2000;
-- How much of that is left when there were more: to find out whose are forgotten, all that are kept are looked at.
local share_left = 0.9;

-- Of a message beside its stanza: its table, and its places in tables.
local weight_of_message = 600;

-- In bytes. Of a message whose stanza is not kept, a longer id is not either.
local max_id = 256;

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

local function by_weight(message) return message.weight; end

local function by_count() return 1; end

-- limit: how many messages of a room are kept; seconds: for how long; has_archive(): whether rooms have an archive
local function new(limit, seconds, memory, has_archive)
	local holding = {}; -- set of the histories of which messages are kept
	local total = 0; -- of the messages that are kept
	local account;

	-- The history of a room that has not broadcast anything yet.
	local function open(room_jid)
		return {
			room_jid = room_jid;
			number = 0; -- of the newest broadcast
			oldest = 1; -- number of the oldest message that is kept
			slots = {}; -- number modulo limit -> message
			index = message_index.new();
			indexed = 0; -- number of the newest message in the index
			first_archived = nil; -- archive id of the first broadcast that had one
			newest_archived = nil; -- and of the last one
		};
	end

	-- Returns the message.
	local function forget_oldest(history)
		local slots, slot = history.slots, history.oldest % limit;
		local message = slots[slot];
		slots[slot] = nil;
		history.oldest = history.oldest + 1;
		if message.number <= history.indexed then message_index.remove_oldest(history.index, message); end
		total = total - 1;
		account.bytes, memory.total = account.bytes - message.weight, memory.total - message.weight; -- memory.add(), without a call
		return message;
	end

	-- The room is gone, or nothing is kept of it.
	local function close(history)
		while history.oldest <= history.number do forget_oldest(history); end
		holding[history] = nil;
	end

	-- Forgets messages of those who hold the most: of a room the oldest, whoever they are from, as those that are left have to be
	-- the newest. Among rooms that hold the same, the quietest come first.
	-- amount_of(message): in the unit of `needed`
	local function give_way(needed, amount_of)
		local owners = {}; -- bare JID -> owner, for what is asked for so often
		local function owner_of(message)
			local sender = message.sender or "";
			owners[sender] = owners[sender] or shares.owner_of(message.sender);
			return owners[sender];
		end
		local cuts = shares.cuts(function (add)
			for history in pairs(holding) do
				for number = history.oldest, history.number do
					local message = history.slots[number % limit];
					add(owner_of(message), history, amount_of(message));
				end
			end
		end, needed);
		local giving = {};
		for owner, of_rooms in pairs(cuts) do
			for history, cut in pairs(of_rooms) do
				local newest = history.slots[history.number % limit];
				table.insert(giving, { history = history, owner = owner, cut = cut, time = newest.time });
			end
		end
		table.sort(giving, function (a, b) return a.time < b.time; end);
		for _, each in ipairs(giving) do
			local history = each.history;
			while needed > 0 and each.cut > 0 and history.oldest <= history.number do
				local message = forget_oldest(history);
				local amount = amount_of(message);
				needed = needed - amount;
				if owner_of(message) == each.owner then each.cut = each.cut - amount; end
			end
			if history.oldest > history.number then holding[history] = nil; end
		end
	end

	account = memory.open(function (bytes)
		give_way(bytes, by_weight);
	end);

	local function keep_within_bounds()
		if total > max_total then give_way(total - max_total * share_left, by_count); end
		if memory.total > memory.limit then memory.check(); end
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
		local packed, weight, description = pack(stanza);
		local attr = stanza.attr;
		local id, from = attr.id, attr.from;
		if not packed and id and #id > max_id then id = ""; end -- a bounce with such an id cannot be found
		weight = weight + weight_of_message;
		if sender then weight = weight + #sender; end
		if description then weight = weight + #(id or "") + #from + #(stanza_id or ""); end
		-- Tables that are at hand already are used again.
		local message = number - history.oldest >= limit and forget_oldest(history) or {};
		message.number, message.time, message.packed, message.description = number, monotonic(), packed, description;
		message.id, message.from, message.stanza_id, message.sender, message.weight = id, from, stanza_id, sender, weight;
		history.slots[number % limit] = message;
		holding[history] = true;
		total = total + 1;
		account.bytes, memory.total = account.bytes + weight, memory.total + weight; -- memory.add(), without a call
		if total > max_total or memory.total > memory.limit then keep_within_bounds(); end
	end

	-- Forgets the messages that are too old. Afterwards none is kept if `oldest` is greater than `number`.
	local function expire(history)
		local expired = monotonic() - seconds;
		while history.oldest <= history.number and history.slots[history.oldest % limit].time < expired do
			forget_oldest(history);
		end
		if history.oldest > history.number then holding[history] = nil; end
	end

	-- The messages that are kept, see message_index.lua. Those that are new since the last time are put into the index now: most
	-- messages are never asked for.
	local function index_of(history)
		expire(history);
		local index = history.index;
		for number = math.max(history.oldest, history.indexed + 1), history.number do
			message_index.add(index, history.slots[number % limit]);
		end
		history.indexed = history.number;
		return index;
	end

	-- The message with an id in the archive, if it is kept.
	local function find(history, stanza_id)
		return index_of(history).by_stanza_id[stanza_id];
	end

	-- Takes over a history from an earlier load of this module, which may have had another limit.
	local function adopt(history, old_limit)
		local old_slots = history.slots;
		history.slots, history.index, history.indexed = {}, message_index.new(), 0;
		history.oldest = math.max(history.oldest, history.number - limit + 1);
		for number = history.oldest, history.number do
			local message = old_slots[number % old_limit];
			history.slots[number % limit] = message;
			total = total + 1;
			memory.add(account, message.weight);
			holding[history] = true;
		end
		keep_within_bounds();
	end

	return { open = open, close = close, remember = remember, expire = expire, index_of = index_of, find = find, adopt = adopt };
end

return { new = new };
