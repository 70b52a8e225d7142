-- An external component (XEP-0114) in the test process.

local sha1 = require "util.hashes".sha1;
local st = require "util.stanza";

local loop = require "harness.loop";
local stream = require "harness.stream";

local component = {};

local component_methods = setmetatable({}, { __index = stream.methods });
local component_mt = { __index = component_methods };

function component_methods:opened(attr)
	self:send(st.stanza("handshake"):text(sha1(attr.id .. self.secret, true)));
end

function component_methods:intercept(stanza)
	if stanza.name == "handshake" then
		self.ready = true;
		return true;
	end
end

-- options: jid, secret, port; host (127.0.0.1), timeout, server (see harness.prosody)
function component.connect(options)
	local self = stream.new({
		host = options.host;
		jid = options.jid;
		kind = "component";
		port = options.port;
		secret = options.secret;
		server = options.server;
		timeout = options.timeout;
		xmlns = "jabber:component:accept";
	}, component_mt);
	self:connect(self.jid);
	loop.wait_until(function ()
		return self.ready or self.closed;
	end, options.timeout);
	if not self.ready then
		local reason = self.closed or "no answer to the handshake";
		self:close();
		error(string.format("component %s: %s", options.jid, reason), 2);
	end
	return self;
end

return component;
