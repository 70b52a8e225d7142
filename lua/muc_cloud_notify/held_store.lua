-- Keeps what is held while a start loads in the store too, so that a server that is killed meanwhile tells of it after its next start.
--
-- What has changed is written a few times a second, in batches; nobody waits for that. A message is in the store after those who were
-- in the room when it was sent, so that nobody is told of it who has read it. It is not needed there any more once the engine was told
-- of it, and what that has changed is in the outbox: then this is noted, and once nothing more is held all is removed.
--
-- A store of its own: what the outbox has under names that it does not know it keeps aside.
--
-- Bounds: `max_bytes` are written in a run. What comes after that is in memory alone.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local guard = part "shared/guard";
local timers = part "shared/timers";
local bounds = part "muc_cloud_notify/outbox_bounds";
local held_reader = part "muc_cloud_notify/held_reader";
local names_of = part "muc_cloud_notify/outbox_names";
local packing = part "muc_cloud_notify/held_packing";
local report = part "muc_cloud_notify/status".report;

-- Between two batches. After one that took long nothing is written for `rest` times as long.
local seconds_between_batches, rest = 0.25, 10;

-- Of a batch: how many messages and occupants, and about how many bytes.
local changes_per_batch, bytes_per_batch = 500, 512 * 1024;
local bytes_per_change, bytes_per_message = 60, 300; -- beside the message

-- And how long it takes to make it.
local seconds_per_batch = 0.005;

local max_bytes = 16 * 1024 * 1024;

-- When the store has refused something, it is asked again after so long: twice as long each time.
local seconds_after_failure, most_seconds_after_failure = 0.5, 30;

-- How often it is looked whether what was told is in the outbox.
local seconds_between_looks = 0.05;

-- How long a turn removes records.
local seconds_per_removal = 0.001;

