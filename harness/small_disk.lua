-- A small file system in memory, which can be full: mounted in a namespace of a process that does nothing else, and reached through
-- that. It takes no privilege, but a system that lets users have namespaces of their own.

local files = require "harness.files";
local loop = require "harness.loop";

local small_disk = {};

local disk_methods = {};
local disk_mt = { __index = disk_methods };

-- folder: an empty one; kilobytes: how large it is. Returns nil where that cannot be had.
function small_disk.new(folder, kilobytes)
	local pid_path = folder .. ".pid";
	local inside = string.format([[mount -t tmpfs -o size=%dk tmpfs "$0" && echo $$ >"$0.pid" && exec cat]], kilobytes);
	local process = assert(io.popen(string.format("exec unshare -rm sh -c '%s' '%s' 2>/dev/null", inside, folder), "w"));
	local pid = loop.wait_until(function () return tonumber(files.read(pid_path) or ""); end, 2, 0.01);
	local path = pid and string.format("/proc/%d/root%s", pid, folder);
	if not path or not io.open(path .. "/probe", "w") then
		process:close();
		return nil;
	end
	os.remove(path .. "/probe");
	return setmetatable({ path = path, process = process }, disk_mt);
end

-- Takes all the space that is left.
function disk_methods:fill()
	local file = assert(io.open(self.path .. "/filler", "w"));
	file:setvbuf("no");
	repeat until not file:write(("x"):rep(1024));
	file:close();
end

-- Gives it back.
function disk_methods:empty()
	assert(os.remove(self.path .. "/filler"));
end

function disk_methods:close()
	self.process:close();
end

return small_disk;
