-- What happens while a start loads and concerns what the last run has left: who enters a room has read what waits there, a room
-- that is gone takes it along, and whom another module wants to push to is to be told of all that is unread. The engine is told
-- once all of that is taken up: what is restored stands in the place of what was known before.
--
-- Bounds: `max_noted` of them are noted. Who is not among them is told once more of what they have read, or not pushed to without
-- a message.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

local max_noted = 10000;

-- engine; is_new: whether it has to be filled
local function new(engine, is_new)
	local is_over = not is_new;
	-- rooms: JID -> { is_gone = whether there was another one before, occupants = bare JID -> { nick, is_here } }
	local noted = { rooms = {}, pinged = {}, count = 0 };

	-- Whether there is space for one more.
	local function count()
		if noted.count >= max_noted then return false; end
		noted.count = noted.count + 1;
		return true;
	end

	local function note_presence(room_jid, bare_jid, nick, is_here)
		if is_over then return; end
		local of_room = noted.rooms[room_jid];
		local occupant = of_room and of_room.occupants[bare_jid];
		if occupant then
			occupant.is_here = is_here;
			if is_here then occupant.nick = nick; end
		elseif is_here and count() then
			of_room = of_room or { is_gone = false, occupants = {} };
			of_room.occupants[bare_jid] = { nick = nick, is_here = true };
			noted.rooms[room_jid] = of_room;
		end
	end

	local function note_room_gone(room_jid)
		if is_over then return; end
		local of_room = noted.rooms[room_jid];
		for _ in pairs(of_room and of_room.occupants or {}) do noted.count = noted.count - 1; end
		if of_room and of_room.is_gone or count() then
			noted.rooms[room_jid] = { is_gone = true, occupants = {} };
		end
	end

	-- Returns whether it is noted that another module wants to push to a user.
	local function note_ping(user)
		if is_over then return false; end
		if noted.pinged[user] or count() then
			noted.pinged[user] = true;
		else
			module:log("debug", "There is no push without a message to %s: too many are wanted while the registrations are loaded", user);
		end
		return true;
	end

	local function tell_presence(room_jid, bare_jid, occupant)
		engine:occupant_present(room_jid, bare_jid, occupant.nick);
		if not occupant.is_here then
			engine:occupant_gone(room_jid, bare_jid, occupant.nick, monotonic());
		end
	end

	local function tell_room(room_jid, of_room, pause)
		if of_room.is_gone then
			engine:room_destroyed(room_jid);
			pause(true);
		end
		for bare_jid, occupant in pairs(of_room.occupants) do
			tell_presence(room_jid, bare_jid, occupant);
			pause();
		end
	end

	local function tell_noted(of_these, pause)
		for room_jid, of_room in pairs(of_these.rooms) do
			guard.attempt("tell what has happened in the room "..room_jid, tell_room, room_jid, of_room, pause);
		end
		for user in pairs(of_these.pinged) do
			guard.attempt("push without a message", engine.handle_ping, engine, user);
			pause();
		end
	end

	-- All that the last run has left is taken up: tells the engine what has happened meanwhile. From the return on it is told at once.
	local function tell(pause)
		while noted.count > 0 do
			local of_these = noted;
			noted = { rooms = {}, pinged = {}, count = 0 };
			tell_noted(of_these, pause);
		end
		is_over = true;
	end

	-- What has happened in a room so far: { is_gone = whether there was another one before; occupants = a list of bare JIDs }.
	local function in_room(room_jid)
		local of_room, occupants = noted.rooms[room_jid], {};
		for bare_jid in pairs(of_room and of_room.occupants or {}) do table.insert(occupants, bare_jid); end
		return { is_gone = of_room ~= nil and of_room.is_gone, occupants = occupants };
	end

	-- For the module that follows this one after a reload: plain values.
	local function hand_over()
		return noted;
	end

	local function take_over(of_before)
		noted = of_before;
	end

	return {
		note_presence = note_presence, note_room_gone = note_room_gone, note_ping = note_ping, tell = tell, in_room = in_room;
		hand_over = hand_over, take_over = take_over;
	};
end

return { new = new };
