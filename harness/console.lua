-- The client of mod_harness_console.

local socket = require "socket";
local serialization = require "util.serialization";

local files = require "harness.files";
local loop = require "harness.loop";

local answer_timeout = 120; -- a specification may have much done by it

local console = {};

local console_methods = {};
local console_mt = { __index = console_methods };

-- The console whose port is in a file; nil when there is none yet.
function console.connect(port_file)
	local port = files.read(port_file);
	if not port then return nil; end
	local conn = assert(socket.tcp());
	conn:settimeout(1);
	if not conn:connect("127.0.0.1", tonumber(port)) then
		conn:close();
		return nil;
	end
	conn:setoption("tcp-nodelay", true);
	conn:settimeout(0);
	local self = setmetatable({ buffer = "", conn = conn }, console_mt);
	loop.add(conn, function ()
		local data, err, partial = conn:receive(65536);
		self.buffer = self.buffer .. (data or partial or "");
		if err == "closed" then
			self:close();
		end
	end);
	return self;
end

function console_methods:close()
	if self.closed then return; end
	self.closed = true;
	loop.remove(self.conn);
	self.conn:close();
end

local function take_answer(self)
	local length, start = self.buffer:match("^(%d+)\n()");
	local finish = length and start + tonumber(length) - 1;
	if not finish or #self.buffer < finish then return nil; end
	local payload = self.buffer:sub(start, finish);
	self.buffer = self.buffer:sub(finish + 1);
	return payload;
end

-- Runs a chunk with arguments. Returns true and the results, or false and the error, as a table with their number
-- as n; nil when there is no answer, and then this console is closed.
function console_methods:run(code, ...)
	local request = serialization.serialize({ n = select("#", ...) + 1, code, ... }, { preset = "compact", multiref = true });
	self.conn:settimeout(5);
	assert(self.conn:send(string.format("%d\n%s", #request, request)));
	self.conn:settimeout(0);
	local answer;
	loop.wait_until(function ()
		answer = take_answer(self);
		return answer or self.closed;
	end, answer_timeout);
	if not answer then
		self:close(); -- what it says later must not be taken for the answer to the next request
		return nil;
	end
	return assert(serialization.deserialize(answer));
end

return console;
