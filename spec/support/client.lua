-- A client of an account, with stream management (XEP-0198), in the test process. It is a phone that can lose its
-- connection, or die without one noticing.

local base64 = require "util.encodings".base64.encode;
local jid = require "util.jid";
local st = require "util.stanza";

local loop = require "spec.support.loop";
local participant = require "spec.support.participant";
local stream = require "spec.support.stream";

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

-- Waits for something that the negotiation of a stream goes on with: one of some elements of a namespace.
local function next_step(self, xmlns, names)
	local step = self:receive(nil, function (stanza)
		return stanza.attr.xmlns == xmlns and names[stanza.name];
	end);
	if not step then
		local wanted = {};
		for name in pairs(names) do
			table.insert(wanted, name);
		end
		table.sort(wanted);
		error(string.format("client %s did not get on: no %s of %s came. What waits:\n%s",
			self.jid, table.concat(wanted, " or "), xmlns, self:dump()), 0);
	end
	return step;
end

local function failed(self, what, answer)
	self:disconnected("closed by the spec");
	error(string.format("client %s cannot %s: %s", self.jid, what, tostring(answer)), 0);
end

-- Connects, and logs in with the account's password.
local function authenticate(self)
	local username, host = jid.split(self.jid);
	self:connect(host);
	next_step(self, xmlns_stream, { features = true });
	self:send(st.stanza("auth", { xmlns = xmlns_sasl, mechanism = "PLAIN" })
		:text(base64("\0" .. username .. "\0" .. self.password)));
	local answer = next_step(self, xmlns_sasl, { success = true, failure = true });
	if answer.name == "failure" then
		failed(self, "log in", answer);
	end
	self:begin_stream(host);
	next_step(self, xmlns_stream, { features = true });
end

local function bind(self)
	local id = stream.new_id();
	self:send(st.stanza("iq", { type = "set", id = id })
		:tag("bind", { xmlns = xmlns_bind }):text_tag("resource", jid.resource(self.jid)):reset());
	local answer = self:expect { name = "iq", id = id };
	local bound = answer:get_child("bind", xmlns_bind);
	if not bound or bound:get_child_text("jid") ~= self.jid then
		failed(self, "bind its resource", answer);
	end
end

local function enable_stream_management(self)
	self:send(st.stanza("enable", { xmlns = xmlns_sm, resume = "true" }));
	local answer = next_step(self, xmlns_sm, { enabled = true, failed = true });
	if answer.name == "failed" then
		failed(self, "enable stream management", answer);
	end
end

-- Logs in and becomes available. options: jid (a full one), password, port; acknowledges, false: without an answer
-- to the server's requests to acknowledge what came; stream_management, false: without it; host (127.0.0.1),
-- timeout, server (see spec.support.prosody)
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
	self:disconnected("cut by the spec");
end

-- Reads nothing more, and so answers nothing, and still holds the connection: the server notices nothing.
function client_methods:go_silent()
	self.silent = true;
	loop.remove(self.conn);
end

-- Takes the session up on a new connection, and tells what it has got so far. Where the old connection still
-- stands it does so until the server puts the new one in its place. Returns the server's answer.
function client_methods:resume()
	local abandoned = not self.closed and self.conn;
	if abandoned then
		loop.remove(abandoned);
	end
	authenticate(self);
	self:send(st.stanza("resume", { xmlns = xmlns_sm, previd = self.previd, h = string.format("%d", self.handled) }));
	local answer = next_step(self, xmlns_sm, { resumed = true, failed = true });
	if abandoned then
		abandoned:close();
	end
	if answer.name == "failed" then
		failed(self, "resume", answer);
	end
	self.silent = nil;
	return answer;
end

-- The server can be asked, and will be heard.
function client_methods:is_alive()
	return not self.closed and not self.silent;
end

return client;
