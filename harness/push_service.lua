-- A push service for browsers (RFC 8030) in the test process: https on loopback, with a certificate of the harness' authority.

local lfs = require "lfs";
local socket = require "socket";
local ssl = require "ssl";

local certificates = require "harness.certificates";
local loop = require "harness.loop";

local reasons = { [200] = "OK", [201] = "Created", [302] = "Found", [410] = "Gone", [429] = "Too Many Requests" };

local push_service = {};

local service_methods = {};
local service_mt = { __index = service_methods };

-- Answers a request: a status, "silence", { status =, headers = }, or a function of the request that gives one of these.
local function respond(conn, request, answer)
	if type(answer) == "function" then answer = answer(request); end
	if answer == "silence" then return false; end
	if type(answer) == "number" then answer = { status = answer }; end
	local lines = { string.format("HTTP/1.1 %d %s", answer.status, reasons[answer.status] or "Status"), "Content-Length: 0", "Connection: close" };
	for name, value in pairs(answer.headers or {}) do
		table.insert(lines, name .. ": " .. value);
	end
	conn:send(table.concat(lines, "\r\n") .. "\r\n\r\n");
	return true;
end

local function read_request(conn)
	local method, path = (conn:receive("*l") or ""):match("^(%S+) (%S+) HTTP/1.1$");
	if not method then return nil; end
	local headers = {};
	for line in function () return conn:receive("*l"); end do
		if line == "" then break; end
		local name, value = line:match("^([^:]+): *(.*)$");
		headers[name:lower()] = value;
	end
	return { method = method, path = path, headers = headers, body = conn:receive(tonumber(headers["content-length"] or 0)) };
end

local function accept(self)
	local plain = self.listener:accept();
	if not plain then return; end
	self.connections = self.connections + 1;
	plain:settimeout(loop.patience);
	local conn = ssl.wrap(plain, self.tls);
	if not conn then plain:close(); return; end
	conn:settimeout(loop.patience);
	local request = conn:dohandshake() and read_request(conn);
	if not request then conn:close(); return; end
	table.insert(self.requests, request);
	if respond(conn, request, self.answer) then
		conn:close();
	else
		table.insert(self.silent, conn); -- a connection that is dropped would be an answer too
	end
end

-- Set `answer` to what requests are answered with, see respond(). folder: an empty one, for its certificate, which goes with it;
-- names: those that the certificate is for
function push_service.start(folder, names)
	local listener = assert(socket.bind("127.0.0.1", 0, 256));
	listener:settimeout(0);
	local _, port = listener:getsockname();
	local issued = certificates.issue(folder, names or { "127.0.0.1" });
	local self = setmetatable({
		answer = 201;
		cafile = issued.cafile;
		connections = 0;
		folder = folder;
		host = "127.0.0.1:" .. port;
		listener = listener;
		origin = "https://127.0.0.1:" .. port;
		port = tonumber(port);
		requests = {}; -- those nobody has asked for yet
		silent = {};
		tls = { mode = "server", protocol = "any", options = "all", certificate = issued.certificate, key = issued.key };
	}, service_mt);
	loop.add(listener, function () accept(self); end);
	return self;
end

-- The next request, already answered; nil when none comes.
function service_methods:next_request(timeout)
	loop.wait_until(function () return self.requests[1]; end, timeout);
	return table.remove(self.requests, 1);
end

function service_methods:expect_request(timeout)
	return self:next_request(timeout) or error("there came no request to the push service", 2);
end

-- Ends the connections of requests that were not answered, and forgets those that nobody has asked for.
function service_methods:clear()
	for _, conn in ipairs(self.silent) do conn:close(); end
	self.requests, self.silent = {}, {};
	self.answer = 201;
end

function service_methods:close()
	self:clear();
	loop.remove(self.listener);
	self.listener:close();
	for _, name in ipairs { "authority.pem", "server.pem", "server.key" } do os.remove(self.folder .. "/" .. name); end
	lfs.rmdir(self.folder);
end

return push_service;
