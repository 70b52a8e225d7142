-- Who is in a room, as far as anybody can know.
--
-- This file is MIT/X11 licensed.

local full_sessions = prosody.full_sessions;

-- count_hibernating: whether a session that hibernates is taken for absent
local function new(count_hibernating)
	-- Whether a session of this server's has lost its connection and may yet resume (XEP-0198). Where push is enabled
	-- on the account, in that very session, its own server tells the user of what comes in (mod_cloud_notify).
	local function is_hibernating(real_jid)
		local session = full_sessions[real_jid];
		return session ~= nil and session.hibernating ~= nil and not session.push_identifier;
	end

	-- Whether any session of an occupant is there, other than the one that is known to be gone. An occupant who is about
	-- to go, or to change the nickname, still has its sessions, but they are unavailable.
	local function is_present(occupant, gone)
		if occupant.role == nil then return false; end
		for real_jid, presence in occupant:each_session() do
			if presence.attr.type == nil and real_jid ~= gone and not (count_hibernating and is_hibernating(real_jid)) then
				return true;
			end
		end
		return false;
	end

	return is_present;
end

return { new = new };
