-- The timers of a module, which end with it.
--
-- Prosody calls no timer of a module that is unloaded, but keeps it until its time has come, and with it the module: its
-- event handlers, and all that they see. A module that has timers of hours, and is reloaded now and then, would be in
-- memory many times.
--
-- This file is MIT/X11 licensed.

local pending = {}; -- a module has one list, whoever of its parts asks

-- As module:add_timer().
local function add(seconds, callback)
	local timer;
	timer = module:add_timer(seconds, function (...)
		local again = callback(...);
		if not again then pending[timer] = nil; end
		return again;
	end);
	pending[timer] = true;
	return timer;
end

local function stop(timer)
	timer:stop();
	pending[timer] = nil;
end

-- The module is being unloaded.
local function stop_all()
	for timer in pairs(pending) do
		timer:stop();
	end
	pending = {};
end

return { add = add, stop = stop, stop_all = stop_all };
