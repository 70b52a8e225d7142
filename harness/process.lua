-- A child process with a folder of its own, which ends with this process, however that ends: see guard.bash.

local lfs = require "lfs";

local command_line = require "harness.command_line";
local files = require "harness.files";
local loop = require "harness.loop";

local poll_interval = 0.005;

local source = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or ".";
local guard = (source:sub(1, 1) == "/" and source or lfs.currentdir() .. "/" .. source) .. "/guard.bash";

local process = {};

local process_methods = {};
local process_mt = { __index = process_methods };

-- A temporary folder that is new.
function process.make_folder()
	local command = assert(io.popen("mktemp -d", "r"));
	local folder = command:read("*l");
	command:close();
	return assert(folder, "mktemp -d does not work");
end

-- folder: its folder, which is removed in the end; arguments: its command line; last_signal: what it is ended with by close(),
-- "KILL" if not given
function process.new(folder, arguments, last_signal)
	local all = table.move(arguments, 1, #arguments, 4, { "bash", guard, folder });
	local prefix = last_signal and "LAST_SIGNAL=" .. last_signal .. " " or "";
	return setmetatable({
		folder = folder;
		pipe = assert(io.popen(prefix .. "exec " .. command_line.quote(all), "w"));
	}, process_mt);
end

local function send(self, command)
	assert(self.pipe:write(command, "\n"));
	assert(self.pipe:flush());
end

-- Starts it; what it writes is appended to the file "output" in its folder.
function process_methods:start()
	for _, name in ipairs { "pid", "exit" } do -- of the one before
		os.remove(self.folder .. "/" .. name);
	end
	send(self, "start");
end

function process_methods:pid()
	return tonumber(files.read(self.folder .. "/pid"));
end

-- The exit status, once it has ended.
function process_methods:exit_status()
	return tonumber(files.read(self.folder .. "/exit"));
end

-- Sends it a signal, such as "TERM" or "STOP".
function process_methods:signal(name)
	send(self, name);
end

-- Waits until it has ended. Returns the exit status, nil when that takes longer.
function process_methods:wait(timeout)
	return loop.wait_until(function ()
		return self:exit_status();
	end, timeout, poll_interval);
end

-- Ends it if it still runs, waits until it has ended, and removes its folder unless KEEP is set in the environment.
function process_methods:close()
	self.pipe:close();
end

return process;