-- parts: { engine; room_sync; early_facts; live_rooms; records = see outbox_records.lua; is_new = whether the engine has to be
-- filled; has_journal; has_texts = whether what is said may be stored }
local function new(parts)
	local engine, records, held, early_facts = parts.engine, parts.records, parts.room_sync.held, parts.early_facts;

	-- Whether it is written what is held; whether what runs before have held is known; whether all that is held can be told.
	local is_active, is_restored, is_filled = parts.is_new, not parts.is_new, not parts.is_new;
	local waiting = {}; -- JID -> what is held in the room, of those where something is held by then
	local is_planned = false;
	local names, last_run = nil, 0;
	local number, bytes = 0, 0; -- of the last message in the store, and what was written
	local is_any = false; -- whether there is anything in the store
	local told = {}; -- what is not noted there: room JID -> number
	local delay, is_failing = seconds_after_failure, false;

	local function is_full()
		return bytes >= max_bytes;
	end

	local function note_changes()
		held.set_noting(is_active and parts.has_journal and not is_full());
	end

	-- What is stored of a message; nil where there is nothing to tell of it.
	local function pack(room_jid, message, time)
		local facts, stanza = message.details.facts, message.details.stanza;
		local is_important = stanza and engine:is_important(room_jid, facts.sender, stanza) or false;
		if message.kind == "message" and not is_important and not packing.may_revise(stanza) then return nil; end
		return packing.pack(message, time, is_important, parts.has_texts);
	end

	-- What has changed in a room, as far as there is space in a batch: an entry, see held_reader.lua, and what is to be done once it is
	-- stored. Nil where nothing has.
	local function changes_of(of_room, batch)
		local unstored, room_jid, time = of_room.unstored, of_room.room.jid, monotonic();
		local entry = { room = room_jid, is_first = unstored.is_first, presences = of_room.presences };
		entry.nicks, entry.left, entry.messages, entry.recounted = {}, {}, {}, {};
		local before, numbers, recounted = batch.changes, {}, {};

		local function has_space()
			return batch.changes == 0
				or batch.changes < changes_per_batch and batch.bytes < bytes_per_batch and monotonic() < batch.deadline;
		end

		local function add(list, change, length)
			table.insert(list, change);
			batch.changes, batch.bytes = batch.changes + 1, batch.bytes + bytes_per_change + (length or 0);
		end

		for nick, bare_jid in pairs(unstored.nicks) do
			if not has_space() then break; end
			add(entry.nicks, { jid_resource(nick), bare_jid });
		end
		for bare_jid in pairs(unstored.left) do
			if not has_space() then break; end
			add(entry.left, { bare_jid, of_room.left[bare_jid] });
		end
		local place = math.max(unstored.from, of_room.first);
		while place <= of_room.last and has_space() do
			local message = of_room.messages[place];
			local packed = pack(room_jid, message, time);
			if packed then
				batch.number = batch.number + 1;
				packed.number = batch.number;
				add(entry.messages, packed, bytes_per_message + #(packed.xml or ""));
			end
			numbers[message], place = batch.number, place + 1;
		end
		for message in pairs(unstored.recounted) do
			if not has_space() then break; end
			recounted[message] = true;
			add(entry.recounted, { number = message.number, times = message.times, age = time - message.details.sent });
		end
		local function on_stored()
			for _, nick in ipairs(entry.nicks) do
				local jid = room_jid.."/"..nick[1];
				unstored.nicks[jid], unstored.known[jid] = nil, nick[2] and true or nil;
			end
			for _, left in ipairs(entry.left) do unstored.left[left[1]] = nil; end
			for message, its_number in pairs(numbers) do message.number = its_number; end
			unstored.from, unstored.is_first = place, nil;
			for message in pairs(recounted) do unstored.recounted[message] = nil; end
		end
		if batch.changes == before then
			on_stored();
			return nil;
		end
		return entry, on_stored;
	end

	-- Takes note of what is told. Returns whether that is in the outbox by now.
	local function is_told_stored()
		for room_jid, last in pairs(held.take_told()) do told[room_jid] = last; end
		if not next(told) then return true; end
		local stats = engine:stats();
		return stats.spreading == 0 and stats.unstored == 0;
	end

	local function on_failure()
		if not is_failing then
			is_failing = true;
			module:log("error", "What is said before it is known whom it concerns cannot be stored: it is in memory alone. That is tried again");
		end
	end

	-- record: without its time. Returns whether it is stored now.
	local function write(record)
		names = names or names_of.new(last_run);
		record.time = records.time();
		if not records.write(names.next(), record) then
			on_failure();
			return false;
		end
		is_any, number = true, record.number;
		if is_failing then
			is_failing = false;
			module:log("info", "What is said before it is known whom it concerns can be stored again");
		end
		return true;
	end

	-- Writes some of what has changed. Returns whether anything was to be written, and whether that is stored now.
	local function write_batch()
		local batch = { changes = 0, bytes = 0, number = number, deadline = monotonic() + seconds_per_batch };
		local entries, on_stored = {}, {};
		if parts.has_journal and not is_full() then
			for _, of_room in held.each() do
				local entry, finish = changes_of(of_room, batch);
				if entry then
					table.insert(entries, entry);
					table.insert(on_stored, finish);
				end
			end
		end
		local numbers = is_told_stored() and next(told) and told or nil;
		if not entries[1] and not numbers then return false, true; end
		if not write { number = batch.number, entries = entries, told = numbers } then return true, false; end
		if numbers then told = {}; end
		for _, finish in ipairs(on_stored) do finish(); end
		bytes = bytes + batch.bytes;
		module:log("debug", "%d change(s) of what is held are stored", batch.changes);
		if is_full() then
			module:log("warn", "So much is held that what follows is not stored: if the server is killed before it is told, that is lost");
			note_changes();
		end
		return true, true;
	end

	local function remove_all()
		local listed, place = nil, 0;
		local function step()
			if not listed then
				listed = records.list() or {};
				table.sort(listed);
			end
			local started = monotonic();
			repeat
				place = place + 1;
				if not listed[place] or not records.remove(listed[place]) then return; end -- the rest is after the next start
			until monotonic() - started > seconds_per_removal;
			timers.add(0.02, guard.watch("remove what was held", step));
		end
		timers.add(0.02, guard.watch("remove what was held", step));
	end

	-- Whether nothing is held any more of what was before it could be told, and all of that is in the outbox.
	local function is_over()
		if not is_filled then return false; end
		for room_jid, of_room in pairs(waiting) do
			if held.find(room_jid) == of_room then return false; end
			waiting[room_jid] = nil;
		end
		return is_told_stored();
	end

	-- Returns whether it is known to the store that all is told.
	local function note_end()
		return not is_any or write { number = number, upto = number };
	end

	local function seconds_after()
		local seconds = delay;
		delay = math.min(2 * delay, most_seconds_after_failure);
		return seconds;
	end

	local plan;

	-- Returns after how many seconds it goes on, nil: not at all.
	local function step()
		local started = monotonic();
		if is_over() then
			if not note_end() then return seconds_after(); end
			is_active = false;
			note_changes();
			if is_any then remove_all(); end
			return nil;
		end
		local was_due, ok = write_batch();
		if not ok then return seconds_after(); end
		delay = seconds_after_failure;
		if not was_due and is_filled then return seconds_between_looks; end
		return math.max(seconds_between_batches, rest * (monotonic() - started));
	end

	function plan(seconds)
		if is_planned or not is_active then return; end
		is_planned = true;
		timers.add(seconds, function ()
			is_planned = false;
			local ok, next_seconds = guard.attempt("store what is held", step);
			if not ok then next_seconds = most_seconds_after_failure; end
			if next_seconds then plan(next_seconds); end
		end);
	end

	-- Puts what runs before have held in a room in front of what is held there now.
	local function put_before(of_room, pause)
		local happened = early_facts.in_room(of_room.jid);
		local room = not happened.is_gone and parts.live_rooms.find_or_restore(of_room.jid, pause);
		if not room then
			module:log("debug", "Nothing is told of what was held in the room %s: it is gone, or cannot be read", of_room.jid);
			told[of_room.jid] = number;
			return;
		end
		for _, bare_jid in ipairs(happened.occupants) do of_room.left[bare_jid] = 0; end -- they have read it
		held.put_before(room, of_room.messages, of_room.left);
	end

	local is_said = false;
	local function say_that_it_waits()
		if is_said then return; end
		is_said = true;
		report("error", "The store cannot be read, so nobody who registered before is pushed to until it can; it is tried again");
	end

	-- Takes up what runs before have held, and begins to write. Returns nil where that is done, or after how many seconds it is to be called
	-- again.
	local function restore(pause)
		if is_restored then return nil; end
		local found = held_reader.read_all(records, pause);
		if not found then
			say_that_it_waits();
			return seconds_after();
		end
		delay, is_restored = seconds_after_failure, true;
		number, last_run, is_any = found.number, found.last_run, found.is_any;
		for _, of_room in ipairs(found.rooms) do
			guard.attempt("take up what was held in "..of_room.jid, put_before, of_room, pause);
			pause(true);
		end
		plan(seconds_between_batches);
		return nil;
	end

	-- From now on what is held is told as soon as its room is read.
	local function filled()
		is_filled = true;
		for room_jid, of_room in held.each() do waiting[room_jid] = of_room; end
	end

	-- The end of a run: stores what is not stored yet, as far as there is time.
	local function stop()
		if not is_active or not is_restored or is_over() and note_end() then return; end
		local started = monotonic();
		repeat
			local was_due, ok = write_batch();
		until not was_due or not ok or monotonic() - started > bounds.seconds_per_stop;
	end

	-- For the module that follows this one after a reload: plain values.
	local function hand_over()
		if not is_active or not is_restored then return nil; end
		return {
			number = number, bytes = bytes, is_any = is_any, told = told, waiting = waiting;
			last_run = names and names.run or last_run;
		};
	end

	-- After what is held was taken over itself.
	local function take_over(of_before)
		if of_before then
			is_active, is_restored = true, true;
			number, bytes, is_any, told = of_before.number, of_before.bytes, of_before.is_any, of_before.told;
			waiting, last_run = of_before.waiting, of_before.last_run;
			plan(seconds_between_batches);
		end
		note_changes();
	end

	note_changes();

	return { restore = restore, filled = filled, stop = stop, hand_over = hand_over, take_over = take_over };
end

return { new = new };
