-- The sessions of a server's own clients, which it keeps for a while after they have lost their connection (XEP-0198).

local loop = require "harness.loop";

local sessions = {};

-- Whether a session hibernates; nil where there is none.
function sessions.is_hibernating(server, full_jid)
	return server:admin("local session = prosody.full_sessions[...]; return session and session.hibernating ~= nil", full_jid);
end

-- Returns true, or nil and a text if the session does not hibernate in time.
function sessions.wait_until_hibernating(server, full_jid, timeout)
	local found = loop.wait_until(function ()
		return sessions.is_hibernating(server, full_jid);
	end, timeout, 0.005);
	return found, not found and full_jid .. " does not hibernate" or nil;
end

-- Cuts the connection of a client, and returns once its session hibernates.
function sessions.cut(client)
	client:cut();
	assert(sessions.wait_until_hibernating(client.server, client.jid));
end

-- Ends the session of a client as mod_smacks does when it has hibernated for too long.
function sessions.end_hibernation(client)
	client.server:admin("prosody.full_sessions[...].hibernating_watchdog:callback()", client.jid);
	client.server:settle();
	assert(client.server:admin("return prosody.full_sessions[...] == nil", client.jid), client.jid .. " is still there");
end

return sessions;
