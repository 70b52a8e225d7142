-- Token buckets: how often somebody may do something. Each has a bucket of its own that holds so many tokens, and is refilled
-- at a steady rate; whoever finds it empty has to wait.
--
-- A bucket that is full again is as good as none. How many are kept is bounded: when there are too many, all of them are
-- forgotten, and so full, which costs each of those who had emptied theirs as many requests as a bucket holds.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local bounded_cache = part "shared/bounded_cache";

local buckets_kept = 10000;

-- size: how many tokens a bucket holds; per_second: how many it gets
local function new(size, per_second)
	-- By what it is for, the time at which the bucket is full again. It is never so far away that the bucket holds less than
	-- nothing.
	local full_at = bounded_cache.new(buckets_kept);

	-- Takes a token out of a bucket. Returns whether there was one.
	local function take(key)
		local now = monotonic();
		local full = math.max(now, full_at.get(key) or now) + 1 / per_second;
		if full - now > size / per_second + 1e-6 then return false; end
		full_at.set(key, full);
		return true;
	end

	return { take = take };
end

return { new = new };
