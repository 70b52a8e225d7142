-- The names of the outbox's records: they sort in the order in which the records were written, and none is given twice.
--
-- <run>-<number>                a batch of the journal
-- <run>-<number>-part           a part of a checkpoint
-- <run>-<number>-from-<number>  ends a checkpoint: what was written in this run before that number is not needed any more, nor what
--                               was written in others before this one
--
-- A run is one time that the module was loaded. Its number is the time of day, unless a later one was given before, as may be where
-- the clock was set.
--
-- This file is MIT/X11 licensed.

local now = require "util.time".now; -- COMPAT 0.12: no prosody.* names

local pattern = "^(%x%x%x%x%x%x%x%x%x%x%x%x)%-(%x%x%x%x%x%x%x%x)(.*)$";
local batch = "%012x-%08x";

-- What a name says: { run; number; is_part = whether it is a part of a checkpoint; first = the name with which that
-- checkpoint begins, where it ends one }. nil for a name that was not given here.
local function read(name)
	local run, number, rest = name:match(pattern);
	if not run then return nil; end
	local first = rest:match("^%-from%-(%x%x%x%x%x%x%x%x)$");
	if rest ~= "" and rest ~= "-part" and not first then return nil; end
	return { run = tonumber(run, 16), number = tonumber(number, 16), is_part = rest == "-part", first = first and run.."-"..first };
end

-- Gives the names of a run. last_run: no earlier one was later.
local function new(last_run)
	local run = math.max(math.floor(now() * 1000), last_run + 1);
	local number = 0;

	local function next_name()
		number = number + 1;
		return batch:format(run, number);
	end

	local function next_part()
		return next_name().."-part";
	end

	-- The number of the next name, for next_end().
	local function mark()
		return number + 1;
	end

	-- The name of what ends a checkpoint that began at a mark; and the one with which it began.
	local function next_end(first)
		return ("%s-from-%08x"):format(next_name(), first), batch:format(run, first);
	end

	return { next = next_name, next_part = next_part, mark = mark, next_end = next_end, run = run };
end

return { new = new, read = read };
