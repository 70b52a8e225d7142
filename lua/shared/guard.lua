-- Keeps what goes wrong in our code from Prosody: its events and timers have no pcall, and an error in a
-- handler would end whatever was going on, the broadcast of a message included.
--
-- This file is MIT/X11 licensed.

local xpcall = xpcall;
local traceback = debug.traceback;

local function with_traceback(err)
	-- The engine's errors are userdata; they have a text, but are none.
	return traceback(tostring(err), 2);
end

local function log_failure(what, err)
	module:log("error", "Failed to %s: %s", type(what) == "function" and what() or what, err);
end

-- Calls func(...), and logs what is raised in it, once, with what was being done: a string, or a function
-- that gives one. Returns true and func's first result, or false.
local function attempt(what, func, ...)
	local ok, result = xpcall(func, with_traceback, ...);
	if not ok then
		log_failure(what, result);
		return false;
	end
	return true, result;
end

-- A handler that only watches: it never stops an event, come what may.
local function watch(what, handler)
	return function (event)
		-- Not by attempt(), for there are such handlers of every message.
		local ok, err = xpcall(handler, with_traceback, event);
		if not ok then log_failure(what, err); end
	end
end

-- A handler that answers: its result goes back to Prosody, or that of fallback(event) when it fails.
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
