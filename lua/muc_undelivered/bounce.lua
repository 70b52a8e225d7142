-- Reads bounces, and finds the message that has bounced. A bounce is a message of type "error" that the server of an
-- occupant returns, to the room or to the occupant JID that the message was from, because the session is gone (RFC 6121,
-- section 8.5.3).
--
-- A bounce has to repeat no more of the message than its id; a server may also echo the message, or parts of it. Ids are
-- up to clients, and anybody may send an error: what one costs does not depend on how many messages, visits or sessions there
-- are.
--
-- Invariant: what is reported was sent to the session it comes back from, and is reported once for that session.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";

local stanza_error = part "shared/stanza_error";
local archive = part "muc_undelivered/archive";
local message_index = part "muc_undelivered/message_index";
local packing = part "muc_undelivered/packing";
local visits = part "muc_undelivered/visits";

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";
local xmlns_sid = "urn:xmpp:sid:0";

-- In bytes. A longer id is not kept.
local max_id = 256;

local function is_long_id(id)
	return id ~= nil and #id > max_id;
end

-- What a bounce says of the message.
local function read(stanza, room_jid)
	local stanza_id = stanza:get_child_with_attr("stanza-id", xmlns_sid, "by", room_jid);
	return {
		id = stanza.attr.id;
		-- The sender's occupant JID, as it was then; nil where the bounce is to the room.
		from = stanza.attr.to ~= room_jid and stanza.attr.to or nil;
		room_jid = room_jid;
		stanza_id = stanza_id and stanza_id.attr.id;
		body = stanza:get_child_text("body");
		-- mod_muc marks private messages so.
		is_private = stanza:get_child("x", xmlns_muc_user) ~= nil;
	};
end

-- Whether a bounce is that of a message. Two senders may have used the same id; what the room itself says has none, nor
-- has a change of the subject.
local function is_of(bounce, message)
	if bounce.from and bounce.from ~= message.from then return false; end
	if bounce.stanza_id and message.stanza_id then
		if bounce.stanza_id ~= message.stanza_id then return false; end
	elseif bounce.id ~= message.id then
		return false;
	elseif not bounce.id and message.from ~= (bounce.from or bounce.room_jid) then
		return false;
	end
	if bounce.body and not packing.has_body(message.packed, message.description, bounce.body) then return false; end
	-- Clients are free to send the mark of private messages, too.
	return not bounce.is_private or packing.is_marked_private(message.packed, message.description);
end

-- What a message is reported by, see reports.lua.
local function key_of(message)
	return message.stanza_id or message.number;
end

local function id_key(id)
	return "id "..id;
end

-- Whether an unknown message may have been sent during a visit: one that was broadcast, and is not kept any more.
local function has_forgotten(visit, oldest)
	return visit.since and oldest > visit.since + 1 and (not visit.till or visit.till > visit.since);
end

-- The same for a visit that began before this module looked. There may have been private messages, too: their bounces are
-- to an occupant JID.
local function has_not_seen(visit, bounce)
	return not visit.since and not bounce.from;
end

-- The message as it was sent to that session, nil where it was too large to be kept. It has been sent to others since, and
-- Prosody has restored the sender's own address.
local function copy(message, real_jid)
	local stanza = packing.unpack(message.packed);
	if not stanza then return nil; end
	stanza = st.clone(stanza);
	stanza.attr.from, stanza.attr.to = message.from, real_jid;
	return stanza;
end

