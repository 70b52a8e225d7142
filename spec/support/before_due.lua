-- What has to be done and looked at before a timer of the server is due, which it may be meanwhile where the machine has much else to do:
-- then it is done anew.

local loop = require "harness.loop";

local tries = 10;

-- seconds: until the timer is due, from the call of begin() on; try(begin): does it, from the beginning, and fails where something is not as
-- it has to be. Returns what that returns.
local function before_due(seconds, try)
	for _ = 1, tries do
		local begun = loop.now();
		local results = table.pack(pcall(try, function () begun = loop.now(); end));
		if loop.now() - begun < seconds then
			if not results[1] then error(results[2], 0); end
			return table.unpack(results, 2, results.n);
		end
		loop.pause(1.5 * seconds); -- so that nothing of it is left
	end
	error(string.format("this machine is too slow for what has to be done within %g s", seconds), 2);
end

return before_due;
