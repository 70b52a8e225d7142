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

-- size: how many tokens a bucket holds; per_second: how many it gets; buckets_kept: how many buckets there are at most
local function new(size, per_second, buckets_kept)
	-- By what it is for, the time at which the bucket is full again. It is never so far away that the bucket holds less than
	-- nothing.
	local full_at = bounded_cache.new(buckets_kept);

	-- When a bucket is full again once a token is taken out of it, nil where there is none in it.
	local function full_after(key)
		local now = monotonic();
		local full = math.max(now, full_at.get(key) or now) + 1 / per_second;
		if full - now <= size / per_second + 1e-6 then return full; end
	end

	-- Whether there is a token in a bucket.
	local function has(key)
		return full_after(key) ~= nil;
	end

	-- Takes a token out of a bucket. Returns whether there was one.
	local function take(key)
		local full = full_after(key);
		if full then full_at.set(key, full); end
		return full ~= nil;
	end

	return { has = has, take = take };
end

return { new = new };
