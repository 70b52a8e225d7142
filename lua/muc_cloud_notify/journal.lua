-- The journal: what is pending and what is unread is in the store before it is pushed, in batches, as the engine says what belongs
-- into one and when it is due. So a server that is killed knows after its next start who was not told.
--
-- A batch is written once, under a name of its own, and never changed. Nothing is removed because it was read or pushed: only
-- because a checkpoint has taken its place.
--
-- What cannot be written does not keep a push from being sent, stays in memory, and is tried again.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";
local uninterrupted = part "shared/uninterrupted";
local bounds = part "muc_cloud_notify/outbox_bounds";
local checkpoints = part "muc_cloud_notify/checkpoints";
local names_of = part "muc_cloud_notify/outbox_names";

-- The store is left alone for ten times as long as it took, which the engine sees to; but not after it took no more than this, of
-- which a tenth of the time that goes by is taken: what comes up alone waits for nobody.
local seconds_in_a_row = 0.05;
local share = 0.1;

-- parts: { engine; records = see outbox_records.lua; is_new = whether the engine has to be filled; held_told }
local function new(parts)
	local engine, records, is_new, held_told = parts.engine, parts.records, parts.is_new, parts.held_told;

	local names; -- nil: what the last run has left was not taken up yet
	local checkpoint;
	local is_failing = false;
	local seconds_used, last_used = 0, 0; -- and when

	-- The names of a run that follows on others of which nothing else is known.
	local function names_after_all()
		local listed = records.list() or {};
		local last_run = 0;
		for _, name in ipairs(listed) do
			local meaning = names_of.read(name);
			last_run = meaning and math.max(last_run, meaning.run) or last_run;
		end
		return names_of.new(last_run);
	end

	-- From now on batches are written. known: how things are, as in summary() of outbox_reader.lua; nil where the engine has
	-- outlived the one before, which has said nothing
	local function begin(known)
		if names then return; end
		names = known and names_of.new(known.last_run) or names_after_all();
		checkpoint = checkpoints.new {
			engine = engine, records = records, names = names, known = known or { is_checkpoint_due = true }, held_told = held_told;
		};
		checkpoint.look();
	end

	local function on_failure()
		if is_failing then return; end
		is_failing = true;
		module:log("error", "The outbox cannot be stored: %d change(s) of what is unread or waits are in memory alone. That is tried again;"
			.." pushes are sent all the same", engine:stats().unstored);
	end

	local function on_success()
		if not is_failing then return; end
		is_failing = false;
		module:log("info", "The outbox can be stored again");
	end

	-- The store took so long until `time`. Returns how much of that was too long.
	local function use(seconds, time)
		local before = math.max(0, seconds_used - share * (time - last_used));
		seconds_used = math.min(before, seconds_in_a_row) + seconds; -- for what was too long the store was left alone
		last_used = time;
		return math.max(0, seconds_used - seconds_in_a_row);
	end

	-- Stores a batch, and tells the engine whether that could be done.
	local function store(batch, bytes)
		local started = monotonic();
		if not next(batch) then -- the last one before a stop, where there is nothing beside the devices
			engine:batch_stored(started, 0);
			return true;
		end
		batch.time, batch.held_told = records.time(), held_told.for_batch();
		local ok = records.write(names.next(), batch);
		local finished = monotonic();
		if ok then
			held_told.batch_stored(batch.held_told);
			engine:batch_stored(finished, use(checkpoint.written(bytes, finished - started), finished));
			module:log("debug", "A batch of %d byte(s) is stored", bytes);
			on_success();
		else
			engine:batch_failed(finished);
			on_failure();
		end
		return ok;
	end

	local function write_due(time)
		local batch, bytes = engine:poll_batch(time);
		if batch then store(batch, bytes); end
		return batch ~= nil;
	end

	-- Writes a batch, if one is due. Returns whether there was one.
	local function turn(time)
		if not is_new then begin(); end
		if not names then return false; end
		local ok, was_due = guard.attempt("store what is to be pushed", uninterrupted, write_due, time);
		if not ok then
			guard.attempt("take note of a batch that was not stored", engine.batch_failed, engine, time);
		end
		return not ok or was_due;
	end

	local function write_bequest(bequest, bytes)
		local started = monotonic();
		bequest.time = records.time();
		local ok = records.write(names.next(), bequest);
		local finished = monotonic();
		if ok then
			use(checkpoint.written(bytes, finished - started), finished);
			module:log("debug", "What is unread is stored for what takes the place of something else: %d byte(s)", bytes);
		end
		return ok;
	end

	-- A record of registrations is about to be stored, see bequest() in engine_types.lua. Returns whether something was stored for that.
	-- Called where no stop comes in between.
	local function bequeath(user, record, added)
		if not is_new then begin(); end
		if not names then return false; end
		local ok, is_stored = guard.attempt("store what is unread under another name", function ()
			local bequest, bytes = engine:bequest(user, record, added, monotonic());
			return bequest and write_bequest(bequest, bytes);
		end);
		return ok and is_stored or false;
	end

	-- Stores all that is not stored yet, as far as there is time.
	local function finish()
		local started, written = monotonic(), 0;
		repeat
			local batch, bytes = engine:finish_batch(monotonic());
			if not batch or not store(batch, bytes) then return; end
			written = written + bytes;
		until monotonic() - started > bounds.seconds_per_stop or written > bounds.bytes_per_stop;
	end

	-- The end of a run.
	local function save()
		if not names then return; end
		checkpoint.stop();
		finish();
		local left = engine:stats().unstored;
		if left > 0 then
			module:log("error", "The outbox could not be stored: %d change(s) of what is unread or waits are lost", left);
		end
	end

	-- For the one that follows, which has the same engine: see begin().
	local function hand_over()
		if not names then return nil; end
		checkpoint.stop();
		return checkpoint.summary();
	end

	return { begin = begin, turn = turn, bequeath = bequeath, save = save, hand_over = hand_over };
end

return { new = new };
