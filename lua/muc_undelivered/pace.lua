-- How often something may be done: a bucket that is full at first, and is refilled as time passes. There is one for each key.
--
-- Bounds: `max_keys` buckets. When there are more, all are taken to be full again; what must not be exceeded in all has a
-- bucket of its own.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local bounded_cache = part "shared/bounded_cache";

local max_keys = 1000;

-- size: how often it may be done at once; per_second: how often afterwards
local function new(size, per_second)
	local buckets = bounded_cache.new(max_keys);

	local function level_of(bucket, at)
		return math.min(size, bucket.level + (at - bucket.at) * per_second);
	end

	local function may(key)
		local bucket = buckets.get(key);
		return not bucket or level_of(bucket, monotonic()) >= 1;
	end

	local function note(key)
		local bucket, at = buckets.get(key), monotonic();
		buckets.set(key, { level = (bucket and level_of(bucket, at) or size) - 1, at = at });
	end

	return { may = may, note = note };
end

return { new = new };
