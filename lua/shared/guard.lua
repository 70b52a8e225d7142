-- Keeps errors in our code away from Prosody: its events and timers have no pcall, and an error in a handler would end
-- whatever was going on, the broadcast of a message included.
--
-- This file is MIT/X11 licensed.

local xpcall = xpcall;
local traceback = debug.traceback;

local function with_traceback(err)
	-- The errors of a native library are userdata: tostring() knows their text, traceback() does not.
	return traceback(tostring(err), 2);
end

local function log_failure(what, err)
	module:log("error", "Failed to %s: %s", type(what) == "function" and what() or what, err);
end

-- Calls func(...), and logs an error in it, once. what: what was being done, or a function that returns it. Returns true
-- and func's first result, or false.
local function attempt(what, func, ...)
	local ok, result = xpcall(func, with_traceback, ...);
	if not ok then
		log_failure(what, result);
		return false;
	end
	return true, result;
end

-- An event handler that only watches: it never stops an event, and returns nothing.
local function watch(what, handler)
	return function (event)
		-- Not by attempt(): every message goes through such handlers.
		local ok, err = xpcall(handler, with_traceback, event);
		if not ok then log_failure(what, err); end
	end
end

-- An event handler whose result goes back to Prosody, or that of fallback(event) where it fails.
local function answer(what, handler, fallback)
	return function (event)
		local ok, result = attempt(what, handler, event);
		if not ok and fallback then
			ok, result = attempt(what, fallback, event);
		end
		if ok then
			return result;
		end
	end
end

return { attempt = attempt, watch = watch, answer = answer };
