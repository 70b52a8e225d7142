-- Messages that are held until it is known whom they concern: those that came in before their room was read, or before the
-- registrations were loaded.
--
-- Bounds: what is held of messages weighs `max_held` at most. A room may hold no more than is left for others, so that one in
-- which much is said leaves space for those that are read at the same time. What does not fit is not told.
--
-- This file is MIT/X11 licensed.

local part = ...;

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";
local stanza_weight = part "shared/stanza_weight";

-- Of the messages that are held in all rooms, in bytes; and the most elements of one.
local max_held = 8 * 1024 * 1024;
local max_elements = 500;
-- Of a message beside its stanza: its tables, and those of its facts.
local weight_of_message = 1000;

-- What a message weighs, more than anything where it has more elements than any honest one. stanza: nil where it is not known
local function weight_of(stanza)
	if not stanza then return weight_of_message; end
	local elements, structure, length = stanza_weight.measure(stanza, max_elements);
	return elements <= max_elements and weight_of_message + structure + length or math.huge;
end

-- parts: { presence; may_have_device(bare_jid) = whether a user has a device, as far as that is known }
local function new(parts)
	local is_present, may_have_device = parts.presence.is_present, parts.may_have_device;

	-- room JID -> { room, messages, next = the first of them that is still there, present = see find_present(), left = bare JIDs of those
	-- who have left since the first was held, in their order; weight }
	local held = {};
	local weight_held = 0; -- of all of them
	local pushers = {}; -- kind of message -> push(room, details, present)

	-- The occupants who have a device, as far as that is known: bare JIDs by occupant JID.
	local function find_present(room)
		local present = {};
		-- Not by each_occupant(), which makes a copy of each one with all its sessions.
		for nick, occupant in pairs(room._occupants) do
			if may_have_device(occupant.bare_jid) and is_present(occupant) then
				present[nick] = occupant.bare_jid;
			end
		end
		return present;
	end

	-- Sets what is done with messages of a kind that were held. push(room, details, present): present are bare JIDs of those
	-- who were there when it was sent, and are there no more
	local function on_release(kind, push)
		pushers[kind] = push;
	end

	-- Keeps a message until its room is read, where there is space for it. facts: plain values, as they may outlive this module;
	-- stanza: nil where it is not known
	local function hold(room, kind, facts, stanza)
		local weight = weight_of(stanza);
		local weight_in_room = held[room.jid] and held[room.jid].weight or 0;
		if weight_in_room + weight > max_held - weight_held then
			module:log("debug", "A message in %s is told to nobody: too much is held until rooms are read", room.jid);
			return;
		end
		local of_room = held[room.jid]
			or { room = room, messages = {}, next = 1, count = 0, present = find_present(room), left = {}, weight = 0 };
		held[room.jid] = of_room;
		of_room.count = of_room.count + 1;
		of_room.weight, weight_held = of_room.weight + weight, weight_held + weight;
		local details = { facts = facts, stanza = stanza and st.clone(stanza) };
		of_room.messages[of_room.count] = { kind = kind, details = details, left_before = #of_room.left, weight = weight };
	end

	-- An occupant has changed while messages are held.
	local function note_occupant(room_jid, occupant, is_here)
		local of_room = held[room_jid];
		if not of_room then return; end
		local before = of_room.present[occupant.nick];
		of_room.present[occupant.nick] = is_here and occupant.bare_jid or nil;
		if before and not is_here then
			table.insert(of_room.left, before);
		end
	end

	-- Those with a device who were there when a message was held, and have left since; whoever is there now has read it.
	local function left_since(of_room, message)
		if of_room.left_count ~= #of_room.left or of_room.left_from ~= message.left_before then
			of_room.left_count, of_room.left_from = #of_room.left, message.left_before;
			of_room.left_then = table.move(of_room.left, message.left_before + 1, #of_room.left, 1, {});
		end
		return of_room.left_then;
	end

	local function forget(room_jid)
		local of_room = held[room_jid];
		if of_room then weight_held = weight_held - of_room.weight; end
		held[room_jid] = nil;
	end

	-- Those that come in meanwhile are held too, and follow.
	local function release(room_jid, pause)
		local of_room = held[room_jid];
		while of_room and of_room.messages[of_room.next] do
			local message = of_room.messages[of_room.next];
			of_room.messages[of_room.next], of_room.next = nil, of_room.next + 1;
			of_room.weight, weight_held = of_room.weight - message.weight, weight_held - message.weight;
			guard.attempt("push a message that was held", pushers[message.kind], of_room.room, message.details, left_since(of_room, message));
			pause(true);
			if held[room_jid] ~= of_room then return; end -- the room is gone
		end
		forget(room_jid);
	end

	local function is_any(room_jid)
		return held[room_jid] ~= nil;
	end

	local function count(room_jid)
		local of_room = held[room_jid];
		return of_room and of_room.count - of_room.next + 1 or 0;
	end

	-- The rooms where messages are held.
	local function rooms()
		local list = {};
		for _, of_room in pairs(held) do table.insert(list, of_room.room); end
		return list;
	end

	local function forget_all()
		held, weight_held = {}, 0;
	end

	-- For the module that follows this one after a reload.
	local function hand_over()
		return held;
	end

	local function take_over(messages)
		held, weight_held = messages, 0;
		for _, of_room in pairs(held) do
			of_room.weight = of_room.weight or 0; -- of a version that did not weigh them
			for _, message in pairs(of_room.messages) do message.weight = message.weight or 0; end
			weight_held = weight_held + of_room.weight;
		end
	end

	return {
		hold = hold, note_occupant = note_occupant, on_release = on_release, release = release, forget = forget, forget_all = forget_all;
		is_any = is_any, count = count, rooms = rooms, hand_over = hand_over, take_over = take_over;
	};
end

return { new = new };
