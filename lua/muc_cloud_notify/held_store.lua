-- Keeps what is held while a start loads in the store too, so that a server that is killed meanwhile tells of it after its next start.
--
-- What has changed is written a few times a second, in batches; nobody waits for that. A message is in the store after those who were
-- in the room when it was sent, so that nobody is told of it who has read it. It is not needed there any more once the engine was told
-- of it, and what that has changed is in the outbox, see held_told.lua: then this is noted, and once nothing more is held all is removed.
--
-- A store of its own: what the outbox has under names that it does not know it keeps aside.
--
-- Bounds: `max_bytes` are written in a run. What comes after that is in memory alone.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local growing_pause = part "shared/growing_pause";
local guard = part "shared/guard";
local timers = part "shared/timers";
local uninterrupted = part "shared/uninterrupted";
local bounds = part "muc_cloud_notify/outbox_bounds";
local held_changes = part "muc_cloud_notify/held_changes";
local held_packing = part "muc_cloud_notify/held_packing";
local held_reader = part "muc_cloud_notify/held_reader";
local names_of = part "muc_cloud_notify/outbox_names";
local status = part "muc_cloud_notify/status";

-- Between two batches. After one that took long nothing is written for `rest` times as long.
local seconds_between_batches, rest = 0.25, 10;

local max_bytes = 16 * 1024 * 1024;

-- When the store has refused something, it is asked again after so long: twice as long each time.
local seconds_after_failure, most_seconds_after_failure = 0.5, 30;

-- How often it is looked whether what was told is in the outbox.
local seconds_between_looks = 0.05;

-- How long a turn removes records, and when the next one does.
local seconds_per_removal, seconds_between_removals = 0.001, 0.02;

