-- Stores the outbox at a clean stop, where there is no journal, and removes it after the next start.
--
-- It is stored in parts, as a checkpoint of the journal is. Where the storage cannot list its records there are none of those:
-- the record without a name says which parts there are.
--
-- A stop has bounds. What is most valuable comes first: what mentions somebody, what else waits, what only counts. When half of a
-- bound is used up, and the rest would not fit as it is, what waits is stored without its texts.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local bounds = part "muc_cloud_notify/outbox_bounds";
local names_of = part "muc_cloud_notify/outbox_names";

-- Each part takes a stop one write, which in some storages takes long, whatever is written.
local devices_per_part_in_haste = 4000;

-- parts: { engine; records = see outbox_records.lua }
local function new(parts)
	local engine, records = parts.engine, parts.records;

	local last_run = 0;

	-- known: how things are, see summary() of outbox_reader.lua
	local function begin(known)
		last_run = known and known.last_run or last_run;
	end

	-- The names of all parts that are stored.
	local function names_stored()
		if records.can_list then return records.list() or {}; end
		local _, index = records.read(nil);
		return index and index.parts or {};
	end

	-- The last one first: it says what the others are good for.
	local function remove(names, pause)
		for place = #names, 1, -1 do
			records.remove(names[place]);
			pause(true);
		end
	end

	-- Nothing of the last run is needed any more.
	local function clear(pause)
		local stored = names_stored();
		records.remove(nil);
		remove(stored, pause);
	end

	-- Writes parts until nothing is left, or it takes too long. written: a list that their names are added to. Returns how many
	-- devices were left out, how many are stored without texts, and how many bytes that are.
	local function write_parts(names, written)
		local started = monotonic();
		local plan, all = engine:plan_snapshot();
		while not all do plan, all = engine:plan_snapshot(plan); end
		local left_before = all;
		local bytes, without_texts = 0, 0;
		local share = 0; -- of the bounds that is used up
		while true do
			local is_in_haste = share > 0.5 and share * all > all - left_before;
			local at_most, detail = bounds.devices_per_part, "words";
			if is_in_haste then at_most, detail = devices_per_part_in_haste, "counts"; end
			local record, length, left = engine:next_part(plan, started, at_most, detail);
			if not record then return left, without_texts, bytes; end
			if next(record) then
				local name = names.next_part();
				record.time = records.time();
				if not records.write(name, record) then
					module:log("error", "The outbox cannot be stored: the store has refused a part");
					return left_before, without_texts, bytes;
				end
				table.insert(written, name);
				if is_in_haste then without_texts = without_texts + left_before - left; end
			end
			left_before = left;
			bytes = bytes + length;
			share = math.max((monotonic() - started) / bounds.seconds_per_stop, bytes / bounds.bytes_per_stop);
			if share >= 1 then return left, without_texts, bytes; end
		end
	end

	-- Says which parts there are, and removes all others.
	local function write_end(names, mark, written, bytes)
		local before = names_stored();
		local ok;
		if not records.can_list then
			ok = records.write(nil, written[1] and { parts = written } or nil);
		elseif written[1] then
			ok = records.write((names.next_end(mark)), { parts = #written, bytes = bytes, time = records.time() });
			records.remove(nil);
		else
			ok = records.remove(nil);
		end
		if not ok then
			module:log("error", "The outbox cannot be stored: the store has refused the record that says which parts there are");
			return;
		end
		local is_new = {};
		for _, name in ipairs(written) do is_new[name] = true; end
		local others = {};
		for _, name in ipairs(before) do
			if not is_new[name] then table.insert(others, name); end
		end
		remove(others, function () end);
	end

	-- Stores what outlives a stop, in the place of what was stored before.
	local function save()
		local names, written = names_of.new(last_run), {};
		local mark = names.mark();
		last_run = names.run;
		local ok, left_out, without_texts, bytes = pcall(write_parts, names, written);
		if written[1] or ok and left_out == 0 then
			write_end(names, mark, written, bytes);
		end
		if not ok then error(left_out, 0); end
		if without_texts > 0 then
			module:log("warn", "To stop in time, the outbox of %d device(s) is stored without the texts of what waits", without_texts);
		end
		if left_out > 0 then
			module:log("error", "The outbox of %d device(s) could not be stored: what waits for them, and how much they have not read, is lost", left_out);
		end
	end

	return { begin = begin, clear = clear, save = save };
end

return { new = new };
