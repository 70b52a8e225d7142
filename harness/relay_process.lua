-- A relay in a process of its own, see harness.relay: what comes in at one end goes out at the other.
--
-- Arguments: the address to listen at; the address and port that is reached by it; the file that the port is written to. The port is the one
-- that was written to a file of this name before, with ".before", or else one that is free.

local socket = require "socket";

local address, to_address, to_port, port_file = ...;

local function write(path, text)
	local file = assert(io.open(path .. ".new", "w"));
	file:write(text);
	file:close();
	assert(os.rename(path .. ".new", path));
end

local before = io.open(port_file .. ".before");
local listening = assert(socket.bind(address, before and before:read("*n") or 0));
local _, port = listening:getsockname();
write(port_file .. ".before", port);
write(port_file, port);

local readers, other_end = { listening }, {};

local function forget(conn)
	for i, reader in ipairs(readers) do
		if reader == conn then table.remove(readers, i); break; end
	end
	other_end[conn] = nil;
	conn:close();
end

local function accept()
	local here = listening:accept();
	local there = here and socket.connect(to_address, tonumber(to_port));
	if not there then
		if here then here:close(); end
		return;
	end
	for conn, other in pairs { [here] = there, [there] = here } do
		conn:settimeout(0);
		conn:setoption("tcp-nodelay", true);
		other_end[conn] = other;
		table.insert(readers, conn);
	end
end

local function hand_on(conn)
	local other = other_end[conn];
	if not other then return; end -- it was closed just now
	local data, err, partial = conn:receive(65536);
	data = data or partial;
	other:settimeout(nil);
	local is_open = data == "" or other:send(data);
	other:settimeout(0);
	if not is_open or err == "closed" then
		forget(conn);
		forget(other);
	end
end

while true do
	for _, conn in ipairs((socket.select(readers, nil))) do
		if conn == listening then accept(); else hand_on(conn); end
	end
end