-- room_log: see room_log.lua
local function new(room_log)
	local reports = room_log.reports;

	-- Looks for the message in an index, the newest first: a session that dies loses the end. was_sent(visit, message): whether it
	-- was sent during a visit. Returns the message and the visit it was sent during; or nil, and whether there is such a message
	-- at all.
	local function find_in(index, newest_visit, bounce, was_sent)
		local is_known, visit = false, nil;
		local message = message_index.find(index, bounce, function (message)
			if not is_of(bounce, message) then return false; end
			is_known = true;
			visit = visits.latest(newest_visit, function (each) return was_sent(each, message); end);
			return visit and reports.report(visit, key_of(message));
		end);
		if message then return message, visit; end
		return nil, is_known;
	end

	local function find_broadcast(record, newest_visit, bounce)
		return find_in(room_log.broadcasts(record), newest_visit, bounce, function (visit, message) return visits.has(visit, message.number); end);
	end

	local function find_archived(record, newest_visit, bounce)
		local page = room_log.archive_page(record, newest_visit.owner);
		if not page then return nil, false; end
		return find_in(page.index, newest_visit, bounce, function (visit, message)
			return archive.has(record.history, visit, page, message);
		end);
	end

	-- Returns the message of a bounce and the visit it was sent during; nil and the visit where the message is not kept any
	-- more; nil where there is nothing to report. While all is kept that was sent to a session, an unknown id is that of a
	-- private message or of a message in the history it got when it entered, or it is made up.
	local function find(record, newest_visit, bounce)
		local message, found = find_broadcast(record, newest_visit, bounce);
		if message then return message, found; end
		local id = bounce.id or bounce.stanza_id;
		if found or bounce.is_private or not id or is_long_id(bounce.id) or is_long_id(bounce.stanza_id) then return nil; end

		local oldest = record.history.oldest;
		local is_all_kept = not visits.latest(newest_visit, function (each)
			return not each.since or has_forgotten(each, oldest);
		end);
		if is_all_kept then return nil; end
		message, found = find_archived(record, newest_visit, bounce);
		if message then return message, found; end
		if found then return nil; end

		local visit = visits.latest(newest_visit, function (each)
			return has_forgotten(each, oldest) or has_not_seen(each, bounce);
		end);
		if visit and reports.report(visit, id_key(id)) then
			return nil, visit;
		end
	end

	local function was_sent(record, visit, message)
		if message.number then return visits.has(visit, message.number); end
		return record.page ~= nil and archive.has(record.history, visit, record.page, message);
	end

	local function has_entered_since(record, visit, message)
		if message.number then return visit.since ~= nil and visit.since >= message.number; end
		return record.page ~= nil and archive.is_before(visit, record.page, message);
	end

	-- The user's other sessions that have a message, as far as one can know: it was sent to them and has not bounced, or
	-- they have entered since and so got the room's history.
	local function find_elsewhere(record, bare_jid, visit, message)
		local key = key_of(message);
		return visits.sessions_with(record.visits, bare_jid, visit, function (each)
			return was_sent(record, each, message) and not reports.has(each, key) or has_entered_since(record, each, message);
		end);
	end

	-- Returns the fields of muc-undelivered-message for a bounce; nil where nothing is to be reported. A message is
	-- reported once for a session, so this is to be asked once for a bounce.
	local function take(room, stanza)
		local real_jid = stanza.attr.from;
		local record, newest_visit = room_log.find_leaving(room, real_jid);
		if not record then return nil; end

		local bare_jid, bounce = jid_bare(real_jid), read(stanza, room.jid);
		local is_echo_of_broadcast = bounce.body and not bounce.is_private;
		if not is_echo_of_broadcast and room_log.take_private(record, stanza, bare_jid) then return nil; end

		local message, visit = find(record, newest_visit, bounce);
		if not visit then return nil; end
		if bounce.id and not is_long_id(bounce.id) then reports.add(visit, id_key(bounce.id)); end
		local _, condition = stanza_error.read(stanza);
		return {
			room = room;
			occupant = room:get_occupant_by_real_jid(real_jid) or { nick = visit.nick, role = visit.role, bare_jid = bare_jid };
			real_jid = real_jid;
			bare_jid = bare_jid;
			elsewhere = message and find_elsewhere(record, bare_jid, visit, message) or {};
			message = message and copy(message, real_jid);
			outline = message and packing.outline_of(message.description);
			sender = message and message.sender;
			stanza_id = message and message.stanza_id;
			sent = message and message.time;
			condition = condition or "malformed error"; -- as mod_muc calls it
			bounce = stanza;
		};
	end

	return { take = take };
end

return { new = new, is_long_id = is_long_id };
