-- A cache of what was found out just now, for what somebody may ask for several times in a row, and may be another thing a moment
-- later: for `seconds_kept` after it was found out, however long that took.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local bounded_cache = part "shared/bounded_cache";

-- Longer than it takes from one stanza to the next that came with it, and shorter than anything that another process does.
local seconds_kept = 0.01;

-- limit: how many values are kept
local function new(limit)
	local kept = bounded_cache.new(limit);

	local function get(key)
		local entry = kept.get(key);
		if entry and monotonic() < entry.expires then return entry.value; end
	end

	-- value: not nil
	local function set(key, value)
		kept.set(key, { value = value, expires = monotonic() + seconds_kept });
	end

	return { get = get, set = set, forget = kept.forget };
end

return { new = new };
