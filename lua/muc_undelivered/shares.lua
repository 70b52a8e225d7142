-- Who has to give way when space is short: whoever holds the most, down to a level that is the same for all. Among those who
-- hold something it is the domain, in what this holds the room.
--
-- A share is a domain's, whatever number of users it has; each account of this server has its own, as it is up to the
-- operator who gets one.
--
-- This file is MIT/X11 licensed.

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local hosts = prosody.hosts;

-- Whose share something of a user's counts to. bare_jid: nil for what is a room's own
local function owner_of(bare_jid)
	if not bare_jid then return ""; end
	local host = jid_host(bare_jid);
	return hosts[host] and bare_jid or host or "";
end

-- Halvings of the range in which the level is looked for: a level need not be exact.
local steps = 12;

-- To what amount all have to be brought down, at most, for that much to become free.
local function level_of(holders, needed)
	if #holders == 1 then return math.max(0, holders[1].amount - needed); end
	local low, high = 0, 0;
	for _, holder in ipairs(holders) do high = math.max(high, holder.amount); end
	for _ = 1, steps do
		local level, free = (low + high) / 2, 0;
		for _, holder in ipairs(holders) do
			if holder.amount > level then free = free + holder.amount - level; end
		end
		if free >= needed then low = level; else high = level; end
	end
	return low;
end

local function hold(holders, key, amount)
	local holder = holders[key];
	if not holder then
		holder = { key = key, amount = 0 };
		holders[key] = holder;
		table.insert(holders, holder);
	end
	holder.amount = holder.amount + amount;
	return holder;
end

-- Who has to give up how much. collect(add) calls add(owner, room, amount) for all that is kept; needed: how much has to become free,
-- in the same unit. Returns owner -> room -> amount.
local function cuts(collect, needed)
	local owners = {}; -- a list that is also by its owners, which are no numbers
	collect(function (owner, room, amount)
		local holder = hold(owners, owner, amount);
		holder.rooms = holder.rooms or {};
		hold(holder.rooms, room, amount);
	end);
	local found = {};
	local level = level_of(owners, needed);
	for _, owner in ipairs(owners) do
		if owner.amount > level then
			local of_rooms = {};
			local level_of_rooms = level_of(owner.rooms, owner.amount - level);
			for _, room in ipairs(owner.rooms) do
				if room.amount > level_of_rooms then of_rooms[room.key] = room.amount - level_of_rooms; end
			end
			found[owner.key] = of_rooms;
		end
	end
	return found;
end

return { owner_of = owner_of, cuts = cuts };
