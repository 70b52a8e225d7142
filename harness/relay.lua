-- A way to a server that can be cut off, for what happens to one of those who use it: all who do not go this way still reach the server.

local command_line = require "harness.command_line";
local files = require "harness.files";
local loop = require "harness.loop";
local process = require "harness.process";
local prosody = require "harness.prosody";

local address = "127.0.0.5"; -- of nobody else: it comes back to its port

local relay = {};

local relay_methods = {};
local relay_mt = { __index = relay_methods };

local function launch(self)
	os.remove(self.port_file);
	self.process:start();
	self.port = loop.wait_until(function () return tonumber(files.read(self.port_file) or ""); end, nil, 0.01);
	if not self.port then error("The relay is not up. Its output:\n" .. (files.read(self.output_file) or ""), 0); end
end

-- to_address, to_port: what is reached by it. It has an address and a port itself, and keeps them.
function relay.start(to_address, to_port)
	local folder = process.make_folder();
	local self = setmetatable({ address = address, port_file = folder .. "/port", output_file = folder .. "/output" }, relay_mt);
	self.process = process.new(folder, command_line.lua {
		prosody.root .. "/harness/relay_process.lua", address, to_address, tostring(to_port), self.port_file;
	});
	launch(self);
	return self;
end

-- Ends all connections; there are no new ones until mend().
function relay_methods:cut()
	self.process:signal("KILL");
	assert(self.process:wait(), "the relay does not end");
end

function relay_methods:mend()
	launch(self);
end

function relay_methods:close()
	self.process:close();
end

return relay;
