-- What /proc says about a process.

local lfs = require "lfs";

local process = {};

local function read_line(path)
	local file = io.open(path, "r");
	if not file then return nil; end
	local line = file:read("*l");
	file:close();
	return line;
end

-- Seconds that a process has spent on a CPU, all its threads together. Exact while it sleeps.
function process.cpu(pid)
	local total = 0;
	local folder = string.format("/proc/%d/task", pid);
	for thread in lfs.dir(folder) do
		local line = thread:match("^%d+$") and read_line(string.format("%s/%s/schedstat", folder, thread));
		if line then
			total = total + tonumber(line:match("^%d+"));
		end
	end
	return total / 1e9;
end

-- Bytes of a process that are in memory, without the pages of files, such as libraries.
function process.rss(pid)
	local file = assert(io.open(string.format("/proc/%d/smaps_rollup", pid), "r"));
	local text = file:read("*a");
	file:close();
	return tonumber(text:match("\nAnonymous:%s*(%d+) kB")) * 1024;
end

return process;
