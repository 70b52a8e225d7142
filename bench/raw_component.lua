-- An external component (XEP-0114) that costs as little as possible: stanzas are cut out of the stream as text,
-- and nothing is parsed. It relies on how Prosody writes XML: no '>' in attributes, which are in single quotes.

local sha1 = require "util.hashes".sha1;
local socket = require "socket";

local loop = require "harness.loop";

local find, sub = string.find, string.sub;

local secret = require "harness.configuration".component_secret;
local poll_interval = 0.002;
local default_timeout = 30;

local raw_component = {};

local component_methods = {};
local component_mt = { __index = component_methods };

local connections = {};

-- Serves all connections until check() gives something true, and returns that; nil when the time is over.
function raw_component.wait(check, timeout)
	return loop.wait_until(function ()
		for connection in pairs(connections) do
			if connection.on_turn then connection:on_turn(); end
			connection:flush();
		end
		return check();
	end, timeout or default_timeout, poll_interval);
end

-- Serves all connections for some time.
function raw_component.pause(seconds)
	raw_component.wait(function () return false; end, seconds);
end

local function cut(self)
	local buffer, at = self.buffer, 1;
	while true do
		local _, name_end, name = find(buffer, "^%s*<(%a+)", at);
		if not name then
			assert(not find(buffer, "^%s*</", at), "the server has closed the stream");
			break;
		end
		local head_end = find(buffer, ">", name_end, true);
		if not head_end then break; end
		local finish = head_end;
		if sub(buffer, head_end - 1, head_end - 1) ~= "/" then
			local _;
			_, finish = find(buffer, "</" .. name .. ">", head_end, true);
			if not finish then break; end
		end
		self:on_stanza(name, sub(buffer, at, finish));
		at = finish + 1;
	end
	self.buffer = sub(buffer, at);
	if self.on_batch then self:on_batch(); end
end

local function on_readable(self)
	local data, err, partial = self.conn:receive(65536);
	data = data or partial;
	if data and #data > 0 then
		self.buffer = self.buffer .. data;
		if self.ready then
			cut(self);
		end
	end
	if err == "closed" then
		self:close();
		self.lost = true;
	end
end

-- What can be sent without waiting.
function component_methods:flush()
	if self.out == "" or self.closed then return; end
	local last, err, partial = self.conn:send(self.out);
	if not last and err ~= "timeout" then error("cannot send: " .. err, 0); end
	self.out = sub(self.out, (last or partial) + 1);
end

function component_methods:send(text)
	self.out = self.out .. text;
	self:flush();
end

function component_methods:close()
	if self.closed then return; end
	self.closed = true;
	connections[self] = nil;
	loop.remove(self.conn);
	self.conn:close();
end

function raw_component.close_all()
	for connection in pairs(connections) do
		connection:close();
	end
end

-- Makes a connection as soon as a server takes one; is_over() says that there never will be one. methods:
-- on_stanza(self, name, text), on_batch(self), on_turn(self). The time at which the server has answered is in
-- `accepted`.
function raw_component.connect(methods, jid, port, timeout, is_over)
	local deadline = loop.now() + (timeout or default_timeout);
	local conn;
	repeat
		conn = socket.tcp();
		conn:settimeout(1);
		local ok, err = conn:connect("127.0.0.1", port);
		if not ok then
			conn:close();
			if is_over and is_over() then error("the server has ended", 0); end
			if loop.now() > deadline then error("cannot connect: " .. err, 0); end
			socket.sleep(poll_interval);
		end
	until ok;
	conn:setoption("tcp-nodelay", true);
	conn:settimeout(0);
	local self = setmetatable({ buffer = "", conn = conn, jid = jid, out = "" }, { __index = setmetatable(methods, component_mt) });
	connections[self] = true;
	loop.add(conn, function () on_readable(self); end);
	self:send(string.format("<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'"
		.. " xmlns='jabber:component:accept' to='%s'>", jid));
	local id = raw_component.wait(function ()
		return self.lost or self.buffer:match("<stream:stream[^>]* id=['\"]([^'\"]*)['\"][^>]*>");
	end, deadline - loop.now());
	self.accepted = loop.now();
	assert(id and id ~= true, jid .. " was not let in");
	self.buffer = "";
	self:send("<handshake>" .. sha1(id .. secret, true) .. "</handshake>");
	assert(raw_component.wait(function ()
		return self.buffer:find("<handshake", 1, true);
	end), jid .. " was not let in");
	self.buffer = "";
	self.ready = true;
	return self;
end

return raw_component;
