-- Keeps the engine's snapshot from a clean stop to the next start.
--
-- It is stored in parts, each under a name of its own, and read one by one. The record without a name says which parts there
-- are: it is written once they are, and what it does not name is not looked at. Earlier versions have stored everything in
-- that record.
--
-- Bounds: a stop writes for `seconds_to_save` and `bytes_to_save`. What is most valuable comes first: what mentions somebody,
-- what else waits, what only counts. When half of a bound is used up, and the rest would not fit as it is, what waits is stored
-- without its texts.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local now = require "util.time".now;

local guard = part "shared/guard";

local seconds_to_save = 0.5;
local bytes_to_save = 64 * 1024 * 1024;

-- How many devices there are in a part. A start reads one in a turn of the event loop; each takes a stop one write, which in
-- some storages takes long, whatever is written.
local devices_per_part = 500;
local devices_per_part_in_haste = 4000;

local function new(engine)
	local store = module:open_store(module.name.."_outbox");

	-- What is stored under a name, nil where nothing is.
	local function read(name)
		local record, err = store:get(name);
		if not record and err then
			-- The details may quote what is stored, which is nothing for the log.
			module:log("debug", "Reading the outbox: %s", err);
			error("it cannot be read", 0);
		end
		return record;
	end

	-- Returns how many entries were passed over.
	local function take_up(record)
		local ok, result = pcall(engine.restore, engine, record, monotonic());
		if not ok then
			module:log("debug", "Reading the outbox: %s", tostring(result));
			error("it cannot be read", 0);
		end
		return result;
	end

	-- A snapshot in one record. Its devices refer to all of its messages.
	local function take_up_in_slices(record, pause)
		if type(record.devices) ~= "table" then return take_up(record); end
		local passed_over = take_up { nicknames = record.nicknames, domains = record.domains };
		for first = 1, #record.devices, devices_per_part do
			local last = math.min(first + devices_per_part - 1, #record.devices);
			passed_over = passed_over + take_up {
				devices = table.move(record.devices, first, last, 1, {}), messages = record.messages;
			};
			pause(true);
		end
		return passed_over;
	end

	-- Takes up all that is stored, which stays there: see clear(). pause() is called wherever there may be an interruption.
	local function restore(pause)
		local index = read(nil);
		if not index then return; end
		local passed_over = 0;
		if type(index.parts) ~= "table" then
			passed_over = take_up_in_slices(index, pause);
		end
		for _, name in ipairs(type(index.parts) == "table" and index.parts or {}) do
			pause(true);
			local record;
			guard.attempt("take up a part of the outbox of the last run", function ()
				record = assert(read(name), "it is not there");
			end);
			pause(true);
			if record then
				local ok, result = guard.attempt("take up a part of the outbox of the last run", take_up, record);
				passed_over = passed_over + (ok and result or 0);
			end
		end
		if passed_over > 0 then
			module:log("warn", "The outbox of the last run holds %d entries that cannot be read; they were passed over", passed_over);
		end
	end

	-- The names of all parts that are stored, but for some.
	local function names_stored(kept)
		local names = {};
		if store.users then
			for name in store:users() do
				if name and name ~= "" and not kept[name] then table.insert(names, name); end
			end
		else
			local index = read(nil);
			for _, name in ipairs(index and index.parts or {}) do
				if not kept[name] then table.insert(names, name); end
			end
		end
		return names;
	end

	local function remove(names, pause)
		for _, name in ipairs(names) do
			store:set(name, nil);
			pause(true);
		end
	end

	-- Nothing of the last run is needed any more.
	local function clear(pause)
		local names = names_stored({});
		store:set(nil, nil);
		remove(names, pause);
	end

	-- Writes parts until nothing is left, or it takes too long. names: a list that their names are added to. Returns how many
	-- devices were left out, and how many are stored without texts.
	local function write_parts(names)
		local started = monotonic();
		local run = ("%x"):format(math.floor(now() * 1000)); -- names that were never given before
		local plan, all = engine:plan_snapshot();
		local left_before = all;
		local written, without_texts = 0, 0;
		local share = 0; -- of the bounds that is used up
		while true do
			local is_in_haste = share > 0.5 and share * all > all - left_before;
			local at_most, detail = devices_per_part, "words";
			if is_in_haste then at_most, detail = devices_per_part_in_haste, "counts"; end
			local record, bytes, left = engine:next_part(plan, started, at_most, detail);
			if not record then return left, without_texts; end
			if next(record) then
				local name = ("%s-%d"):format(run, #names + 1);
				local ok, err = store:set(name, record);
				if not ok then
					module:log("error", "The outbox cannot be stored: %s", err);
					return left_before, without_texts;
				end
				table.insert(names, name);
				if is_in_haste then without_texts = without_texts + left_before - left; end
			end
			left_before = left;
			written = written + bytes;
			share = math.max((monotonic() - started) / seconds_to_save, written / bytes_to_save);
			if share >= 1 then return left, without_texts; end
		end
	end

	-- Says which parts there are, and removes all others.
	local function write_index(names)
		local ok, err = store:set(nil, names[1] and { parts = names } or nil);
		if not ok then
			module:log("error", "The outbox cannot be stored: %s", err);
			return;
		end
		local kept = {};
		for _, name in ipairs(names) do kept[name] = true; end
		remove(names_stored(kept), function () end);
	end

	-- Stores what outlives a stop, in the place of what was stored before.
	local function save()
		local names = {};
		local ok, left_out, without_texts = pcall(write_parts, names);
		if names[1] or ok and left_out == 0 then
			write_index(names);
		end
		if not ok then error(left_out, 0); end
		if without_texts > 0 then
			module:log("warn", "To stop in time, the outbox of %d device(s) is stored without the texts of what waits", without_texts);
		end
		if left_out > 0 then
			module:log("error", "The outbox of %d device(s) could not be stored: what waits for them, and how much they have not read, is lost", left_out);
		end
	end

	return { restore = restore, clear = clear, save = save };
end

return { new = new };
