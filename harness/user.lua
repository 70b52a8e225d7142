-- A scripted user, whose server is a component of the test process.

local jid_bare = require "util.jid".bare;
local st = require "util.stanza";

local participant = require "harness.participant";
local stream = require "harness.stream";

local user = {};

local user_methods = setmetatable({}, { __index = participant });
local user_mt = { __index = user_methods };

function user.new(connection, full_jid)
	return setmetatable({
		bare_jid = jid_bare(full_jid);
		component = connection;
		jid = full_jid;
		nicks = {};
		server = connection.server;
	}, user_mt);
end

-- What is wanted, of the stanzas for this very session.
local function mine(self, wanted)
	local matches = stream.matcher(wanted);
	return function (stanza)
		return stanza.attr.to == self.jid and matches(stanza);
	end;
end

-- Sends a stanza or XML as it is; a stanza without a sender gets this user's JID.
function user_methods:send(stanza)
	if st.is_stanza(stanza) then
		stanza.attr.from = stanza.attr.from or self.jid;
	end
	self.component:send(stanza);
end

-- Sends a request, which gets this user's JID and an id if it has none, and returns the reply.
function user_methods:iq(stanza, timeout)
	stanza.attr.from = stanza.attr.from or self.jid;
	return self.component:iq(stanza, timeout);
end

function user_methods:receive(timeout, wanted)
	return self.component:receive(timeout, mine(self, wanted));
end

function user_methods:expect(wanted, timeout)
	local stanza = self:receive(timeout, wanted);
	if not stanza then
		error(self.component:describe_missing(self.jid, wanted, timeout), 2);
	end
	return stanza;
end

function user_methods:expect_nothing(wanted, seconds)
	self.component:expect_nothing(mine(self, wanted), seconds);
end

-- Forgets what waits for this user.
function user_methods:clear()
	repeat until not self.component:receive(0, mine(self));
end

function user_methods:dump()
	return self.component:dump();
end

return user;
