-- Reads what runs before this one have held and not told. Each of them may have been killed before it could tell anything; so there may be
-- several, whose records follow on each other.
--
-- A record: { time = when it was written; number = of its last message; entries; told = room JID -> the number of the last message that
-- is told, and in the outbox; upto = the same for all rooms }. An entry is what has changed in a room: { room; presences, messages,
-- recounted, nicks = { nick, bare JID or false }, left = { bare JID, presences } }, see held_messages.lua; is_first = whether that begins to
-- count anew.
--
-- Who was in a room when a run ended, or when nothing was held there any more, has left it then.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local names_of = part "muc_cloud_notify/outbox_names";
local packing = part "muc_cloud_notify/held_packing";

local function new_room(run)
	-- here: nick -> bare JID; by_number: the messages that may be counted anew
	return { run = run, messages = {}, by_number = {}, here = {}, left = {}, presences = 0 };
end

-- Everybody has left. What is held from now on comes after that, and begins to count at 0.
local function end_run(of_room)
	local offset = of_room.presences + 1;
	for _, bare_jid in pairs(of_room.here) do of_room.left[bare_jid] = offset; end
	for _, message in ipairs(of_room.messages) do message.presences = message.presences - offset; end
	for bare_jid, presences in pairs(of_room.left) do of_room.left[bare_jid] = presences - offset; end
	of_room.here, of_room.presences = {}, 0;
end

local function add_entry(rooms, entry, run, time)
	local of_room = rooms[entry.room] or new_room(run);
	rooms[entry.room] = of_room;
	if of_room.run ~= run or entry.is_first then
		end_run(of_room);
		of_room.run = run;
	end
	of_room.presences = entry.presences;
	for _, nick in ipairs(entry.nicks) do of_room.here[nick[1]] = nick[2] or nil; end
	for _, left in ipairs(entry.left) do of_room.left[left[1]] = math.max(left[2], of_room.left[left[1]] or left[2]); end
	for _, packed in ipairs(entry.messages) do
		local message = packing.unpack(packed, time);
		if message then
			table.insert(of_room.messages, message);
			of_room.by_number[message.number] = message;
		end
	end
	for _, count in ipairs(entry.recounted) do
		local message = of_room.by_number[count.number];
		if message then message.times, message.details.sent = count.times, time - count.age; end
	end
end

-- state: see read_all()
local function add(state, name, record, time)
	for _, entry in ipairs(record.entries or {}) do add_entry(state.rooms, entry, names_of.read(name).run, time); end
	for room_jid, number in pairs(record.told or {}) do state.told[room_jid] = number; end
	state.upto = math.max(state.upto, record.upto or 0);
	state.number = math.max(state.number, record.number or 0);
end

-- What of a room is still to be told: messages, and when who has left.
local function untold(state, room_jid, of_room)
	end_run(of_room);
	local messages, told = {}, math.max(state.upto, state.told[room_jid] or 0);
	for _, message in ipairs(of_room.messages) do
		if message.number > told then table.insert(messages, message); end
	end
	return messages, of_room.left;
end

-- Returns nil where the store does not answer, or { rooms = list of { jid, messages, left }; number = of the last message; last_run; is_any =
-- whether there is any record }. records: see outbox_records.lua
local function read_all(records, pause)
	if not records.can_list then return { rooms = {}, number = 0, last_run = 0, is_any = false }; end
	local names = records.read_aside() and records.list();
	if not names then return nil; end
	local state = { rooms = {}, told = {}, upto = 0, number = 0 };
	local newest, last_run = nil, 0;

	-- Returns false where the store does not answer.
	local function read(name)
		local ok, record = records.read(name);
		if not ok and not records.is_answering() then return false; end
		local meaning = names_of.read(name);
		if type(record) ~= "table" or not meaning then
			records.keep_aside(name, ok and "makes no sense" or "cannot be read");
			return true;
		end
		newest, last_run = newest or record.time, math.max(last_run, meaning.run);
		local is_added, err = pcall(add, state, name, record, monotonic() - math.max(0, (newest or 0) - (record.time or 0)));
		if not is_added then
			module:log("debug", "Taking up the record %s of what was held: %s", name, tostring(err));
			records.keep_aside(name, "makes no sense");
		end
		return true;
	end

	if names[1] then -- ages count as of then
		local ok, record = records.read(names[#names]);
		newest = ok and type(record) == "table" and record.time or nil;
		pause(true);
	end
	for _, name in ipairs(names) do
		if not read(name) then return nil; end
		pause(true);
	end
	local list = {};
	for room_jid, of_room in pairs(state.rooms) do
		local messages, left = untold(state, room_jid, of_room);
		if messages[1] then table.insert(list, { jid = room_jid, messages = messages, left = left }); end
	end
	return { rooms = list, number = state.number, last_run = last_run, is_any = names[1] ~= nil };
end

return { read_all = read_all };
