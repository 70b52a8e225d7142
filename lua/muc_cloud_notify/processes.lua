-- Processes of Prosody, as they are written down for others: which one this is, and whether another one is gone.
--
-- Only of a process of the same running kernel, in the same space of process ids, can it be said that it is gone: its
-- entry in /proc is missing, or is that of a later process. A machine's own id (/etc/machine-id), its name and its addresses
-- say nothing: copies of a machine or of a container have the same ones. Where there is no /proc, nothing can be said.
--
-- This file is MIT/X11 licensed.

local lfs = require "lfs";

local new_id = require "util.id".medium; -- COMPAT 0.12: no prosody.* names

local function read_file(path)
	local file = io.open(path, "rb");
	if not file then return nil; end
	local text = file:read("*a");
	file:close();
	return text;
end

-- What /proc says of a process ("self" for this one): its id, its state as a letter, and when it was started, in ticks since
-- the kernel was. proc(5): the name before the state may have any characters.
local function look(pid)
	local text = read_file("/proc/"..pid.."/stat");
	local id, state, fields = (text or ""):match("^(%d+) .*%) (%a) (.*)$");
	if not id then return nil; end
	local place = 3;
	for field in fields:gmatch("%S+") do
		place = place + 1;
		if place == 22 then return tonumber(id), state, tonumber(field); end
	end
end

local function machine_name()
	local ok, pposix = pcall(require, "util.pposix");
	return ok and pposix.uname and pposix.uname().nodename or nil;
end

---@class process
---@field id string random, of this use of the module by the process
---@field pid number?
---@field started number? see look()
---@field kernel string? an id that a kernel makes when it starts
---@field pid_space number? which one of the kernel's spaces of process ids `pid` is from
---@field data string? Prosody's data folder
---@field machine string? its name, for people

-- This process.
---@return process
local function this()
	local pid, _, started = look("self");
	local kernel = read_file("/proc/sys/kernel/random/boot_id");
	return {
		id = new_id(), pid = pid, started = started, kernel = kernel and kernel:match("^%S+"), machine = machine_name();
		pid_space = lfs.attributes("/proc/self/ns/pid", "ino"), data = prosody.paths and prosody.paths.data or nil;
	};
end

-- Whether two processes are of the same kernel and the same space of process ids.
local function are_neighbours(one, other)
	return one.kernel ~= nil and one.kernel == other.kernel and one.pid_space ~= nil and one.pid_space == other.pid_space;
end

-- Whether two processes are the same Prosody, of which the later one was started after the earlier one.
local function are_same_prosody(one, other)
	return are_neighbours(one, other) and one.data ~= nil and one.data == other.data;
end

-- Whether a process has certainly ended. The module of another use of this very process is gone as well.
---@param process process
---@param this_one process
local function is_gone(process, this_one)
	if not are_neighbours(process, this_one) or type(process.pid) ~= "number" then return false; end
	-- The first process is always there: if it cannot be seen, others of somebody else cannot be seen either (hidepid).
	if not look(1) then return false; end
	local pid, state, started = look(("%.0f"):format(process.pid));
	return not pid or started ~= process.started or state == "Z" or state == "X" or pid == this_one.pid;
end

-- For the log.
---@param process process
local function describe(process)
	return ("process %s on %s"):format(process.pid or "?", process.machine or "another machine");
end

return { this = this, is_gone = is_gone, are_same_prosody = are_same_prosody, describe = describe };
