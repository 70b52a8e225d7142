-- A client of an account, with stream management (XEP-0198), in the test process. It is a phone that can lose its
-- connection, or die unnoticed.

local base64 = require "util.encodings".base64.encode;
local jid = require "util.jid";
local st = require "util.stanza";

local loop = require "harness.loop";
local participant = require "harness.participant";
local stream = require "harness.stream";
local tables = require "harness.tables";

local xmlns_bind = "urn:ietf:params:xml:ns:xmpp-bind";
local xmlns_sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
local xmlns_sm = "urn:xmpp:sm:3";
local xmlns_stream = "http://etherx.jabber.org/streams";

local client = {};

local client_methods = setmetatable({}, {
	__index = function (_, name)
		return participant[name] or stream.methods[name];
	end;
});
local client_mt = { __index = client_methods };

local function acknowledge(self)
	self:send(st.stanza("a", { xmlns = xmlns_sm, h = string.format("%d", self.handled) }));
end

-- Counts the stanzas since stream management is on, and answers the server's requests.
function client_methods:intercept(stanza)
	if stanza.attr.xmlns == nil then
		if self.handled then
			self.handled = self.handled + 1;
		end
		return false;
	elseif stanza.attr.xmlns ~= xmlns_sm then
		return false;
	elseif stanza.name == "r" then
		if self.acknowledges then
			acknowledge(self);
		end
		return true;
	elseif stanza.name == "a" then -- nothing is kept here to be sent again
		return true;
	elseif stanza.name == "enabled" then
		self.handled = 0;
		self.previd = stanza.attr.id;
	end
	return false;
end

local function fail(self, what, reason)
	self:disconnected("closed by this side");
	error(string.format("client %s cannot %s: %s", self.jid, what, reason), 0);
end

-- Waits for what the negotiation of a stream goes on with: one of some elements of a namespace.
local function next_step(self, what, xmlns, names)
	local step = self:receive(nil, function (stanza)
		return stanza.attr.xmlns == xmlns and names[stanza.name];
	end);
	if not step then
		fail(self, what, string.format("there came no %s of %s. What waits:\n%s",
			table.concat(tables.sorted_keys(names), " or "), xmlns, self:dump()));
	elseif step.name == "failure" or step.name == "failed" then
		fail(self, what, tostring(step));
	end
	return step;
end

-- Connects, and logs in with the account's password.
local function authenticate(self)
	local username, host = jid.split(self.jid);
	self:connect(host);
	next_step(self, "log in", xmlns_stream, { features = true });
	self:send(st.stanza("auth", { xmlns = xmlns_sasl, mechanism = "PLAIN" })
		:text(base64("\0" .. username .. "\0" .. self.password)));
	next_step(self, "log in", xmlns_sasl, { success = true, failure = true });
	self:begin_stream(host);
	next_step(self, "log in", xmlns_stream, { features = true });
end

local function bind(self)
	local id = stream.new_id();
	self:send(st.stanza("iq", { type = "set", id = id })
		:tag("bind", { xmlns = xmlns_bind }):text_tag("resource", jid.resource(self.jid)):reset());
	local answer = self:receive(nil, { name = "iq", id = id });
	local bound = answer and answer:get_child("bind", xmlns_bind);
	if not bound or bound:get_child_text("jid") ~= self.jid then
		fail(self, "bind its resource", answer and tostring(answer) or "no answer");
	end
end

local function enable_stream_management(self)
	self:send(st.stanza("enable", { xmlns = xmlns_sm, resume = "true" }));
	next_step(self, "enable stream management", xmlns_sm, { enabled = true, failed = true });
end

-- Logs in and becomes available. options: jid (a full one), password, port; acknowledges, false: without an answer
-- to the server's requests to acknowledge what came; stream_management, false: without it; host (127.0.0.1),
-- timeout, server (see harness.prosody)
function client.connect(options)
	local self = stream.new({
		acknowledges = options.acknowledges ~= false;
		bare_jid = jid.bare(options.jid);
		host = options.host;
		jid = options.jid;
		kind = "client";
		nicks = {};
		password = options.password;
		port = options.port;
		server = options.server;
		timeout = options.timeout;
		version = "1.0";
		xmlns = "jabber:client";
	}, client_mt);
	authenticate(self);
	bind(self);
	if options.stream_management ~= false then
		enable_stream_management(self);
	end
	self:send(st.presence());
	return self;
end

-- Loses the connection, which the server notices at once: the session hibernates if it can be resumed.
function client_methods:cut()
	self:disconnected("cut by this side");
end

-- Reads nothing more, and so answers nothing, and still holds the connection: the server notices nothing.
function client_methods:go_silent()
	self.silent = true;
	loop.remove(self.conn);
end

local function take_up(self)
	authenticate(self);
	self:send(st.stanza("resume", { xmlns = xmlns_sm, previd = self.previd, h = string.format("%d", self.handled) }));
	return next_step(self, "resume", xmlns_sm, { resumed = true, failed = true });
end

-- Takes the session up on a new connection, and says what it has got so far. Where the old connection still
-- stands it does so until the server puts the new one in its place. Returns the server's answer.
function client_methods:resume()
	local abandoned = not self.closed and self.conn;
	if abandoned then
		loop.remove(abandoned);
	end
	local ok, answer = pcall(take_up, self);
	if abandoned then
		abandoned:close();
	end
	if not ok then
		error(answer, 0);
	end
	self.silent = nil;
	return answer;
end

-- The server can be asked, and will be heard.
function client_methods:is_alive()
	return not self.closed and not self.silent;
end

return client;
