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
-- An entry is a table with the fields owner (see shares.lua), room (any value), weight, and those that are set here, `kept_at`
-- and `place`.
local function new(options)
	local memory, forget = options.memory, options.forget;
	local entries, first, last, count = {}, 1, 0, 0; -- `false` where one has been removed
	local account;

	local function remove(entry)
		if not entry.place then return; end
		entries[entry.place] = false;
		entry.place = nil;
		count = count - 1;
		memory.add(account, -entry.weight);
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

	-- Forgets what is in the way of others, the oldest first. amount_of(entry): in the unit of `needed`
	local function give_way(needed, amount_of)
		local cuts = shares.cuts(function (add)
			for place = first, last do
				local entry = entries[place];
				if entry then add(entry.owner, entry.room, amount_of(entry)); end
			end
		end, needed);
		for place = first, last do
			local entry = entries[place];
			local of_rooms = entry and cuts[entry.owner];
			local cut = of_rooms and of_rooms[entry.room];
			if needed > 0 and cut and cut > 0 then
				local amount = amount_of(entry);
				of_rooms[entry.room] = cut - amount;
				needed = needed - amount;
				remove(entry);
			end
		end
		close_up();
	end

	account = memory.open(function (bytes)
		give_way(bytes, function (entry) return entry.weight; end);
	end);

	local function insert(entry)
		last = last + 1;
		entries[last], entry.place = entry, last;
		count = count + 1;
		memory.add(account, entry.weight);
		if count > options.limit then
			give_way(count - options.limit * share_left, function () return 1; end);
		elseif last - first > 2 * count + 1000 then
			close_up();
		end
	end

	local function add(entry)
		entry.kept_at = monotonic();
		insert(entry);
		expire();
		memory.check();
	end

	-- An entry weighs more than it did.
	local function grow(entry, bytes)
		entry.weight = entry.weight + bytes;
		memory.add(account, bytes);
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
