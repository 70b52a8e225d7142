-- A client in a process of its own, which can be killed: enters a room and stays until its connection is lost.
--
-- Arguments: the address and port of the server, a full JID, its password, the room, a nickname

local client = require "harness.client";
local loop = require "harness.loop";

local host, port, full_jid, password, room, nick = ...;

local self = client.connect { host = host, port = tonumber(port), jid = full_jid, password = password };
self:join(room, nick);
print("in the room");
io.stdout:flush();
repeat
	loop.turn(1);
until self.closed;
