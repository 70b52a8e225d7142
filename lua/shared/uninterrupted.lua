-- Calls a function in the middle of which the server is not stopped.
--
-- COMPAT 0.12: a signal is handled wherever Lua just is in the main thread, in a timer as in the middle of a write into a store. A stop
-- writes into stores itself, and mod_storage_sql keeps the user and the store that it is at in variables that all its calls share: the
-- rest of the write that is interrupted goes where the stop has written last. In a coroutine no signal is handled.
--
-- This file is MIT/X11 licensed.

local function results(thread, ok, ...)
	if not ok then error(debug.traceback(thread, tostring((...))), 0); end
	if coroutine.status(thread) ~= "dead" then error("what is not to be interrupted waits", 0); end
	return ...;
end

-- Returns what func(...) returns, and raises the errors that it does.
local function uninterrupted(func, ...)
	local _, is_main = coroutine.running();
	if not is_main then return func(...); end
	local thread = coroutine.create(func);
	return results(thread, coroutine.resume(thread, ...));
end

return uninterrupted;
