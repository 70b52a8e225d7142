-- What the log says of the state of the module, and module:info() shows.
--
-- This file is MIT/X11 licensed.

-- Prosody keeps an error there, unless it is told to do otherwise.
local function report(level, ...)
	module:log(level, ...);
	module:set_status(level, string.format(...), true);
end

return { report = report };
