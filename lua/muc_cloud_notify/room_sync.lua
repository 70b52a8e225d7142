-- Keeps the engine's coverage of rooms complete: their members, and which of them are present.
--
-- A room is read once, after a start or when Prosody restores it, and followed from then on. A room may have a hundred
-- thousand affiliations: it is read in slices. Messages that come in before it is read, or before the registrations are
-- loaded, are held until then, so that nobody is missed.
--
-- Invariant: a room is noted as quiet only while no member with a device is absent. What may change that forgets the note
-- first.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local held_messages = part "muc_cloud_notify/held_messages";

-- Of how many members without a device the nickname is told, for each room: of those with more than letters and digits.
local max_others = 1000;

-- Of how many the engine is told at once.
local members_at_once = 50;

local is_member = { owner = true, admin = true, member = true };

-- Entrances into a room while it is being read: by the time it has been, their nicknames are gone.
local max_seen = 1000;

-- parts: { engine; tasks = see lua/shared/tasks.lua; presence; consent; choices; early_facts; is_loaded = whether the registrations are loaded }
local function new(parts)
	local engine, tasks, is_present, consent = parts.engine, parts.tasks, parts.presence.is_present, parts.consent;
	local early_facts, is_loaded = parts.early_facts, parts.is_loaded;
	local forwarding_in = parts.choices.forwarding_in;

	-- Whether a user has a device, or a member of a room asks for its messages to be forwarded.
	local function is_of_interest(room, bare_jid)
		return engine:is_registered(bare_jid) or forwarding_in(bare_jid, room:get_affiliation_data(bare_jid)) == "asked";
	end

	-- The same as far as that is known.
	local function may_have_device(room, bare_jid)
		return not is_loaded or is_of_interest(room, bare_jid);
	end

	local held = held_messages.new {
		presence = parts.presence, may_have_device = may_have_device;
		is_important = function (facts, stanza) return engine:is_important(facts.room, facts.sender, stanza); end;
	};

	-- room JID -> { task, changed = bare JIDs whose affiliation has changed since, nil where none has }, for rooms that are being read
	local readings = {};
	-- room JID -> { bare_jid, nick } of those who have entered while it was being read, in their order; and `nicks`, the
	-- last of each bare JID, with `owners`, the last of each nickname
	local seen = {};
	local after_reading = {}; -- room JID -> a list of what is to be done once it was read, or is gone
	-- room JID -> "no devices" or "all present": what a message says to those who are there concerns nobody else
	local quiet = {};

	-- Where affiliations have changed, they are gone through by a list: no key may be added to a table while that is gone through.
	local function each_affiliation(room, changed)
		if not changed then return room:each_affiliation(); end
		local bare_jids, place = {}, 0;
		for bare_jid in pairs(room._affiliations) do table.insert(bare_jids, bare_jid); end
		return function ()
			place = place + 1;
			local bare_jid = bare_jids[place];
			if bare_jid then return bare_jid, room._affiliations[bare_jid], room:get_affiliation_data(bare_jid); end
		end;
	end

	-- The affiliation is the one in the room's list: Prosody reports its admins as owners of every room, which does not make
	-- them members.
	local function tell_affiliation(room, bare_jid)
		local data = room:get_affiliation_data(bare_jid);
		local has_membership = is_member[room._affiliations[bare_jid]] or false;
		engine:affiliation_changed(room.jid, bare_jid, has_membership, data and data.reserved_nickname, consent.is_missing_in(data),
			forwarding_in(bare_jid, data));
	end

	local function read_members(room, changed, pause)
		local members, marked, forwarding, read, others = {}, {}, nil, 0, 0;
		local function flush()
			local without_consent;
			for _, bare_jid in ipairs(marked) do
				-- It may have been given during a pause.
				if consent.is_missing(room, bare_jid) then
					without_consent = without_consent or {};
					table.insert(without_consent, bare_jid);
				end
			end
			engine:add_members(room.jid, members, without_consent, forwarding);
			members, marked, forwarding = {}, {}, nil;
		end
		local function add(bare_jid, nick, data, choice)
			members[bare_jid], read = nick, read + 1;
			if consent.is_missing_in(data) then table.insert(marked, bare_jid); end
			if choice then
				forwarding = forwarding or {};
				forwarding[bare_jid] = choice;
			end
			if read % members_at_once == 0 then flush(); end
		end
		engine:begin_members(room.jid);
		for bare_jid, affiliation, data in each_affiliation(room, changed) do
			local nick = data and data.reserved_nickname or false;
			if is_member[affiliation] then
				local choice = data and forwarding_in(bare_jid, data);
				if choice == "asked" or engine:is_registered(bare_jid) then
					add(bare_jid, nick, data, choice);
				elseif nick and others < max_others and nick:find("[^%w]") then
					-- It may be one that a member's nickname is a part of.
					add(bare_jid, nick, nil);
					others = others + 1;
				end
			end
			pause();
		end
		flush();
		while not engine:end_members(room.jid) do
			pause(true);
		end
	end

	local function note_seen(room_jid)
		for _, occupant in ipairs(seen[room_jid] or {}) do
			engine:occupant_present(room_jid, occupant.bare_jid, occupant.nick);
		end
		seen[room_jid] = nil;
	end

	-- Without a pause: what occupants do meanwhile would be missed. To send them one message takes longer.
	local function read_occupants(room)
		local occupants = {};
		-- Not by each_occupant(), which makes a copy of each one with all its sessions.
		for nick, occupant in pairs(room._occupants) do
			consent.note_occupant(room, occupant);
			if is_present(occupant) then
				occupants[jid_resource(nick)] = occupant.bare_jid;
			end
		end
		engine:set_occupants(room.jid, occupants, monotonic());
	end

	local function read(room, changed, pause)
		local coverage = engine:coverage(room.jid);
		if coverage == "nothing" then
			read_members(room, changed, pause);
			for _, bare_jid in ipairs(changed or {}) do -- some of them after they were passed
				tell_affiliation(room, bare_jid);
				pause();
			end
			note_seen(room.jid);
		end
		if coverage ~= "complete" then
			read_occupants(room);
		end
	end

	local function go_on_after(room_jid)
		local waiting = after_reading[room_jid];
		after_reading[room_jid] = nil;
		for _, go_on in ipairs(waiting or {}) do go_on(); end
	end

	-- begin: how a task is begun, tasks.start or tasks.later; changed: see `readings`
	local function begin_reading(room, begin, changed)
		if not is_loaded or readings[room.jid] then return; end
		local reading = { changed = changed };
		readings[room.jid] = reading;
		reading.task = begin("read the room "..room.jid, function (pause)
			read(room, changed, pause);
			held.release(room.jid, pause);
		end, function ()
			readings[room.jid] = nil;
			held.release(room.jid, function () end); -- where it could not be read
			go_on_after(room.jid);
		end);
	end

	-- Returns whether it was being read.
	local function cancel_reading(room_jid)
		local reading = readings[room_jid];
		if not reading then return false; end
		tasks.cancel(reading.task);
		readings[room_jid] = nil;
		return true;
	end

	-- Reads a room, as far as that fits into a turn of the event loop, and then the rest in later turns.
	local function start(room)
		begin_reading(room, tasks.start);
	end

	-- Something happened to a room while it is being read: what was read so far may be wrong.
	local function start_again(room)
		if cancel_reading(room.jid) then
			begin_reading(room, tasks.later);
		end
	end

	-- An affiliation has changed. A reading starts again once for that, and no more: anybody may change them as often as they
	-- like who may register with the room.
	local function note_affiliation(room, bare_jid)
		local reading = readings[room.jid];
		if reading and reading.changed then
			table.insert(reading.changed, bare_jid);
		elseif cancel_reading(room.jid) then
			begin_reading(room, tasks.later, {});
		end
		tell_affiliation(room, bare_jid);
	end

	-- Reads a room to its end.
	local function read_now(room)
		start(room);
		if readings[room.jid] then
			tasks.finish(readings[room.jid].task);
		end
	end

	-- Whether everything of a room is known, whether any member with a device is absent, and whether there is any.
	local function is_complete(room)
		local coverage, is_anybody_absent, has_devices = engine:coverage(room.jid);
		return coverage == "complete" and is_loaded and not readings[room.jid], is_anybody_absent, has_devices;
	end

	-- Reads as much of a room as fits into this turn. Not where messages are held already: nothing is gained by haste then.
	local function advance(room)
		if not is_loaded or engine:coverage(room.jid) == "complete" then return; end
		if not readings[room.jid] then
			start(room);
		elseif not held.is_any(room.jid) then
			tasks.hurry(readings[room.jid].task);
		end
	end

	-- Why a room is known to be quiet: "no devices" or "all present". Nil where it is not.
	local function quietness(room_jid)
		return quiet[room_jid];
	end

	local function note_quiet(room_jid, has_devices)
		quiet[room_jid] = has_devices and "all present" or "no devices";
	end

	-- room_jid: nil for all rooms
	local function forget_quiet(room_jid)
		if room_jid then
			quiet[room_jid] = nil;
		else
			quiet = {};
		end
	end

	-- A room is gone, and with it what was held.
	local function forget(room_jid)
		early_facts.note_room_gone(room_jid);
		forget_quiet(room_jid);
		cancel_reading(room_jid);
		seen[room_jid] = nil;
		held.forget(room_jid);
		go_on_after(room_jid);
	end

	local function enter_unread(room, bare_jid, nick)
		if is_of_interest(room, bare_jid) then start(room); end
		if not readings[room.jid] then return; end
		local entered = seen[room.jid] or { nicks = {}, owners = {} };
		seen[room.jid] = entered;
		-- Most presences are of somebody who is there already, and say nothing new.
		if entered.nicks[bare_jid] == nick and entered.owners[nick] == bare_jid or #entered >= max_seen then return; end
		table.insert(entered, { bare_jid = bare_jid, nick = nick });
		entered.nicks[bare_jid], entered.owners[nick] = nick, bare_jid;
	end

	-- An occupant is there. A room that has not been read, as it has just been made, is read when a user with a device
	-- enters: nobody could say later under which nickname they were there.
	local function note_present(room, occupant)
		local nick = jid_resource(occupant.nick);
		if engine:coverage(room.jid) == "nothing" then
			enter_unread(room, occupant.bare_jid, nick);
		end
		engine:occupant_present(room.jid, occupant.bare_jid, nick);
	end

	-- The sessions of an occupant may have changed.
	local function look_at(room, occupant)
		forget_quiet(room.jid);
		consent.note_occupant(room, occupant);
		local is_here = is_present(occupant);
		early_facts.note_presence(room.jid, occupant.bare_jid, jid_resource(occupant.nick), is_here);
		held.note_occupant(room.jid, occupant, is_here);
		if is_here then
			note_present(room, occupant);
		else
			engine:occupant_gone(room.jid, occupant.bare_jid, jid_resource(occupant.nick), monotonic());
		end
	end

	-- These users are members of a room from now on, or have a device: looks at those of its occupants that are theirs.
	-- users: bare JID -> true
	local function look_for(room, users)
		-- Not by each_occupant(), which makes a copy of each one with all its sessions.
		for _, occupant in pairs(room._occupants) do
			if users[occupant.bare_jid] then
				look_at(room, occupant);
			end
		end
	end

	-- A member has got a device while a room is being read: they may have been passed over.
	local function add_late(room, bare_jid)
		if readings[room.jid] then
			local data = room:get_affiliation_data(bare_jid);
			engine:add_members(room.jid, { [bare_jid] = data and data.reserved_nickname or false },
				consent.is_missing_in(data) and { bare_jid } or nil, { [bare_jid] = forwarding_in(bare_jid, data) });
		end
	end

	-- Reads rooms one after the other, each in turns of its own, and calls on_end() after the last one. next_room(pause):
	-- the next room, nil where there is none; it may take its time, and is called in a task.
	local function read_each(what, next_room, on_end)
		local function go_on()
			local room;
			tasks.later(what, function (pause) room = next_room(pause); end, function ()
				if not room then return on_end(); end
				begin_reading(room, tasks.later);
				if not readings[room.jid] then return go_on(); end
				after_reading[room.jid] = after_reading[room.jid] or {};
				table.insert(after_reading[room.jid], go_on);
			end);
		end
		go_on();
	end

	-- The registrations are loaded: rooms can be read. Returns those where messages are held.
	local function registrations_loaded()
		is_loaded = true;
		return held.rooms();
	end

	-- Reads the rooms where messages are held, as far as that can be done until a time on the clock of util.time.monotonic.
	local function finish(deadline)
		for _, room in ipairs(held.rooms()) do
			local seconds = deadline - monotonic();
			if seconds > 0 then
				begin_reading(room, tasks.later);
				local reading = readings[room.jid];
				if reading then tasks.finish(reading.task, seconds); end
			end
		end
	end

	return {
		start = start, start_again = start_again, advance = advance, read_now = read_now, read_each = read_each, finish = finish;
		held = held, forget = forget, forget_held_before = held.forget_before, on_release = held.on_release;
		is_complete = is_complete, quietness = quietness, note_quiet = note_quiet, forget_quiet = forget_quiet;
		tell_affiliation = tell_affiliation, note_affiliation = note_affiliation, note_present = note_present;
		look_at = look_at, look_for = look_for;
		hold = held.hold, add_late = add_late, may_have_device = may_have_device, registrations_loaded = registrations_loaded;
	};
end

return { new = new, is_member = is_member };
