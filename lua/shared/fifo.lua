-- A queue: what was put in first comes out first. Unlike util.queue it has no size, and takes no memory for what is not in it;
-- whoever puts something in sees to a bound.
--
-- This file is MIT/X11 licensed.

local function new()
	local first, last = 1, 0;
	local items = {};

	local function count()
		return last - first + 1;
	end

	local function push(item)
		last = last + 1;
		items[last] = item;
	end

	-- Returns the first one, or nil where there is none.
	local function pop()
		if first > last then return nil; end
		local item = items[first];
		items[first] = nil;
		first = first + 1;
		return item;
	end

	return { count = count, push = push, pop = pop };
end

return { new = new };
