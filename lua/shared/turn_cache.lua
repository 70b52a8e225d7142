-- A cache of what was found out in this turn of the event loop, for what somebody may ask for several times in a row, and may be
-- another thing a moment later.
--
-- This file is MIT/X11 licensed.

local part = ...;

local bounded_cache = part "shared/bounded_cache";

-- limit: how many values are kept
local function new(limit)
	local kept = bounded_cache.new(limit);
	local is_planned = false; -- whether a timer empties it

	local function on_timer()
		is_planned = false;
		kept = bounded_cache.new(limit);
	end

	local function get(key)
		return kept.get(key);
	end

	-- value: not nil
	local function set(key, value)
		kept.set(key, value);
		if not is_planned then
			is_planned = true;
			module:add_timer(0, on_timer);
		end
	end

	local function forget(key)
		kept.forget(key);
	end

	return { get = get, set = set, forget = forget };
end

return { new = new };
