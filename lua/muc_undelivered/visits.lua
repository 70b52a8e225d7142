-- Which session was in a room when. A visit is the time from a session's entrance to its exit, by the numbers of the
-- room's broadcasts: those after `since` up to `till` were sent to it.
--
-- Bounds: visits that are over are kept for `seconds`, and `max_ended` of them in all rooms, beside their weight; of a session
-- in a room the last `max_visits`. For a bounce, `max_looks` visits of the user's other sessions are looked at.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names

local queues = part "muc_undelivered/queue";
local shares = part "muc_undelivered/shares";

local max_ended = 10000;
local max_visits = 20;
local max_looks = 100;

-- Of a visit that is over, and of a byte of its session's JID: the bare one is a key, too.
local weight_of_visit, weight_of_byte = 900, 2;

-- The visits in a room. history: the room's, see history.lua
local function open(history)
	return {
		history = history;
		newest = {}; -- full JID -> the newest visit of that session
		users = {}; -- bare JID -> { count, sessions = set of the full JIDs in `newest` }
		entering = nil; -- full JID of the session that has asked to be let in
		leaving = nil; -- full JID of the session that mod_muc is about to remove
	};
end

local function add_session(visits, real_jid)
	local bare_jid = jid_bare(real_jid);
	local user = visits.users[bare_jid] or { count = 0, sessions = {} };
	visits.users[bare_jid] = user;
	if not user.sessions[real_jid] then
		user.sessions[real_jid] = true;
		user.count = user.count + 1;
	end
end

local function remove_session(visits, real_jid)
	local bare_jid = jid_bare(real_jid);
	local user = visits.users[bare_jid];
	user.sessions[real_jid] = nil;
	user.count = user.count - 1;
	if user.count == 0 then visits.users[bare_jid] = nil; end
end

-- Takes a visit out of those of its session.
local function unlink(visit)
	local visits, real_jid = visit.room, visit.real_jid;
	if visits.newest[real_jid] == visit then
		visits.newest[real_jid] = visit.earlier;
		if not visit.earlier then remove_session(visits, real_jid); end
		return;
	end
	local later = visits.newest[real_jid];
	while later and later.earlier ~= visit do
		later = later.earlier;
	end
	if later then later.earlier = visit.earlier; end
end

-- A session asks to be let in. Whether it is let in, update() will see.
local function note_entering(visits, real_jid)
	visits.entering = real_jid;
end

-- mod_muc is about to remove a session, as far as one can know. update() will see.
local function note_leaving(visits, real_jid)
	visits.leaving = real_jid;
end

-- Whether a broadcast was sent during a visit.
local function has(visit, number)
	return (not visit.since or number > visit.since) and (not visit.till or number <= visit.till);
end

-- The latest of a session's visits, from its newest on, for which matches(visit) is true.
local function latest(newest_visit, matches)
	local visit = newest_visit;
	while visit and not matches(visit) do
		visit = visit.earlier;
	end
	return visit;
end

-- The full JIDs of a user's sessions for which matches(visit) is true of any visit but one.
local function sessions_with(visits, bare_jid, but, matches)
	local found, looks = {}, 0;
	local user = visits.users[bare_jid];
	for real_jid in pairs(user and user.sessions or {}) do
		local visit = latest(visits.newest[real_jid], function (visit)
			looks = looks + 1;
			return looks > max_looks or visit ~= but and matches(visit);
		end);
		if looks > max_looks then break; end
		if visit then table.insert(found, real_jid); end
	end
	return found;
end

-- Follows the visits in all rooms. seconds: how long those that are over are kept; reports: see reports.lua
local function new(seconds, memory, reports)
	local ended = queues.new {
		memory = memory, seconds = seconds, limit = max_ended;
		forget = function (visit)
			reports.release(visit);
			unlink(visit);
		end;
	};

	local function keep_newest_visits(newest_visit)
		local visit, count = newest_visit, 1;
		while visit.earlier and count < max_visits do
			visit, count = visit.earlier, count + 1;
		end
		if visit.earlier then ended.remove(visit.earlier); end
	end

	-- since: number of the last broadcast before the entrance; nil where the session was there before anything was known of it
	local function begin(visits, real_jid, since)
		-- At its end, a visit also gets `till`, the number of the last broadcast before the exit, `archived_till`, and the `nick` and
		-- `role` of its occupant. Not before: there is a visit for every session that is in a room.
		local visit = {
			room = visits; -- those in the same room
			real_jid = real_jid;
			owner = shares.owner_of(jid_bare(real_jid));
			since = since;
			archived_before = since and visits.history.newest_archived; -- archive id of the newest message then
			reports = nil; -- see reports.lua
			earlier = visits.newest[real_jid]; -- the visit before this one of the same session
		};
		visits.newest[real_jid] = visit;
		if visit.earlier then
			keep_newest_visits(visit);
		else
			add_session(visits, real_jid);
		end
		return visit;
	end

	-- The newest visit of a session that is or was in the room; nil for any other.
	local function find_newest(visits, room, real_jid)
		local visit = visits.newest[real_jid];
		if room:get_occupant_jid(real_jid) then
			if not visit or visit.till then
				visit = begin(visits, real_jid, visit and visits.history.number);
			end
		elseif visit and not visit.till then
			return nil; -- it has left, and there was no event
		end
		return visit;
	end

	-- The session is back in the room. Where nothing was broadcast meanwhile, it is the same visit as before: a session
	-- whose nickname changes is gone for a moment.
	local function resume(newest_visit)
		local visits = newest_visit.room;
		if newest_visit.till ~= visits.history.number then
			begin(visits, newest_visit.real_jid, visits.history.number);
			return;
		end
		local since, archived_before, its_reports = newest_visit.since, newest_visit.archived_before, newest_visit.reports;
		newest_visit.reports = nil;
		ended.remove(newest_visit);
		local visit = begin(visits, newest_visit.real_jid, since);
		visit.archived_before, visit.reports = archived_before, its_reports;
	end

	local function finish(visit, occupant)
		local history = visit.room.history;
		visit.till, visit.archived_till = history.number, history.newest_archived;
		visit.nick, visit.role = occupant.nick, occupant.role;
		visit.weight = weight_of_visit + weight_of_byte * #visit.real_jid + #(occupant.nick or "");
		ended.add(visit);
	end

	local function update_session(visits, room, real_jid, occupant)
		local visit = visits.newest[real_jid];
		if room:get_occupant_jid(real_jid) then
			if visit and visit.till then resume(visit); end
		elseif not visit or not visit.till then
			finish(visit or begin(visits, real_jid), occupant);
		end
	end

	-- The sessions of an occupant may have changed. mod_muc has saved the occupant by then.
	local function update(visits, room, occupant)
		local entering, leaving = visits.entering, visits.leaving;
		if entering and room:get_occupant_jid(entering) then
			visits.entering = nil;
			local visit = visits.newest[entering];
			if not visit or visit.till then
				begin(visits, entering, visits.history.number);
			end
		end
		-- Where an occupant has other sessions left, the one that is removed is not among those below.
		if leaving and not room:get_occupant_jid(leaving) then
			visits.leaving = nil;
			update_session(visits, room, leaving, occupant);
		end
		for real_jid in occupant:each_session() do
			update_session(visits, room, real_jid, occupant);
		end
	end

	return { find_newest = find_newest, update = update, expire = ended.expire, save = ended.save, restore = ended.restore };
end

return {
	open = open, note_entering = note_entering, note_leaving = note_leaving;
	has = has, latest = latest, sessions_with = sessions_with;
	new = new;
};
