-- What the specs of mod_muc_undelivered have in common: what is said in rooms, how it bounces, and the events for it.

local st = require "util.stanza";

local prosody = require "harness.prosody";

local logs = require "spec.support.logs";

local xmlns_stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";

local undelivered = {
	plugin_paths = { prosody.root .. "/spec/support/modules" }; -- of mod_spec_undelivered
};

local methods = {};
local mt = { __index = methods };

local room_count = 0;

function undelivered.new(server)
	return setmetatable({ server = server, log_length = 0 }, mt);
end

-- A user of users.localhost, by "name/resource".
function methods:user(name)
	return self.server:user((name:gsub("/", "@users.localhost/")));
end

-- The JID of a room that does not exist yet.
function methods:new_room(host)
	room_count = room_count + 1;
	return string.format("room-%d@%s", room_count, host or self.server.muc_host);
end

-- Says something and waits until it has been broadcast. Returns the id.
function undelivered.say(user, room, body, id, extra)
	id = user:say(room, body, extra, { id = id });
	user:expect { name = "message", body = body };
	return id;
end

function undelivered.rename(user, room, nick)
	user:send(st.presence { to = room .. "/" .. nick });
	user:expect { name = "presence", from = room .. "/" .. nick };
	user.nicks[room] = nick;
end

-- Sends a message back, as the server of its recipient does. options: condition; error, the XML instead of one;
-- echo, XML of the message.
function undelivered.bounce(user, to, id, options)
	options = options or {};
	local error_xml = options.error or ("<error type='cancel'><%s xmlns='%s'/></error>")
		:format(options.condition or "recipient-unavailable", xmlns_stanzas);
	user:send(("<message type='error' from='%s' to='%s'%s>%s%s</message>"):format(user.jid, to,
		id and (" id='%s'"):format(st.xml_escape(id)) or "", options.echo or "", error_xml));
	user.component:sync();
end

function undelivered.bounce_presence(user, to, name)
	user:send(("<%s type='error' id='x' from='%s' to='%s'><error type='cancel'><gone xmlns='%s'/></error></%s>")
		:format(name or "presence", user.jid, to, xmlns_stanzas, name or "presence"));
	user.component:sync();
end

function methods:is_present(room, user)
	return self.server:admin("return room((...)):get_occupant_jid(select(2, ...)) ~= nil", room, user.jid);
end

-- The events since the last call, in their order.
function methods:seen(host)
	return self.server:admin([[
		local listener = prosody.hosts[...].modules.spec_undelivered.module;
		local seen = listener.seen;
		listener.seen = {};
		return seen;
	]], host or self.server.muc_host);
end

function methods:pluck(field, host)
	local values = {};
	for i, event in ipairs(self:seen(host)) do
		values[i] = event[field] or "-";
	end
	return values;
end

-- The texts of the messages, "-" where the message is not known.
function methods:bodies(host)
	return self:pluck("body", host);
end

-- What a listener does, as the text of a function's body.
function methods:behave(body)
	self.server:admin([[
		local body = ...;
		prosody.hosts[module.host].modules.spec_undelivered.module.behave =
			body and assert(load("local event = ...; " .. body, "=(listener)", "t", { error = error }));
	]], body);
end

-- The errors in the log since the last call.
function methods:errors()
	local log = self.server:log(self.log_length);
	self.log_length = self.log_length + #log;
	return logs.entries(log).error;
end

return undelivered;
