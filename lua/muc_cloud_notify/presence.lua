-- The rule by which a user counts as present in a room, as far as a server can know.
--
-- A user is present where one of their sessions in the room is available and not hibernating. Only full JIDs are sessions:
-- an occupant of a bare JID stands for an account, and says nothing of where its user is. A session of this server
-- hibernates when it has lost its connection and may yet resume it (XEP-0198). Where push is enabled on the account, in
-- that very session, its own server pushes what comes in for it (mod_cloud_notify): then it is left to its own server,
-- and counts as present.
--
-- This file is MIT/X11 licensed.

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names

local full_sessions = prosody.full_sessions;

-- real_jid: that of an occupant, as mod_muc knows it
local function is_session(real_jid)
	return jid_resource(real_jid) ~= nil;
end

-- session: nil for one that is not known here, such as a session of another server
local function is_left_to_its_server(session)
	return session ~= nil and session.push_identifier and true or false;
end

local function is_hibernating(session)
	return session ~= nil and session.hibernating and not session.push_identifier and true or false;
end

-- count_hibernating: whether a session that hibernates counts as absent
local function new(count_hibernating)
	local function counts_as_absent(session)
		return count_hibernating and is_hibernating(session);
	end

	-- Whether any session of an occupant is present, other than the one that is known to be gone. An occupant who is about
	-- to go, or to change the nickname, still has its sessions, but they are unavailable.
	local function is_present(occupant, gone_jid)
		if occupant.role == nil then return false; end
		for real_jid, presence in occupant:each_session() do
			if presence.attr.type == nil and real_jid ~= gone_jid and is_session(real_jid) and not counts_as_absent(full_sessions[real_jid]) then
				return true;
			end
		end
		return false;
	end

	return {
		counts_hibernating = count_hibernating, is_left_to_its_server = is_left_to_its_server, is_hibernating = is_hibernating;
		counts_as_absent = counts_as_absent, is_session = is_session, is_present = is_present;
	};
end

return { new = new };
