-- What has changed in rooms where messages are held and is not in the store yet, and the batches that it is written in.
--
-- It is noted for each room, in `unstored`: { is_first = whether nothing of the room is in the store; nicks -> the bare JID of who is there
-- under them, or false; known -> nicks of which the store says that somebody is there; left -> the bare JIDs of who has left; recounted ->
-- counts that are in the store, and have changed; from = the place of the first message that is not in the store }. These are plain
-- values, as they may outlive this module. For the rest of what is known of a room see held_messages.lua.
--
-- This file is MIT/X11 licensed.

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

-- Of a batch: how many messages and occupants, and about how many bytes.
local changes_per_batch, bytes_per_batch = 500, 512 * 1024;
local bytes_per_change, bytes_per_message = 60, 300; -- beside the message

-- And how long it takes to make it.
local seconds_per_batch = 0.005;

-- From now on it is noted what changes in a room.
local function begin(of_room)
	local nicks, left = {}, {};
	for nick, bare_jid in pairs(of_room.present) do nicks[nick] = bare_jid; end
	for bare_jid in pairs(of_room.left) do left[bare_jid] = true; end
	of_room.unstored = { is_first = true, nicks = nicks, known = {}, left = left, recounted = {}, from = of_room.first };
end

-- before, now_here: the bare JID of who was there under a nick, and of who is. Of who comes and goes before that is written only the
-- latter is of interest.
local function note_occupant(unstored, nick, before, now_here)
	unstored.nicks[nick] = now_here;
	if not now_here and unstored.known[nick] then unstored.nicks[nick] = false; end
	if before and not now_here then unstored.left[before] = true; end
end

-- number: of the last message in the store; pack(room_jid, message, time) = what is stored of one, nil for nothing
local function new_batch(number, pack)
	-- entries: see held_reader.lua; number: of its last message; is_full: whether there may be more that has changed
	local batch = { entries = {}, number = number, changes = 0, bytes = 0, is_full = false };
	local deadline, on_stored = monotonic() + seconds_per_batch, {};

	local function has_space()
		batch.is_full = batch.is_full
			or batch.changes >= changes_per_batch or batch.bytes >= bytes_per_batch or monotonic() >= deadline;
		return not batch.is_full;
	end

	local function add(list, change, length)
		table.insert(list, change);
		batch.changes, batch.bytes = batch.changes + 1, batch.bytes + bytes_per_change + (length or 0);
	end

	local function once_stored(func)
		table.insert(on_stored, func);
	end

	local function add_occupants(entry, of_room)
		local unstored = of_room.unstored;
		for nick, bare_jid in pairs(unstored.nicks) do
			if not has_space() then return; end
			add(entry.nicks, { jid_resource(nick), bare_jid });
			once_stored(function () unstored.nicks[nick], unstored.known[nick] = nil, bare_jid or nil; end);
		end
		for bare_jid in pairs(unstored.left) do
			if not has_space() then return; end
			add(entry.left, { bare_jid, of_room.left[bare_jid] });
			once_stored(function () unstored.left[bare_jid] = nil; end);
		end
	end

	local function add_messages(entry, of_room, time)
		local unstored, numbers = of_room.unstored, {};
		local place = math.max(unstored.from, of_room.first);
		while place <= of_room.last and has_space() do
			local message = of_room.messages[place];
			local packed = pack(entry.room, message, time);
			if packed then
				batch.number = batch.number + 1;
				packed.number = batch.number;
				add(entry.messages, packed, bytes_per_message + #(packed.xml or ""));
			end
			numbers[message], place = batch.number, place + 1;
		end
		once_stored(function ()
			for message, its_number in pairs(numbers) do message.number = its_number; end
			unstored.from = place;
		end);
	end

	local function add_counts(entry, unstored, time)
		for message in pairs(unstored.recounted) do
			if not has_space() then return; end
			add(entry.recounted, { number = message.number, times = message.times, age = time - message.details.sent });
			once_stored(function () unstored.recounted[message] = nil; end);
		end
	end

	-- Adds what has changed in a room, as far as there is space.
	function batch.add(of_room)
		local before, unstored, time = batch.changes, of_room.unstored, monotonic();
		local entry = { room = of_room.room.jid, is_first = unstored.is_first, presences = of_room.presences };
		entry.nicks, entry.left, entry.messages, entry.recounted = {}, {}, {}, {};
		add_occupants(entry, of_room);
		add_messages(entry, of_room, time);
		add_counts(entry, unstored, time);
		if batch.changes == before then return; end
		table.insert(batch.entries, entry);
		once_stored(function () unstored.is_first = nil; end);
	end

	-- It is in the store, or there was nothing to write.
	function batch.note_stored()
		for _, func in ipairs(on_stored) do func(); end
	end

	return batch;
end

return { begin = begin, note_occupant = note_occupant, new_batch = new_batch };
