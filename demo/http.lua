-- HTTP for this process: requests wait until they are asked for, as pushes do at the app server; a request may be
-- answered with events as they happen (server-sent events). On loopback, and for the pages of one origin only.

local new_parser = require "net.http.parser".new;
local json = require "util.json";
local socket = require "socket";

local loop = require "harness.loop";

local send_timeout = 2; -- seconds
local reasons = { [200] = "OK", [403] = "Forbidden", [404] = "Not Found", [500] = "Internal Server Error" };

local http = {};

local http_methods = {};
local http_mt = { __index = http_methods };

local function close(self, conn)
	self.streams[conn] = nil;
	loop.remove(conn);
	conn:close();
end

local function send(self, conn, text)
	conn:settimeout(send_timeout);
	local ok = conn:send(text);
	conn:settimeout(0);
	if not ok then
		close(self, conn);
	end
end

local function head(self, status, content_type)
	return table.concat({
		string.format("HTTP/1.1 %d %s", status, reasons[status]),
		"Content-Type: " .. content_type,
		"Cache-Control: no-store",
		"Connection: close",
		"Access-Control-Allow-Origin: " .. (self.origin or "null"),
	}, "\r\n") .. "\r\n\r\n";
end

local function accept(self)
	local conn = self.listener:accept();
	if not conn then return; end
	conn:settimeout(0);
	conn:setoption("tcp-nodelay", true);
	local parser = new_parser(function (request)
		request.conn = conn;
		local origin = request.headers.origin;
		if origin and origin ~= self.origin then
			self:answer(request, 403);
		else
			table.insert(self.requests, request);
		end
	end, function ()
		close(self, conn);
	end, "server");
	loop.add(conn, function ()
		local data, err, partial = conn:receive(65536);
		data = data or partial;
		if data and #data > 0 then
			parser:feed(data);
		end
		if err == "closed" then
			close(self, conn);
		end
	end);
end

-- Listens on a port that the system chooses. Set `origin` to that of the pages which may ask.
function http.listen()
	local listener = assert(socket.bind("127.0.0.1", 0));
	listener:settimeout(0);
	local _, port = listener:getsockname();
	local self = setmetatable({
		address = "http://127.0.0.1:" .. port;
		listener = listener;
		requests = {}; -- those nobody has asked for yet
		streams = {}; -- connection -> true, of those that want events
	}, http_mt);
	loop.add(listener, function ()
		accept(self);
	end);
	return self;
end

-- The next request, with method, path and body; nil when there is none.
function http_methods:take()
	return table.remove(self.requests, 1);
end

-- Answers a request, with a value that becomes JSON.
function http_methods:answer(request, status, value)
	send(self, request.conn, head(self, status, "application/json") .. json.encode(value == nil and json.null or value));
	close(self, request.conn);
end

-- Answers a request with all events from now on. Returns a function that sends an event to it alone.
function http_methods:stream(request)
	self.streams[request.conn] = true;
	send(self, request.conn, head(self, 200, "text/event-stream"));
	return function (event, value)
		send(self, request.conn, http.event_text(event, value));
	end;
end

function http.event_text(event, value)
	return string.format("event: %s\ndata: %s\n\n", event, json.encode(value));
end

-- Sends an event to all streams.
function http_methods:broadcast(event, value)
	local text = http.event_text(event, value);
	for conn in pairs(self.streams) do
		send(self, conn, text);
	end
end

return http;
