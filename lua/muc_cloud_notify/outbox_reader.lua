-- Takes up what the last run has left of the outbox.
--
-- The records are read in the order in which they were written, from the beginning of the newest checkpoint on: what a later
-- one says of a device in a room replaces what an earlier one said. Where a record of that checkpoint is damaged, what was written
-- before it is read as well, as far as it is still there.
--
-- What is empty or cannot be read is said, kept aside, and passed over. But where the store does not answer at all, nothing is
-- passed over: it is asked again later.
--
-- Earlier versions have stored everything in the record without a name, or in parts that it names: { parts = { … } }.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local growing_pause = part "shared/growing_pause";
local names_of = part "muc_cloud_notify/outbox_names";

-- Of a record that cannot be read, how often it is tried, and after how many seconds again.
local tries = 3;
local seconds_between_tries = 0.1;

-- How long a store that does not answer is left alone: twice as long each time.
local seconds_without_answer = 0.5;
local most_seconds_without_answer = 30;

-- How many devices of a record from before there were parts are taken up at once.
local devices_at_once = 500;

-- A store does not answer. How many seconds to wait for goes with the error.
local patience_mt = {};

local function size(record)
	local bytes = 0;
	for _, value in pairs(record) do
		if type(value) == "string" then bytes = bytes + #value; end
	end
	return bytes;
end

