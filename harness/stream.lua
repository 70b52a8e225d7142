-- What all XMPP connections of the test process have in common: a stream, a queue of what came in, and requests with
-- their replies. They block with a time-out, and all the other connections are served while they wait.

local socket = require "socket";
local st = require "util.stanza";
local new_xmpp_stream = require "util.xmppstream".new;

local loop = require "harness.loop";

local xmlns_stream = "http://etherx.jabber.org/streams";
local max_stanza_size = 1024*1024*16;

local stream = {};

local stream_methods = {};
stream.methods = stream_methods;

local next_id = 0;

-- An id that no other stanza of this process has.
function stream.new_id()
	next_id = next_id + 1;
	return string.format("harness-%d", next_id);
end

-- What can be asked for: a function of the stanza; a text its XML must contain; or a table of attributes, where
-- `name` is that of the element, `body` the text of that child, and `child = { name, xmlns }` one it must have.
function stream.matcher(wanted)
	if wanted == nil then
		return function () return true; end;
	elseif type(wanted) == "function" then
		return wanted;
	elseif type(wanted) == "string" then
		return function (stanza)
			return tostring(stanza):find(wanted, 1, true) ~= nil;
		end;
	end
	return function (stanza)
		for key, value in pairs(wanted) do
			if key == "name" then
				if stanza.name ~= value then return false; end
			elseif key == "body" then
				if stanza:get_child_text("body") ~= value then return false; end
			elseif key == "child" then
				if not stanza:get_child(value[1], value[2]) then return false; end
			elseif stanza.attr[key] ~= value then
				return false;
			end
		end
		return true;
	end;
end

local function describe_wanted(wanted)
	if type(wanted) ~= "table" then return tostring(wanted); end
	local parts = {};
	for key, value in pairs(wanted) do
		if type(value) == "table" then value = table.concat(value, " "); end
		table.insert(parts, string.format("%s=%s", key, tostring(value)));
	end
	table.sort(parts);
	return "{ " .. table.concat(parts, ", ") .. " }";
end

local stream_callbacks = {};

function stream_callbacks.streamopened(self, attr)
	self.notopen = nil;
	if self.opened then
		self:opened(attr);
	end
end

function stream_callbacks.streamclosed(self)
	self:disconnected("stream closed by the server");
end

function stream_callbacks.error(self, condition, detail)
	self:disconnected(string.format("%s: %s", condition, tostring(detail)));
end

function stream_callbacks.handlestanza(self, stanza)
	if self:intercept(stanza) then return; end
	local attr = stanza.attr;
	if stanza.name == "iq" and (attr.type == "result" or attr.type == "error") then
		local key = string.format("%s\n%s", attr.to, attr.id);
		if self.replies[key] == false then
			self.replies[key] = stanza;
			return;
		end
	end
	self.received_count = self.received_count + 1;
	for _, handler in ipairs(self.handlers) do
		if handler(stanza) then return; end
	end
	table.insert(self.queue, stanza);
end

local function on_readable(self)
	local data, err, partial = self.conn:receive(65536);
	data = data or partial;
	if data and #data > 0 then
		local ok, parse_err = self.stream:feed(data);
		if not ok and not self.closed then
			self:disconnected("cannot parse: " .. tostring(parse_err));
		end
	end
	if err == "closed" then
		self:disconnected("connection closed by the server");
	end
end

-- A connection that is not made yet, see connect(). fields: xmlns, the namespace of its stanzas; kind, as errors call
-- it; jid, port; host (127.0.0.1), timeout, server (see harness.prosody)
-- Its methods need to have intercept(stanza), which returns true for what is not for the queue, and may have
-- opened(attr), for when the other side has opened its stream.
function stream.new(fields, mt)
	fields.handlers = {}; -- functions of a stanza, true when it needs nobody else
	fields.queue = {}; -- what came in and nobody has asked for yet
	fields.received_count = 0;
	fields.replies = {}; -- to and id of a request -> false, then the reply
	return setmetatable(fields, mt);
end

-- Makes the connection, or makes it anew, and opens a stream to a host.
function stream_methods:connect(to)
	local conn = assert(socket.tcp());
	conn:settimeout(self.timeout or loop.patience);
	local ok, err = conn:connect(self.host or "127.0.0.1", self.port);
	if not ok then
		conn:close();
		error(string.format("%s %s cannot connect to port %s: %s", self.kind, self.jid, self.port, err), 2);
	end
	conn:setoption("tcp-nodelay", true);
	conn:settimeout(0);
	self.conn, self.closed = conn, nil;
	local callbacks = setmetatable({ default_ns = self.xmlns }, { __index = stream_callbacks });
	self.stream = new_xmpp_stream(self, callbacks, max_stanza_size);
	loop.add(conn, function ()
		on_readable(self);
	end);
	self:begin_stream(to);
end

-- Opens a stream, the first one or the next.
function stream_methods:begin_stream(to)
	self.stream:reset();
	self.notopen = true;
	self:send(string.format("<?xml version='1.0'?><stream:stream xmlns:stream='%s' xmlns='%s' to='%s'%s>",
		xmlns_stream, self.xmlns, st.xml_escape(to), self.version and " version='" .. self.version .. "'" or ""));
