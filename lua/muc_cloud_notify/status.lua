-- What the log says of the state of the module, and module:info() shows.
--
-- This file is MIT/X11 licensed.

-- Of the store: what it cannot be.
local store_cannot_be = "The store cannot be %s, so nobody who registered before is pushed to until it can; it is tried again";

-- Prosody keeps an error there, unless it is told to do otherwise.
local function report(level, ...)
	module:log(level, ...);
	module:set_status(level, string.format(...), true);
end

return { report = report, store_cannot_be = store_cannot_be };
