-- Who was there when: each stay of a session in a room, from the broadcast before which it entered to the one
-- after which it left. What was broadcast in between was sent to it.
--
-- This file is MIT/X11 licensed.

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

-- Of the stays that are over, in all rooms.
local max_ended = 10000;

-- rooms: what is known of each room, by its JID; seconds: how long a stay is remembered when it is over
local function new(rooms, seconds)
	local ended, first, last = {}, 1, 0; -- the stays that are over, in the order in which they ended

	-- Without `since` the session was there before this module looked.
	local function begin(memory, real_jid, since)
		local stay = {
			room_jid = memory.room_jid;
			real_jid = real_jid;
			since = since; -- the number of the last broadcast before it
			archived_before = since and memory.newest_archived;
			reported = {};
			reports = 0;
			earlier = memory.stays[real_jid];
		};
		memory.stays[real_jid] = stay;
		local bare_jid = jid_bare(real_jid);
		memory.sessions[bare_jid] = memory.sessions[bare_jid] or {};
		memory.sessions[bare_jid][real_jid] = true;
		return stay;
	end

	local function forget_session(memory, real_jid)
		local bare_jid = jid_bare(real_jid);
		local sessions = memory.sessions[bare_jid];
		sessions[real_jid] = nil;
		if next(sessions) == nil then memory.sessions[bare_jid] = nil; end
	end

	local function forget(stay)
		local memory = rooms[stay.room_jid];
		if not memory then return; end
		if memory.stays[stay.real_jid] == stay then
			memory.stays[stay.real_jid] = stay.earlier;
			if not stay.earlier then forget_session(memory, stay.real_jid); end
			return;
		end
		local later = memory.stays[stay.real_jid];
		while later and later.earlier ~= stay do
			later = later.earlier;
		end
		if later then later.earlier = stay.earlier; end
	end

	local function expire()
		local expired = monotonic() - seconds;
		while first <= last and (ended[first].ended < expired or last - first >= max_ended) do
			forget(ended[first]);
			ended[first] = nil;
			first = first + 1;
		end
	end

	local function finish(stay, memory, occupant)
		stay.ended = monotonic();
		stay.till = memory.number;
		stay.archived_till = memory.newest_archived;
		stay.occupant = occupant;
		last = last + 1;
		ended[last] = stay;
		expire();
	end

	-- A session whose nickname changes is gone for a moment.
	local function resume(memory, stay)
		local resumed = begin(memory, stay.real_jid, memory.number);
		if stay.till == memory.number then
			forget(stay);
			resumed.since, resumed.archived_before, resumed.earlier = stay.since, stay.archived_before, stay.earlier;
			resumed.reported, resumed.reports = stay.reported, stay.reports;
		end
	end

	-- A session asks to be let in; whether it is will be seen.
	local function entering(memory, real_jid)
		memory.entering = real_jid;
	end

	-- A session will be kicked, as far as one can know.
	local function leaving(memory, real_jid)
		memory.leaving = real_jid;
	end

	local function look_at(memory, room, real_jid, occupant)
		local stay = memory.stays[real_jid];
		if room:get_occupant_jid(real_jid) then
			if stay and stay.ended then resume(memory, stay); end
		elseif not stay or not stay.ended then
			finish(stay or begin(memory, real_jid), memory, occupant);
		end
	end

	-- The sessions of an occupant may have changed. mod_muc shows this after it has saved the occupant.
	local function changed(memory, room, occupant)
		local entered, left = memory.entering, memory.leaving;
		if entered and room:get_occupant_jid(entered) then
			memory.entering = nil;
			local stay = memory.stays[entered];
			if not stay or stay.ended then
				begin(memory, entered, memory.number);
			end
		end
		if left and not room:get_occupant_jid(left) then -- one of many sessions that is kicked is not shown
			memory.leaving = nil;
			look_at(memory, room, left, occupant);
		end
		for real_jid in occupant:each_session() do
			look_at(memory, room, real_jid, occupant);
		end
	end

	-- The newest stay of a session, if it is or was there.
	local function newest(memory, room, real_jid)
		local stay = memory.stays[real_jid];
		if room:get_occupant_jid(real_jid) then
			if not stay or stay.ended then
				stay = begin(memory, real_jid, stay and memory.number);
			end
		elseif stay and not stay.ended then
			return nil; -- it has gone while nobody was told
		end
		return stay;
	end

	-- The sessions of a person, by their full JIDs, for which has(stay) is true of any stay but one.
	local function sessions_with(memory, bare_jid, but, has)
		local found = {};
		for real_jid in pairs(memory.sessions[bare_jid] or {}) do
			local stay = memory.stays[real_jid];
			while stay and (stay == but or not has(stay)) do stay = stay.earlier; end
			if stay then table.insert(found, real_jid); end
		end
		return found;
	end

	-- The stays that are over, for another load of this module.
	local function save()
		local list = {};
		for i = first, last do
			table.insert(list, ended[i]);
		end
		return list;
	end

	local function restore(list)
		ended, first, last = list, 1, #list;
		expire();
	end

	return {
		entering = entering, leaving = leaving, changed = changed, newest = newest, sessions_with = sessions_with,
		expire = expire, save = save, restore = restore;
	};
end

-- Whether a broadcast falls into a stay.
local function has(stay, number)
	return (not stay.since or number > stay.since) and (not stay.till or number <= stay.till);
end

return { new = new, has = has };
