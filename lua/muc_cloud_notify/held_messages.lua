-- Messages that are held until it is known whom they concern: those that came in before their room was read, or before the
-- registrations were loaded.
--
-- This file is MIT/X11 licensed.

local part = ...;

local guard = part "shared/guard";

-- parts: { presence; may_have_device(bare_jid) = whether a user has a device, as far as that is known }
local function new(parts)
	local is_present, may_have_device = parts.presence.is_present, parts.may_have_device;

	-- room JID -> { room, messages, next = the first of them that is still there, present = see find_present(), left = bare JIDs of those
	-- who have left since the first was held, in their order }
	local held = {};
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

	-- Keeps a message until its room is read. details: plain values and stanzas, as they may outlive this module
	local function hold(room, kind, details)
		local of_room = held[room.jid] or { room = room, messages = {}, next = 1, count = 0, present = find_present(room), left = {} };
		held[room.jid] = of_room;
		of_room.count = of_room.count + 1;
		of_room.messages[of_room.count] = { kind = kind, details = details, left_before = #of_room.left };
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

	-- Those that come in meanwhile are held too, and follow.
	local function release(room_jid, pause)
		local of_room = held[room_jid];
		while of_room and of_room.messages[of_room.next] do
			local message = of_room.messages[of_room.next];
			of_room.messages[of_room.next], of_room.next = nil, of_room.next + 1;
			guard.attempt("push a message that was held", pushers[message.kind], of_room.room, message.details, left_since(of_room, message));
			pause(true);
			if held[room_jid] ~= of_room then return; end -- the room is gone
		end
		held[room_jid] = nil;
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

	-- A room is gone.
	local function forget(room_jid)
		held[room_jid] = nil;
	end

	-- For the module that follows this one after a reload.
	local function hand_over()
		return held;
	end

	local function take_over(messages)
		held = messages;
	end

	return {
		hold = hold, note_occupant = note_occupant, on_release = on_release, release = release, forget = forget;
		is_any = is_any, count = count, rooms = rooms, hand_over = hand_over, take_over = take_over;
	};
end

return { new = new };
