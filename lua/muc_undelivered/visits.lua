-- Which session was in a room when. A visit is the time from a session's entrance to its exit, by the numbers of the
-- room's broadcasts: those after `since` up to `till` were sent to it.
--
-- A visit also knows which messages have been reported as undelivered to its session, so that none is reported twice.
--
-- Bounds: visits that are over are kept for `seconds`, and `max_ended` of them in all rooms.
--
-- This file is MIT/X11 licensed.

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local max_ended = 10000;

-- Reports of one visit. There are as many as there were broadcasts, where that is known.
local max_reports = 1000;

-- The visits in a room. history: the room's, see history.lua
local function open(history)
	return {
		history = history;
		newest = {}; -- full JID -> the newest visit of that session
		sessions = {}; -- bare JID -> set of the full JIDs in `newest`
		entering = nil; -- full JID of the session that has asked to be let in
		leaving = nil; -- full JID of the session that mod_muc is about to remove
	};
end

-- since: number of the last broadcast before the entrance; nil where the session was there before anything was known of it
local function begin(visits, real_jid, since)
	-- At its end, a visit also gets `till`, the number of the last broadcast before the exit, `archived_till`, `ended_at`,
	-- the time, and `occupant`, the session's. Not before: there is a visit for every session that is in a room.
	local visit = {
		visits = visits; -- those in the same room
		real_jid = real_jid;
		since = since;
		archived_before = since and visits.history.newest_archived; -- archive id of the newest message then
		reported = {}; -- set: archive ids and numbers of messages, and "id " with the id of a bounce
		report_count = 0;
		earlier = visits.newest[real_jid]; -- the visit before this one of the same session
	};
	visits.newest[real_jid] = visit;
	local bare_jid = jid_bare(real_jid);
	visits.sessions[bare_jid] = visits.sessions[bare_jid] or {};
	visits.sessions[bare_jid][real_jid] = true;
	return visit;
end

local function forget_session(visits, real_jid)
	local bare_jid = jid_bare(real_jid);
	local sessions = visits.sessions[bare_jid];
	sessions[real_jid] = nil;
	if next(sessions) == nil then visits.sessions[bare_jid] = nil; end
end

local function forget(visit)
	local visits, real_jid = visit.visits, visit.real_jid;
	if visits.newest[real_jid] == visit then
		visits.newest[real_jid] = visit.earlier;
		if not visit.earlier then forget_session(visits, real_jid); end
		return;
	end
	local later = visits.newest[real_jid];
	while later and later.earlier ~= visit do
		later = later.earlier;
	end
	if later then later.earlier = visit.earlier; end
end

-- The session is back in the room. Where nothing was broadcast meanwhile, it is the same visit as before: a session
-- whose nickname changes is gone for a moment.
local function resume(ended)
	local visits = ended.visits;
	local visit = begin(visits, ended.real_jid, visits.history.number);
	if ended.till == visits.history.number then
		forget(ended);
		visit.since, visit.archived_before, visit.earlier = ended.since, ended.archived_before, ended.earlier;
		visit.reported, visit.report_count = ended.reported, ended.report_count;
	end
end

-- A session asks to be let in. Whether it is let in, update() will see.
local function note_entering(visits, real_jid)
	visits.entering = real_jid;
end

-- mod_muc is about to remove a session, as far as one can know. update() will see.
local function note_leaving(visits, real_jid)
	visits.leaving = real_jid;
end

-- The newest visit of a session that is or was in the room; nil for any other.
local function find_newest(visits, room, real_jid)
	local visit = visits.newest[real_jid];
	if room:get_occupant_jid(real_jid) then
		if not visit or visit.ended_at then
			visit = begin(visits, real_jid, visit and visits.history.number);
		end
	elseif visit and not visit.ended_at then
		return nil; -- it has left, and there was no event
	end
	return visit;
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
	local found = {};
	for real_jid in pairs(visits.sessions[bare_jid] or {}) do
		if latest(visits.newest[real_jid], function (visit) return visit ~= but and matches(visit); end) then
			table.insert(found, real_jid);
		end
	end
	return found;
end

-- Takes note that a message is reported. Returns false where it has been, or where there are as many reports as there
-- can be: with ids made up, a session could ask for any number of them.
local function report(visit, key)
	if visit.reported[key] then return false; end
	local sent = visit.since and (visit.till or visit.visits.history.number) - visit.since or max_reports;
	if visit.report_count >= math.min(sent, max_reports) then return false; end
	visit.reported[key] = true;
	visit.report_count = visit.report_count + 1;
	return true;
end

-- Takes note of another name of a message that is reported: it does not count once more.
local function add_reported(visit, key)
	visit.reported[key] = true;
end

-- Follows the visits in all rooms. seconds: how long those that are over are kept
local function new(seconds)
	local ended, first, last = {}, 1, 0; -- the visits that are over, in the order in which they ended

	local function expire()
		local expired = monotonic() - seconds;
		while first <= last and (ended[first].ended_at < expired or last - first >= max_ended) do
			forget(ended[first]);
			ended[first] = nil;
			first = first + 1;
		end
	end

	local function finish(visit, occupant)
		local history = visit.visits.history;
		visit.ended_at = monotonic();
		visit.till, visit.archived_till = history.number, history.newest_archived;
		visit.occupant = occupant;
		last = last + 1;
		ended[last] = visit;
		expire();
	end

	local function update_session(visits, room, real_jid, occupant)
		local visit = visits.newest[real_jid];
		if room:get_occupant_jid(real_jid) then
			if visit and visit.ended_at then resume(visit); end
		elseif not visit or not visit.ended_at then
			finish(visit or begin(visits, real_jid), occupant);
		end
	end

	-- The sessions of an occupant may have changed. mod_muc has saved the occupant by then.
	local function update(visits, room, occupant)
		local entering, leaving = visits.entering, visits.leaving;
		if entering and room:get_occupant_jid(entering) then
			visits.entering = nil;
			local visit = visits.newest[entering];
			if not visit or visit.ended_at then
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

	-- The visits that are over, in their order, for the next load of this module.
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

	return { update = update, expire = expire, save = save, restore = restore };
end

return {
	open = open, note_entering = note_entering, note_leaving = note_leaving, find_newest = find_newest;
	has = has, latest = latest, sessions_with = sessions_with, report = report, add_reported = add_reported;
	new = new;
};