-- parts: { engine; room_sync; early_facts; live_rooms; records = see outbox_records.lua; is_new = whether the engine has to be
-- filled; has_journal; has_texts = whether what is said may be stored; held_told }
local function new(parts)
	local engine, records, held, early_facts = parts.engine, parts.records, parts.room_sync.held, parts.early_facts;
	local held_told = parts.held_told;

	-- "unread": it is not known yet what runs before have held, and nothing is written; "loading": what is held is written; "telling": it
	-- can be told, and is written until all of it is; "over".
	local state = parts.is_new and "unread" or "over";
	local waiting = {}; -- JID -> what is held in the room, of those where something is held when it can be told
	local untold; -- of what runs before have held, what is still to be taken up: see held_reader.lua; nil: it was not read yet
	local names; -- of what is written
	local number, bytes = 0, 0; -- of the last message in the store, and what was written
	local is_any = false; -- whether there is anything in the store
	local obsolete; -- names of what is still to be removed, nil: they were not listed yet
	local pauses = growing_pause.new(seconds_after_failure, most_seconds_after_failure);
	local is_failing = false;

	local function is_full()
		return bytes >= max_bytes;
	end

	local function note_changes()
		held.set_noting(state ~= "over" and parts.has_journal and not is_full());
		if state == "over" then held.forget_numbers(); end
	end

	local function pack(room_jid, message, time)
		local facts, stanza = message.details.facts, message.details.stanza;
		local is_important = stanza and engine:is_important(room_jid, facts.sender, stanza) or false;
		return held_packing.pack(message, time, is_important, parts.has_texts);
	end

	-- record: without its time. Returns whether it is stored now.
	local function write(record)
		record.time = records.time();
		local name = names.next();
		local ok = records.write(name, record);
		if ok then
			is_any, number = true, record.number;
			held_told.begin(name);
		end
		if not ok and not is_failing then
			module:log("error", "What is said before it is known whom it concerns cannot be stored: it is in memory alone. That is tried again");
		elseif ok and is_failing then
			module:log("info", "What is said before it is known whom it concerns can be stored again");
		end
		is_failing = not ok;
		return ok;
	end

	-- Writes some of what has changed. Returns whether there may be more, and whether it is stored now.
	local function write_batch()
		local batch = held_changes.new_batch(number, pack);
		for _, of_room in held.each() do
			if of_room.unstored then batch.add(of_room); end
		end
		local numbers = held_told.to_note();
		local is_due = batch.entries[1] ~= nil or numbers ~= nil;
		if is_due and not write { number = batch.number, entries = batch.entries, told = numbers } then return true, false; end
		batch.note_stored();
		if not is_due then return batch.is_full, true; end
		if numbers then held_told.noted(numbers); end
		bytes = bytes + batch.bytes;
		module:log("debug", "%d change(s) of what is held are stored", batch.changes);
		if is_full() then
			module:log("warn", "So much is held that what follows is not stored: if the server is killed before it is told, that is lost");
			note_changes();
		end
		return true, true;
	end

	-- Removes some of what was written, the oldest first. Returns after how many seconds it goes on, nil: not at all.
	local function remove_some()
		obsolete = obsolete or records.list() or {};
		local started = monotonic();
		repeat
			local name = table.remove(obsolete, 1);
			if not name or not records.remove(name) then return nil; end -- the rest is after the next start
		until monotonic() - started > seconds_per_removal;
		return seconds_between_removals;
	end

	-- Whether nothing is held any more of what was before it could be told, and all of that is in the outbox.
	local function is_done()
		if state ~= "telling" then return false; end
		for room_jid, of_room in pairs(waiting) do
			if held.find(room_jid) == of_room then return false; end
			waiting[room_jid] = nil;
		end
		return not held_told.is_under_way();
	end

	-- Returns whether it is known to the store that all is told.
	local function note_end()
		return not is_any or write { number = number, upto = number };
	end

	-- Returns after how many seconds it goes on, nil: not at all.
	local function step()
		if state == "over" then return remove_some(); end
		if is_done() then
			if not note_end() then return pauses.take(); end
			state = "over";
			held_told.end_all();
			note_changes();
			return is_any and seconds_between_removals or nil;
		end
		local started = monotonic();
		local was_due, ok = write_batch();
		if not ok then return pauses.take(); end
		pauses.reset();
		if not was_due and state == "telling" then return seconds_between_looks; end
		return math.max(seconds_between_batches, rest * (monotonic() - started));
	end

	local function begin()
		timers.add(seconds_between_batches, function ()
			local ok, next_seconds = guard.attempt("store what is held", uninterrupted, step);
			if not ok then return most_seconds_after_failure; end
			return next_seconds;
		end);
	end

	-- Puts what runs before have held in a room in front of what is held there now. Returns whether that has to wait, as no room can be read
	-- at the moment.
	local function put_before(of_room, pause)
		local happened, room, is_store_failing = early_facts.in_room(of_room.jid), nil, false;
		if not happened.is_gone then room, is_store_failing = parts.live_rooms.find_or_restore(of_room.jid, pause); end
		if is_store_failing then return true; end
		if not room then
			module:log("debug", "Nothing is told of what was held in the room %s: it is gone, or cannot be read", of_room.jid);
			held_told.note(of_room.jid, number);
			return false;
		end
		for _, bare_jid in ipairs(happened.occupants) do of_room.left[bare_jid] = 0; end -- they have read it
		held.put_before(room, of_room.messages, of_room.left);
		return false;
	end

	local function wait()
		if pauses.is_first() then status.report("error", status.store_cannot_be, "read"); end
		return pauses.take();
	end

	-- Takes up what runs before have held, and begins to write. Returns nil where that is done, or after how many seconds it is to be called
	-- again.
	local function restore(pause)
		if state ~= "unread" then return nil; end
		if not untold then
			local found = held_reader.read_all(records, pause);
			if not found then return wait(); end
			number, is_any, names, untold = found.number, found.is_any, names_of.new(found.last_run), found.rooms;
			held_told.begin(found.first);
		end
		while untold[1] do
			local of_room = untold[#untold];
			local ok, has_to_wait = guard.attempt("take up what was held in "..of_room.jid, put_before, of_room, pause);
			if ok and has_to_wait then return wait(); end
			table.remove(untold);
			pause(true);
		end
		state = "loading";
		pauses.reset();
		begin();
		return nil;
	end

	-- From now on what is held is told as soon as its room is read. By now it is known what of it the outbox of the last run has.
	local function filled()
		for room_jid, last in pairs(held_told.told_before()) do held.forget_told(room_jid, last); end
		if state == "loading" then state = "telling"; end
		for room_jid, of_room in held.each() do waiting[room_jid] = of_room; end
	end

	local function is_writing()
		return state == "loading" or state == "telling";
	end

	-- The end of a run: stores what is not stored yet, as far as there is time.
	local function stop()
		if not is_writing() or is_done() and note_end() then return; end
		local started = monotonic();
		repeat
			local was_due, ok = write_batch();
		until not was_due or not ok or monotonic() - started > bounds.seconds_per_stop;
	end

	-- For the module that follows this one after a reload: plain values.
	local function hand_over()
		if not is_writing() then return nil; end
		return {
			number = number, bytes = bytes, is_any = is_any, held_told = held_told.hand_over(), waiting = waiting, last_run = names.run;
		};
	end

	-- After what is held was taken over itself.
	local function take_over(of_before)
		if of_before then
			state = parts.is_new and "loading" or "telling";
			number, bytes, is_any = of_before.number, of_before.bytes, of_before.is_any;
			held_told.take_over(of_before.held_told);
			waiting, names = of_before.waiting, names_of.new(of_before.last_run);
			begin();
		end
		note_changes();
	end

	note_changes();

	return { restore = restore, filled = filled, stop = stop, hand_over = hand_over, take_over = take_over };
end

return { new = new };