end

function stream_methods:disconnected(reason)
	if self.closed then return; end
	self.closed = reason;
	loop.remove(self.conn);
	self.conn:close();
end

function stream_methods:close()
	if self.closed then return; end
	self.conn:settimeout(1);
	self.conn:send("</stream:stream>");
	self.conn:shutdown("both");
	self:disconnected("closed by this side");
end

-- Sends a stanza, or XML as it is.
function stream_methods:send(stanza)
	if self.closed then
		error(string.format("%s %s cannot send: %s", self.kind, self.jid, self.closed), 2);
	end
	self.conn:settimeout(loop.patience);
	local ok, err = self.conn:send(tostring(stanza));
	if not self.closed then
		self.conn:settimeout(0);
	end
	if not ok then
		error(string.format("%s %s cannot send: %s", self.kind, self.jid, err), 2);
	end
end

local function take(self, matches)
	for i, stanza in ipairs(self.queue) do
		if matches(stanza) then
			return table.remove(self.queue, i);
		end
	end
end

-- The next stanza that is wanted, in the order of arrival; others stay in the queue. Nil when none comes.
function stream_methods:receive(timeout, wanted)
	local matches = stream.matcher(wanted);
	local found;
	loop.wait_until(function ()
		found = take(self, matches);
		return found or self.closed;
	end, timeout or loop.patience);
	return found;
end

function stream_methods:dump()
	local lines = {};
	for _, stanza in ipairs(self.queue) do
		table.insert(lines, "  " .. tostring(stanza));
	end
	if #lines == 0 then
		table.insert(lines, "  nothing");
	end
	if self.closed then
		table.insert(lines, "  (" .. self.closed .. ")");
	end
	return table.concat(lines, "\n");
end

function stream_methods:describe_missing(receiver, wanted, timeout)
	return string.format("%s did not receive %s within %g s. What waits at %s:\n%s",
		receiver, describe_wanted(wanted), timeout or loop.patience, self.jid, self:dump());
end

-- As receive(), but raises an error that shows what did arrive.
function stream_methods:expect(wanted, timeout)
	local stanza = self:receive(timeout, wanted);
	if not stanza then
		error(self:describe_missing(self.jid, wanted, timeout), 2);
	end
	return stanza;
end

-- Raises an error if a wanted stanza is there or comes. Without a time this is exact, see sync().
function stream_methods:expect_nothing(wanted, seconds)
	local stanza;
	if seconds then
		stanza = self:receive(seconds, wanted);
	else
		self:sync();
		stanza = take(self, stream.matcher(wanted));
	end
	if stanza then
		error(string.format("%s received what it should not have:\n  %s", self.jid, tostring(stanza)), 2);
	end
end

-- Sends a request and returns the reply to it, result or error.
function stream_methods:iq(stanza, timeout)
	local attr = stanza.attr;
	attr.from = attr.from or self.jid;
	attr.id = attr.id or stream.new_id();
	local key = string.format("%s\n%s", attr.from, attr.id);
	self.replies[key] = false;
	self:send(stanza);
	loop.wait_until(function ()
		return self.replies[key] or self.closed;
	end, timeout or loop.patience);
	local reply = self.replies[key];
	self.replies[key] = nil;
	if not reply then
		error(string.format("%s got no reply to:\n  %s\nWhat waits for it:\n%s", self.jid, tostring(stanza), self:dump()), 2);
	end
	return reply;
end

-- Returns when a host has answered: it has processed the last thing that was sent to it here, and what it had sent
-- here before has arrived.
function stream_methods:ping(host)
	self:iq(st.stanza("iq", { type = "get", to = host }):tag("ping", { xmlns = "urn:xmpp:ping" }):reset());
end

local function ping_all(connections, host)
	for _, connection in ipairs(connections) do
		connection:ping(host);
	end
end

-- Returns when the server has nothing left to do for what was sent so far on any connection: it has read it, has
-- run what it had put off to later turns of its event loop, what waited for a journal is stored, and our app servers have answered
-- what came of it.
-- Other servers are on their own: see ping().
function stream_methods:sync()
	local server = self.server;
	local connections = server and server:connections() or { self };
	local host = server and server.muc_host or self.jid:match("%.(.*)$");
	local function count_received()
		local count = 0;
		for _, connection in ipairs(connections) do
			count = count + connection.received_count;
		end
		return count;
	end
	local deadline = loop.now() + loop.patience;
	ping_all(connections, host);
	repeat
		local before = count_received();
		if server then server:settle(); end
		ping_all(connections, host);
		if loop.now() > deadline then
			error("the server does not settle", 2);
		end
	until count_received() == before;
end

-- Forgets what waits in the queue.
function stream_methods:clear()
	self.queue = {};
end

-- Shows what waits in the queue to a function; true means that nobody else needs it.
function stream_methods:show_queue(handler)
	local waiting = self.queue;
	self.queue = {};
	for _, stanza in ipairs(waiting) do
		if not handler(stanza) then table.insert(self.queue, stanza); end
	end
end

-- Shows each further stanza to a function, before those added earlier; true means that nobody else needs it.
function stream_methods:add_handler(handler)
	table.insert(self.handlers, 1, handler);
end

return stream;
