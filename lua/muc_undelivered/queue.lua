-- Things that are kept in the order in which they came, for a time and up to a number, each with its weight and the share it
-- counts to.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local shares = part "muc_undelivered/shares";

-- How much of the limit is left when there were too many.
local share_left = 0.9;

-- options: { memory; seconds = for how long; limit = how many; forget(entry) = called when one goes }
--
-- An entry is a table with the fields owner (see shares.lua), room (any value), weight, and those that are set here, `kept_at`,
-- `place` and `holding`.
local function new(options)
	local memory, forget = options.memory, options.forget;
	local entries, first, last, count = {}, 1, 0, 0; -- `false` where one has been removed
	local tally = shares.new_tally();
	local account;

	-- bytes, number: how many more there are, or fewer
	local function count_in(holding, bytes, number, weight_before)
		tally.add(holding, bytes, number);
		memory.add(account, bytes + tally.weight - weight_before);
	end

	local function remove(entry)
		if not entry.place then return; end
		count_in(entry.holding, -entry.weight, -1, tally.weight);
		entries[entry.place] = false;
		entry.place, entry.holding = nil, nil;
		count = count - 1;
		forget(entry);
	end

	-- Closes the gaps.
	local function close_up()
		local rest, length = {}, 0;
		for place = first, last do
			local entry = entries[place];
			if entry then
				length = length + 1;
				rest[length] = entry;
				entry.place = length;
			end
		end
		entries, first, last = rest, 1, length;
	end

	local function expire()
		local expired = monotonic() - options.seconds;
		while first <= last do
			local entry = entries[first];
			if entry then
				if entry.kept_at >= expired then return; end
				remove(entry);
			end
			entries[first] = nil;
			first = first + 1;
		end
	end

	-- Forgets what is in the way of others, the oldest first. unit: that of `needed`, "bytes" or "count"
	local function give_way(needed, unit)
		local cut = tally.cut(needed, unit);
		local place = first;
		while needed > 0 and place <= last do
			local entry = entries[place];
			local holding = entry and entry.holding;
			if holding and holding.cut and holding.cut > 0 then
				local amount = unit == "bytes" and entry.weight or 1;
				holding.cut = holding.cut - amount;
				needed = needed - amount;
				remove(entry);
			end
			place = place + 1;
		end
		for _, holding in ipairs(cut) do holding.cut = nil; end
	end

	account = memory.open(function (bytes)
		give_way(bytes, "bytes");
	end);

	local function insert(entry)
		last = last + 1;
		entries[last], entry.place = entry, last;
		count = count + 1;
		local weight_before = tally.weight;
		entry.holding = tally.find(entry.owner, entry.room);
		count_in(entry.holding, entry.weight, 1, weight_before);
		if count > options.limit then give_way(count - options.limit * share_left, "count"); end
		if last - first > 2 * count + 1000 then close_up(); end
	end

	local function add(entry)
		entry.kept_at = monotonic();
		insert(entry);
		expire();
		memory.check();
	end

	-- An entry weighs more than it did.
	local function grow(entry, bytes)
		if not entry.place then return; end
		entry.weight = entry.weight + bytes;
		count_in(entry.holding, bytes, 0, tally.weight);
		memory.check();
	end

	-- What is kept, in its order, for the next load of this module.
	local function save()
		local list = {};
		for place = first, last do
			if entries[place] then table.insert(list, entries[place]); end
		end
		return list;
	end

	local function restore(list)
		for _, entry in ipairs(list) do insert(entry); end
		expire();
		memory.check();
	end

	return { add = add, remove = remove, grow = grow, expire = expire, save = save, restore = restore };
end

return { new = new };