-- parts: { engine; records = see outbox_records.lua }
local function new(parts)
	local engine, records = parts.engine, parts.records;

	local plan; -- what is to be read
	local failures = {}; -- how often each could not be read
	local pauses = growing_pause.new(seconds_without_answer, most_seconds_without_answer);

	local function wait(seconds)
		error(setmetatable({ seconds = seconds }, patience_mt), 0);
	end

	local function wait_for_store()
		if pauses.is_first() then
			module:log("error", "The outbox of the last run cannot be read: the store does not answer. It is tried again, and nothing is pushed until then");
		end
		wait(pauses.take());
	end

	-- What is stored under a name; nil where there is nothing, or nothing that could be read.
	local function read(name)
		if records.is_aside(name) then return nil; end
		local ok, record = records.read(name);
		if not ok then
			if not records.is_answering() then wait_for_store(); end
			failures[name or ""] = (failures[name or ""] or 0) + 1;
			if failures[name or ""] < tries then wait(seconds_between_tries); end
		end
		if not ok then
			records.keep_aside(name, "cannot be read");
		elseif record ~= nil and type(record) ~= "table" then
			records.keep_aside(name, "makes no sense");
		else
			pauses.reset();
			return record;
		end
	end

	local function read_listed(name)
		local record = read(name);
		if not record and not records.is_aside(name) then
			records.keep_aside(name, "is empty or not there");
		end
		return record;
	end

	-- The names of what earlier versions have stored, the record of the first ones, and whether there is anything of them. listed:
	-- all that is stored
	local function earlier_names(listed)
		local index = read(nil);
		local named = {};
		if index and type(index.parts) == "table" then
			for _, name in ipairs(index.parts) do
				if type(name) == "string" then table.insert(named, name); end
			end
			return named, nil, true;
		elseif index then
			return named, index, true;
		end
		local unnamed = 0;
		for _, name in ipairs(listed) do
			if not names_of.read(name) then
				unnamed = unnamed + 1;
				records.keep_aside(name);
			end
		end
		if unnamed > 0 then
			module:log("error", "The outbox has %d record(s) of an earlier version, but the one that says what counts is empty or not there:"
				.." they are kept aside", unnamed);
		end
		return named, nil, false;
	end

	-- How many parts of a checkpoint are not listed.
	local function missing_parts(given, first, last, count)
		local there = 0;
		for place = first, last do
			if names_of.read(given[place]).is_part then there = there + 1; end
		end
		return type(count) == "number" and math.max(0, count - there) or 0;
	end

	-- The newest checkpoint: where it begins and ends in a list of names, its record, and how many of its parts are missing.
	local function newest_checkpoint(given)
		for last = #given, 1, -1 do
			local first_name = names_of.read(given[last]).first;
			local record = first_name and read_listed(given[last]);
			if record then
				local first = last;
				while first > 1 and given[first - 1] >= first_name do first = first - 1; end
				return { first = first, last = last, record = record, missing = missing_parts(given, first, last, record.parts) };
			end
		end
	end

	-- Made in one go, or not at all where the store does not answer.
	local function make_plan()
		if not records.read_aside() then wait_for_store(); end
		local listed = records.can_list and records.list() or {};
		if records.can_list and not listed then wait_for_store(); end
		local given = {};
		for _, name in ipairs(listed) do
			if names_of.read(name) then table.insert(given, name); end
		end
		local checkpoint = newest_checkpoint(given);
		local is_whole = checkpoint and (checkpoint.missing == 0 or not checkpoint.record.has_past);
		local earlier, single, is_old_format = {}, nil, false;
		if not is_whole then earlier, single, is_old_format = earlier_names(checkpoint and {} or listed); end
		local newest = given[1] and read(given[#given]);
		plan = {
			single = single, earlier = earlier, given = given, checkpoint = checkpoint, newest = newest and newest.time;
			place = is_whole and checkpoint.first or 1 - #earlier;
			last_run = given[1] and names_of.read(given[#given]).run or 0;
			is_old_format = is_old_format, records = 0, bytes = 0, passed_over = 0;
		};
	end

	-- Ages in a record are those of the time when it was written. newest: when the newest was
	local function time_of(record)
		local elapsed = type(record.time) == "number" and plan.newest and plan.newest - record.time or 0;
		return monotonic() - (elapsed > 0 and elapsed or 0); -- the clock may have been set
	end

	local function prepare_and_restore(record, pause)
		while not engine:prepare_restore(record) do pause(true); end
		pause(true);
		return engine:restore(record, time_of(record));
	end

	local function take_up(name, record, pause)
		local ok, result = pcall(prepare_and_restore, record, pause);
		if ok then
			plan.passed_over = plan.passed_over + result;
		else
			module:log("debug", "Taking up the record %s of the outbox: %s", name or "without a name", tostring(result));
			records.keep_aside(name, "makes no sense");
		end
		return ok;
	end

	-- From before there were parts. Its devices refer to all of its messages.
	local function take_up_in_slices(record, pause)
		if type(record.devices) ~= "table" then
			take_up(nil, record, pause);
			return;
		end
		if not take_up(nil, { nicknames = record.nicknames, domains = record.domains }, pause) then return; end
		for first = 1, #record.devices, devices_at_once do
			local last = math.min(first + devices_at_once - 1, #record.devices);
			local devices = table.move(record.devices, first, last, 1, {});
			if not take_up(nil, { devices = devices, messages = record.messages }, pause) then return; end
			pause(true);
		end
	end

	local function name_at(place)
		if place < 1 then return plan.earlier[place + #plan.earlier]; end
		return plan.given[place];
	end

	local function read_next(name, pause)
		local place, checkpoint = plan.place, plan.checkpoint;
		local is_after = not checkpoint or place > checkpoint.last;
		local meaning = names_of.read(name);
		local record;
		if not (meaning and meaning.first) then
			record = read_listed(name); -- which may have to wait: then it is still the next one
			pause(true);
			if record and take_up(name, record, pause) then
				if is_after then plan.records, plan.bytes = plan.records + 1, plan.bytes + size(record); end
			elseif meaning and meaning.is_part and not is_after and checkpoint.missing == 0 and checkpoint.record.has_past then
				plan = nil; -- and in the next one that checkpoint is not whole
				return;
			end
		end
		plan.place = place + 1;
	end

	local function read_all(pause)
		repeat
			if not plan then
				make_plan();
				pause(true);
			end
			if plan.single then
				take_up_in_slices(plan.single, pause);
				plan.single = nil;
			end
			local name = name_at(plan.place);
			if name then
				read_next(name, pause);
				pause(true);
			end
		until not name;
		if plan.checkpoint and plan.checkpoint.missing > 0 then
			module:log("error", "The newest checkpoint of the outbox lacks %d part(s): what was written before it was read as well, as far as it is there",
				plan.checkpoint.missing);
		end
		if plan.passed_over > 0 then
			module:log("warn", "The outbox of the last run holds %d entries that cannot be read; they were passed over", plan.passed_over);
		end
	end

	-- Takes up all that is stored, which stays there; pause() is called wherever there may be an interruption. Returns nil where
	-- that is done, or after how many seconds this is to be called again.
	local function restore(pause)
		local ok, err = pcall(read_all, pause);
		if ok then return nil; end
		if getmetatable(err) ~= patience_mt then error(err, 0); end
		return err.seconds;
	end

	-- After restore(), what the next writer has to know: { last_run = no earlier one was later; records, bytes = what there is
	-- since the newest checkpoint; parts, part_bytes = how large that is; obsolete = what was written before that name is not needed
	-- any more, nil: all is; is_checkpoint_due }
	local function summary()
		if not plan then return nil; end
		local checkpoint = plan.checkpoint;
		local is_whole = checkpoint and checkpoint.missing == 0;
		return {
			last_run = plan.last_run, records = plan.records, bytes = plan.bytes;
			parts = checkpoint and tonumber(checkpoint.record.parts) or 0, part_bytes = checkpoint and tonumber(checkpoint.record.bytes) or 0;
			obsolete = is_whole and plan.given[checkpoint.first] or nil;
			is_checkpoint_due = plan.is_old_format or checkpoint ~= nil and not is_whole;
		};
	end

	return { restore = restore, summary = summary };
end

return { new = new };
