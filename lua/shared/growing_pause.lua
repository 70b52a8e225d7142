-- Pauses between tries of what fails: each is twice as long as the one before, up to a bound.
--
-- This file is MIT/X11 licensed.

-- first, longest: in seconds
local function new(first, longest)
	local seconds = first;

	-- Returns how long the next pause is.
	local function take()
		local pause = seconds;
		seconds = math.min(2 * seconds, longest);
		return pause;
	end

	-- It has worked.
	local function reset()
		seconds = first;
	end

	-- Whether nothing has failed since it has worked.
	local function is_first()
		return seconds == first;
	end

	return { take = take, reset = reset, is_first = is_first };
end

return { new = new };
