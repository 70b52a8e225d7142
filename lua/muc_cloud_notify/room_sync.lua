-- Keeps what the engine knows of rooms complete: who is a member, and who of them is there.
--
-- A room is read once, after a start or when Prosody restores it, and followed from then on. A room may
-- have a hundred thousand affiliations: it is read in slices. Messages that come in before it is read, or before
-- the registrations are loaded, are held until then, so that nobody is missed.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local guard = part "shared/guard";

local is_member = { owner = true, admin = true, member = true };

-- engine: the engine; background: see lua/shared/tasks.lua; is_present(occupant): see presence.lua;
-- is_loaded: whether the registrations are loaded
local function new(engine, background, is_present, is_loaded)
	local readings = {}; -- room JID -> { room, task }
	local held = {}; -- room JID -> what is to be done with messages, in their order
	local quiet = {}; -- room JID -> true, where nobody is absent: a message there costs nothing but this look

	local function read_members(room, pause)
		local members = {};
		for bare_jid, affiliation, data in room:each_affiliation() do
			if is_member[affiliation] and engine:is_registered(bare_jid) then
				table.insert(members, bare_jid);
				table.insert(members, data and data.reserved_nickname or false);
			end
			pause();
		end
		engine:set_members(room.jid, members);
	end

	-- Without a pause: who comes or goes meanwhile would be missed. To send them one message takes longer.
	local function read_occupants(room)
		local occupants = {};
		for _, occupant in room:each_occupant() do
			if is_present(occupant) then
				table.insert(occupants, occupant.bare_jid);
				table.insert(occupants, jid_resource(occupant.nick));
			end
		end
		engine:set_occupants(room.jid, occupants, monotonic());
	end

	local function read(room, pause)
		local knowledge = engine:knowledge(room.jid);
		if knowledge == "nothing" then
			read_members(room, pause);
		end
		if knowledge ~= "complete" then
			read_occupants(room);
		end
	end

	local function release(room_jid)
		local messages = held[room_jid];
		held[room_jid] = nil;
		for _, message in ipairs(messages or {}) do
			guard.attempt("push a message that was held", message.push, message.present);
		end
	end

	-- Reads a room bit by bit. begin: how the background takes a task
	local function begin_reading(room, begin)
		if not is_loaded or readings[room.jid] then return; end
		local reading = { room = room };
		readings[room.jid] = reading;
		local task = begin("read the room "..room.jid, function (pause)
			read(room, pause);
		end, function ()
			readings[room.jid] = nil;
			release(room.jid);
		end);
		reading.task = task;
	end

	-- Reads a room, as far as that fits into a turn of the event loop, and then the rest in later turns.
	local function start(room)
		begin_reading(room, background.start);
	end

	-- Something happened to a room while it is being read: what was read so far may be wrong.
	local function start_again(room)
		local reading = readings[room.jid];
		if reading then
			background.cancel(reading.task);
			readings[room.jid] = nil;
			begin_reading(room, background.later);
		end
	end

	local function forget(room_jid)
		local reading = readings[room_jid];
		if reading then
			background.cancel(reading.task);
			readings[room_jid] = nil;
		end
		held[room_jid] = nil;
	end

	-- Whether it is known that no message of a room concerns anybody.
	local function is_quiet(room_jid)
		return quiet[room_jid] == true;
	end

	-- Something happened to a room, or to all rooms, that may make somebody absent.
	local function disturb(room_jid)
		if room_jid then
			quiet[room_jid] = nil;
		else
			quiet = {};
		end
	end

	-- Whether a room is read; what fits into a turn is read now. The second result is whether any member with a
	-- device is absent.
	local function is_read(room)
		local knowledge, is_anybody_absent = engine:knowledge(room.jid);
		if knowledge ~= "complete" and is_loaded then
			if not readings[room.jid] then
				start(room);
			elseif not held[room.jid] then
				background.hurry(readings[room.jid].task);
			end
			knowledge, is_anybody_absent = engine:knowledge(room.jid);
		end
		local is_complete = knowledge == "complete" and is_loaded and not readings[room.jid];
		if is_complete and not is_anybody_absent then
			quiet[room.jid] = true;
		end
		return is_complete, is_anybody_absent;
	end

	-- Reads a room to its end.
	local function read_now(room)
		start(room);
		if readings[room.jid] then
			background.finish(readings[room.jid].task);
		end
	end

	-- Keeps a message until its room is read. push(present): called then, with the bare JIDs of who was there now
	local function hold(room, push)
		local present = {};
		for _, occupant in room:each_occupant() do
			if is_present(occupant) then
				table.insert(present, occupant.bare_jid);
			end
		end
		held[room.jid] = held[room.jid] or {};
		table.insert(held[room.jid], { push = push, present = present });
	end

	-- The sessions of an occupant may have changed.
	local function look_at(room, occupant)
		disturb(room.jid);
		local nick = jid_resource(occupant.nick);
		if is_present(occupant) then
			engine:occupant_present(room.jid, occupant.bare_jid, nick);
		else
			engine:occupant_gone(room.jid, occupant.bare_jid, nick, monotonic());
		end
	end

	-- The registrations are loaded: rooms can be read.
	local function registrations_loaded(live_rooms)
		is_loaded = true;
		for room in live_rooms do
			begin_reading(room, background.later);
		end
	end

	-- Reads at once what is still to be read, so that no message is held any more.
	local function finish()
		for _, reading in pairs(readings) do
			background.finish(reading.task);
		end
	end

	return {
		is_quiet = is_quiet, disturb = disturb, is_read = is_read;
		look_at = look_at, read_now = read_now, hold = hold, start = start, start_again = start_again, forget = forget, finish = finish;
		registrations_loaded = registrations_loaded;
	};
end

return { new = new, is_member = is_member };
