-- Checkpoints of the journal: from time to time all that the engine has to say about the outbox is written anew, part by part,
-- and what was written before is removed. So the journal does not grow, and a start does not take longer and longer.
--
-- It takes its time: a small part of that of the event loop, in turns of its own. Until its end is written nothing depends
-- on it, and what was written before counts.
--
-- What a checkpoint has replaced is removed a minute later. Not every storage waits until what it has written is on the disk;
-- by then it is.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local growing_pause = part "shared/growing_pause";
local guard = part "shared/guard";
local timers = part "shared/timers";
local bounds = part "muc_cloud_notify/outbox_bounds";
local names_of = part "muc_cloud_notify/outbox_names";

-- A checkpoint is made when there are more bytes since the last one than this, and than twice as many as that one has.
local least_bytes = 1024 * 1024;
-- Or more batches than this, and than four times as many as that one has parts.
local least_batches = 500;

-- Or this long after the first batch since the last one: what is told does not stay in the store for ever.
local most_seconds = 3600;

-- How many seconds lie between two parts at least.
local seconds_between_parts = 0.02;

-- After a turn that has taken some time, nothing is done for so many times as long.
local rest = 18;

-- How long a turn removes records.
local seconds_per_removal = 0.001;

local seconds_until_removal = 60;

-- When the store has refused something, it is asked again after so long: twice as long each time.
local seconds_after_failure = 10;
local most_seconds_after_failure = 600;

-- parts: { engine; records; names = see outbox_names.lua; known = what there is, see summary() }
local function new(parts)
	local engine, records, names, known = parts.engine, parts.records, parts.names, parts.known;

	-- Since the newest checkpoint, and of it.
	local batches, bytes = known.records or 0, known.bytes or 0;
	local last_parts, last_bytes = known.parts or 0, known.part_bytes or 0;
	local is_due = known.is_checkpoint_due or false;
	local obsolete = known.obsolete; -- what was written before that name is to be removed

	local current; -- the checkpoint that is being made
	local is_stopped = false;
	local is_timed = false; -- whether the time for the next one runs
	local pauses = growing_pause.new(seconds_after_failure, most_seconds_after_failure);
	local not_before = -math.huge; -- after a failure
	local seconds_used = 0; -- since the last batch

	local function give_up()
		current = nil;
		not_before = monotonic() + pauses.take();
	end

	-- Does something later, unless all this is over by then. step() returns after how many seconds it goes on, nil: not at all
	local function plan(what, seconds, step)
		timers.add(seconds, function ()
			if is_stopped then return; end
			local started = monotonic();
			local ok, next_seconds = guard.attempt(what, step);
			local took = monotonic() - started;
			seconds_used = seconds_used + took;
			if not ok then
				give_up();
			elseif next_seconds then
				plan(what, math.max(next_seconds, rest * took), step);
			end
		end);
	end

	-- Removes what was written before a name, and what earlier versions have stored.
	local function remove_before(name)
		local listed, place, is_anything_left;

		local function step()
			if not listed then
				listed, place, is_anything_left = records.list(), 0, false;
				if not listed then return pauses.take(); end
				records.remove(nil);
				return 0;
			end
			local started = monotonic();
			repeat
				place = place + 1;
				local other = listed[place];
				if not other then
					if is_anything_left then
						listed = nil;
						return pauses.take();
					end
					if obsolete == name then obsolete = nil; end
					return nil;
				end
				if other < name or not names_of.read(other) then
					is_anything_left = not records.remove(other) or is_anything_left;
				end
			until monotonic() - started > seconds_per_removal;
			return 0;
		end

		plan("remove what a checkpoint of the outbox has replaced", seconds_until_removal, step);
	end

	local look;

	local function write_end()
		local name, first = names.next_end(current.mark);
		if not records.write(name, { parts = current.parts, bytes = current.bytes, has_past = true, time = records.time() }) then
			give_up();
			return;
		end
		module:log("debug", "The outbox has a checkpoint of %d part(s) and %d byte(s)", current.parts, current.bytes);
		batches, bytes = batches - current.batches_before, bytes - current.bytes_before;
		last_parts, last_bytes, is_due, obsolete = current.parts, current.bytes, false, first;
		current = nil;
		pauses.reset();
		remove_before(first);
		look();
	end

	local function write_part()
		local record, length = engine:next_part(current.plan, monotonic(), bounds.devices_per_part, "words");
		if not record then
			write_end();
			return nil;
		end
		if next(record) then
			record.time = records.time();
			if not records.write(names.next_part(), record) then
				give_up();
				return nil;
			end
			current.parts, current.bytes = current.parts + 1, current.bytes + length;
		end
		return seconds_between_parts;
	end

	local function begin()
		module:log("debug", "A checkpoint of the outbox is begun");
		current = {
			mark = names.mark(), parts = 0, bytes = 0;
			batches_before = batches, bytes_before = bytes; -- which it replaces
		};
	end

	local function go_on_with_plan()
		local devices;
		current.plan, devices = engine:plan_snapshot(current.plan);
		current.is_planned = devices ~= nil;
		return seconds_between_parts;
	end

	-- Makes a checkpoint, if one is due and none is being made.
	function look()
		if current or is_stopped or monotonic() < not_before then return; end
		if not is_due and bytes <= math.max(least_bytes, 2 * last_bytes) and batches <= math.max(least_batches, 4 * last_parts) then return; end
		current = {};
		plan("make a checkpoint of the outbox", 0, function ()
			if current.is_planned then return write_part(); end
			if not current.mark then begin(); end
			return go_on_with_plan();
		end);
	end

	-- The next one is made in time.
	local function begin_to_wait()
		if is_timed or batches == 0 then return; end
		is_timed = true;
		timers.add(most_seconds, function ()
			is_timed, is_due = false, batches > 0;
			look();
		end);
	end

	-- A batch was written. Returns how long what has been written took, this included, but at most twice as long as the
	-- batch: so that both together leave the event loop enough time.
	local function written(length, seconds)
		batches, bytes = batches + 1, bytes + length;
		begin_to_wait();
		look();
		local used = math.min(seconds_used, seconds);
		seconds_used = 0;
		return seconds + used;
	end

	local function stop()
		is_stopped = true;
	end

	local function summary()
		return {
			last_run = names.run, records = batches, bytes = bytes, parts = last_parts, part_bytes = last_bytes;
			obsolete = obsolete, is_checkpoint_due = is_due;
		};
	end

	if obsolete then remove_before(obsolete); end
	begin_to_wait();

	return { look = look, written = written, stop = stop, summary = summary };
end

return { new = new };
