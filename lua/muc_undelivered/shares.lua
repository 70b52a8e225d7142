-- Who has to give way when space is short: whoever holds the most, down to a level that is the same for all. Among those who
-- hold something it is the domain, in what this holds the room.
--
-- A share is that of a family of domains, see shared/families.lua, whatever number of users they have; each account of this server has
-- its own, as it is up to the operator who gets one.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local families = part "shared/families";

local hosts = prosody.hosts;

-- Whose share something of a user's counts to. bare_jid: nil for what is a room's own
local function owner_of(bare_jid)
	if not bare_jid then return ""; end
	local host = jid_host(bare_jid);
	return hosts[host] and bare_jid or host and families.of(host) or "";
end

-- Halvings of the range in which the level is looked for: a level need not be exact.
local steps = 12;
-- How much more than needed may become free.
local tolerance = 0.2;

-- To what amount all have to be brought down, at most, for that much to become free. unit: the field of a holder that has
-- its amount
local function level_of(holders, needed, unit)
	local count = #holders;
	if count == 1 then return math.max(0, holders[1][unit] - needed); end
	local low, high, most = 0, 0, needed * (1 + tolerance);
	for i = 1, count do high = math.max(high, holders[i][unit]); end
	for _ = 1, steps do
		local level, free = (low + high) / 2, 0;
		for i = 1, count do
			local amount = holders[i][unit];
			if amount > level then free = free + amount - level; end
		end
		if free < needed then
			high = level;
		else
			low = level;
			if free <= most then break; end
		end
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
	local level = level_of(owners, needed, "amount");
	for _, owner in ipairs(owners) do
		if owner.amount > level then
			local of_rooms = {};
			local level_of_rooms = level_of(owner.rooms, owner.amount - level, "amount");
			for _, room in ipairs(owner.rooms) do
				if room.amount > level_of_rooms then of_rooms[room.key] = room.amount - level_of_rooms; end
			end
			found[owner.key] = of_rooms;
		end
	end
	return found;
end

-- In bytes: what is counted of an owner, or of an owner in a room, with its places in tables.
local weight_of_holder = 350;

-- Who holds how much, counted as it comes and goes: with very many holders, to count it when space is short would hold up
-- everybody. A holding is what an owner has in a room: { owner = the owner's holder; bytes; count; cut = how much it has to give
-- up, nil for nothing }. What is counted weighs something, too.
local function new_tally()
	local owners = {}; -- a list that is also by its owners, which are no numbers
	local tally = { weight = 0 };

	local function open(holders, key)
		local holder = holders[key];
		if not holder then
			holder = { key = key, bytes = 0, count = 0, place = #holders + 1 };
			holders[key], holders[holder.place] = holder, holder;
			tally.weight = tally.weight + weight_of_holder;
		end
		return holder;
	end

	local function close(holders, holder)
		local last = holders[#holders];
		holders[holder.place], last.place = last, holder.place;
		holders[#holders], holders[holder.key] = nil, nil;
		tally.weight = tally.weight - weight_of_holder;
	end

	-- key of the room: no number
	local function find(owner_key, room)
		local owner = open(owners, owner_key);
		owner.rooms = owner.rooms or {};
		local holding = open(owner.rooms, room);
		holding.owner = owner;
		return holding;
	end

	local function add(holding, bytes, count)
		local owner = holding.owner;
		holding.bytes, holding.count = holding.bytes + bytes, holding.count + count;
		owner.bytes, owner.count = owner.bytes + bytes, owner.count + count;
		if holding.count == 0 then close(owner.rooms, holding); end
		if owner.count == 0 then close(owners, owner); end
	end

	-- Sets the cuts, for that much to become free. unit: "bytes" or "count". Returns a list of the holdings that have one.
	local function cut(needed, unit)
		local holdings = {};
		local level = level_of(owners, needed, unit);
		for _, owner in ipairs(owners) do
			if owner[unit] > level then
				local level_of_rooms = level_of(owner.rooms, owner[unit] - level, unit);
				for _, holding in ipairs(owner.rooms) do
					if holding[unit] > level_of_rooms then
						holding.cut = holding[unit] - level_of_rooms;
						table.insert(holdings, holding);
					end
				end
			end
		end
		return holdings;
	end

	tally.find, tally.add, tally.cut = find, add, cut;
	return tally;
end

return { owner_of = owner_of, cuts = cuts, new_tally = new_tally };
