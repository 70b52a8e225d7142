-- The one event loop of a test process: whatever is waited for, all open connections are served meanwhile,
-- so that an app server answers while a user waits.

local socket = require "socket";

local loop = {};

local readers = {}; -- socket -> function to call when it can be read

loop.now = socket.gettime;

-- For how long something is waited for that comes within a moment, in seconds: the machine may be busy with much else. It is less than the
-- half minute after which the module tries again what has failed for good.
loop.patience = 20;

local usual_interval = 0.1;

function loop.add(conn, on_readable)
	readers[conn] = on_readable;
end

function loop.remove(conn)
	readers[conn] = nil;
end

-- Serves what is ready, waiting up to timeout seconds for the first of it.
function loop.turn(timeout)
	local conns = {};
	for conn in pairs(readers) do
		table.insert(conns, conn);
	end
	if #conns == 0 then
		socket.sleep(timeout);
		return;
	end
	local ready = socket.select(conns, nil, timeout);
	for _, conn in ipairs(ready) do
		local on_readable = readers[conn];
		if on_readable then -- it may have been removed by one before it
			on_readable();
		end
	end
end

-- Serves connections until check() gives something true, and returns that; nil when the time is over, which is `patience` where it is not
-- given. What changes without anything being received (a file, a process) is looked at every `interval` seconds.
function loop.wait_until(check, timeout, interval)
	local deadline = loop.now() + (timeout or loop.patience);
	while true do
		local result = check();
		if result then return result; end
		local left = deadline - loop.now();
		if left <= 0 then
			loop.turn(0);
			return check() or nil;
		end
		loop.turn(math.min(interval or usual_interval, left));
	end
end

-- Serves connections for so many seconds: for what is not to happen, or has to be a while ago.
function loop.pause(seconds)
	loop.wait_until(function () return false; end, seconds);
end

return loop;
