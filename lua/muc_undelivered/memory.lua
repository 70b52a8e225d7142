-- How many bytes are kept of everything, by weight. Those who keep something have an account each: when there is too much
-- in all, the largest account gives way, so none can be emptied by what another one is filled with.
--
-- This file is MIT/X11 licensed.

-- How much of the limit is left when something had to give way: to find out what, all that is kept is looked at.
local share_left = 0.9;

-- limit: in bytes
local function new(limit)
	local memory = { total = 0, limit = limit };
	local accounts = {};

	-- make_space(bytes): forgets that much
	local function open(make_space)
		local account = { bytes = 0, make_space = make_space };
		table.insert(accounts, account);
		return account;
	end

	local function largest()
		local found = accounts[1];
		for _, account in ipairs(accounts) do
			if account.bytes > found.bytes then found = account; end
		end
		return found;
	end

	-- Sees to it that there is not too much.
	local function check()
		while memory.total > limit do
			local account = largest();
			local before = account.bytes;
			account.make_space(math.min(before, memory.total - limit * share_left));
			if account.bytes >= before then return; end -- it had nothing to give
		end
	end

	-- bytes: less than nothing for what is forgotten
	local function add(account, bytes)
		account.bytes = account.bytes + bytes;
		memory.total = memory.total + bytes;
	end

	memory.open, memory.add, memory.check = open, add, check;
	return memory;
end

return { new = new };
