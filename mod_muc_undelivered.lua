-- XEP-0045: Multi-User Chat: an event for a message that could not be delivered to an occupant
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- mod_muc takes an error of an occupant for the sign that they are gone, and removes them; what came back is
-- lost. This module sees the error first and fires, on the MUC host,
--
-- muc-undelivered-message { room, occupant, real_jid, bare_jid, elsewhere, message, sender, stanza_id, sent, condition, bounce }
--
-- once for each message and session. It changes nothing in what mod_muc does.

local envloadfile = require "util.envload".envloadfile; -- COMPAT 0.12: no prosody.* names
local part = assert(envloadfile(module:get_directory().."/lua/shared/part.lua", module.environment))();

if not part "shared/host_check".check() then return; end

local muc = module:depends "muc";

local jid_bare = require "util.jid".bare;
local st = require "util.stanza";

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";
local xmlns_sid = "urn:xmpp:sid:0";

-- What mod_muc kicks for, and nothing else: whoever answers with another error is there, and stays.
local is_kickable_error = module:require "muc/util".is_kickable_error;
local guard = part "shared/guard";

local options = part "shared/options";
local configured = options.read {
	messages = { "muc_undelivered_messages", options.integer(0), "a whole number of at least 0", 100 };
	seconds = { "muc_undelivered_seconds", options.integer(1), "a whole number of at least 1", 3600 };
	archived = { "muc_undelivered_archived", options.integer(0), "a whole number of at least 0", 250 };
};
local max_messages, max_seconds, max_archived = configured.messages, configured.seconds, configured.archived;

-- The longest id that is taken note of, in bytes. They are up to clients.
local max_id = 256;

-- Of the bounces of one stay. There are as many as there were broadcasts, where that is known.
local max_reports = 1000;

local rooms = {}; -- what is known of each room, by its JID

local archives = part "muc_undelivered/archive";
local stays_of_rooms = part "muc_undelivered/visits";
local private = part "muc_undelivered/private_messages";

local archive = archives.new(max_archived);
local broadcasts = part "muc_undelivered/history".new(rooms, max_messages, max_seconds, archives.is_there);
local stays = stays_of_rooms.new(rooms, max_seconds);

local function memory_of(room_jid)
	local memory = rooms[room_jid];
	if not memory then
		memory = {
			room_jid = room_jid;
			number = 0; -- of the newest broadcast
			oldest = 1; -- the number of the oldest one that is remembered
			broadcasts = {};
			stays = {}; -- the newest of each session
			sessions = {}; -- the full JIDs of those, by bare JID
			private = {};
			private_count = 0;
		};
		rooms[room_jid] = memory;
	end
	return memory;
end

local function is_long(id)
	return id and #id > max_id;
end

local function stay_with(stay, has, ...)
	while stay and not has(stay, ...) do
		stay = stay.earlier;
	end
	return stay;
end

-- What a bounce says of the message. Its id may be all; a server may also echo the message, or parts of it.
local function read_bounce(stanza, room_jid)
	local stanza_id = stanza:get_child_with_attr("stanza-id", xmlns_sid, "by", room_jid);
	return {
		id = stanza.attr.id;
		-- The sender's occupant JID, as it was then: nil when it has come back to the room.
		from = stanza.attr.to ~= room_jid and stanza.attr.to or nil;
		room_jid = room_jid;
		stanza_id = stanza_id and stanza_id.attr.id;
		body = stanza:get_child_text("body");
		-- mod_muc marks private messages so.
		is_private = stanza:get_child("x", xmlns_muc_user) ~= nil;
	};
end

-- Whether a bounce is that of a message. Ids are up to clients, so two senders may have used the same one; and
-- what the room itself says has none, nor has a change of the subject.
local function is_of(bounce, message)
	local stanza = message.stanza;
	if bounce.from and bounce.from ~= message.from then return false; end
	if bounce.body and bounce.body ~= stanza:get_child_text("body") then return false; end
	-- Others are free to carry the mark too.
	if bounce.is_private and not stanza:get_child("x", xmlns_muc_user) then return false; end
	if bounce.stanza_id and message.stanza_id then return bounce.stanza_id == message.stanza_id; end
	if not bounce.id then
		return not stanza.attr.id and message.from == (bounce.from or bounce.room_jid);
	end
	return bounce.id == stanza.attr.id;
end

-- Takes note that a message has been reported for a stay. False if it had been.
local function note(stay, key)
	if stay.reported[key] then return false; end
	local sent = stay.since and (stay.till or rooms[stay.room_jid].number) - stay.since or max_reports;
	if stay.reports >= math.min(sent, max_reports) then return false; end
	stay.reported[key] = true;
	stay.reports = stay.reports + 1;
	return true;
end

-- Looks for the message of a bounce among the broadcasts that are remembered, the newest first: of a session that
-- dies, the end is lost. Returns a message and the stay it was sent in, or whether there was one at all.
local function find_broadcast(memory, newest_stay, bounce)
	local is_known = false;
	for number, broadcast in broadcasts.each(memory) do
		if is_of(bounce, broadcast) then
			is_known = true;
			local stay = stay_with(newest_stay, stays_of_rooms.has, number);
			if stay and note(stay, broadcast.stanza_id or number) then
				return broadcast, stay;
			end
		end
	end
	return nil, is_known;
end

local function find_archived(memory, newest_stay, bounce)
	local page = archive.page_of(memory, bounce.room_jid);
	local is_known = false;
	for _, message in ipairs(page) do
		if is_of(bounce, message) then
			is_known = true;
			local stay = stay_with(newest_stay, function (each) return archive.has(memory, each, page, message); end);
			if stay and note(stay, message.stanza_id) then
				return message, stay;
			end
		end
	end
	return nil, is_known;
end

-- Whether something was sent in a stay that is not remembered any more.
local function has_forgotten(stay, oldest)
	return stay.since and oldest > stay.since + 1 and (not stay.till or stay.till > stay.since);
end

-- The same for what this module has not seen. There may have been private messages then, and from an occupant JID
-- theirs come back too.
local function has_not_seen(stay, bounce)
	return not stay.since and not bounce.from;
end

-- The message of a bounce and the stay it was sent in. Without a message, but with a stay: the message is not known
-- any more. Where everything is remembered that was sent to a session, an unknown id is that of a private message,
-- of history that was sent to somebody who came in later, or made up.
local function find(memory, newest_stay, bounce)
	local message, stay = find_broadcast(memory, newest_stay, bounce);
	if message then return message, stay; end
	if stay or bounce.is_private or not (bounce.id or bounce.stanza_id) or is_long(bounce.id) or is_long(bounce.stanza_id) then return nil; end

	local oldest = memory.oldest;
	local stay_unknown = stay_with(newest_stay, function (each)
		return not each.since or has_forgotten(each, oldest);
	end);
	if not stay_unknown then return nil; end
	message, stay = find_archived(memory, newest_stay, bounce);
	if message then return message, stay; end
	if stay then return nil; end

	stay = stay_with(newest_stay, function (each)
		return has_forgotten(each, oldest) or has_not_seen(each, bounce);
	end);
	if stay and note(stay, "id "..(bounce.id or bounce.stanza_id)) then
		return nil, stay;
	end
end

local function was_sent(memory, stay, message)
	if message.number then return stays_of_rooms.has(stay, message.number); end
	return archive.has(memory, stay, archive.page_of(memory, memory.room_jid), message);
end

local function has_entered_since(memory, stay, message)
	if message.number then return stay.since ~= nil and stay.since >= message.number; end
	return archive.is_before(stay, archive.page_of(memory, memory.room_jid), message);
end

-- The other sessions of a person that have a message, as far as one can know: they were sent it and have not returned it,
-- or have entered since and so were sent the room's history.
local function find_elsewhere(memory, bare_jid, stay, message)
	local key = message.stanza_id or message.number;
	return stays.sessions_with(memory, bare_jid, stay, function (each)
		return was_sent(memory, each, message) and not each.reported[key] or has_entered_since(memory, each, message);
	end);
end

-- The message as that session was sent it. Meanwhile others have been, and Prosody has put the sender's own JID back.
local function copy(message, real_jid)
	local stanza = st.clone(message.stanza);
	stanza.attr.from, stanza.attr.to = message.from, real_jid;
	return stanza;
end

-- The room, what is known of it, and the newest stay of a session that is or was there. Nothing of anybody else.
local function look_up(room_jid, real_jid)
	local room, memory = muc.get_room_from_jid(room_jid), rooms[room_jid];
	local is_present = room and room:get_occupant_jid(real_jid);
	if not is_present and not (room and memory and memory.stays[real_jid]) then return nil; end
	memory = memory_of(room_jid);
	if is_present then stays.leaving(memory, real_jid); end
	return room, memory, stays.newest(memory, room, real_jid);
end

local function on_error(event)
	local stanza = event.stanza;
	local real_jid, room_jid = stanza.attr.from, jid_bare(stanza.attr.to);
	if stanza.attr.type ~= "error" or not is_kickable_error(stanza) then return; end
	local room, memory, newest_stay = look_up(room_jid, real_jid);
	if not newest_stay then return; end

	local bare_jid, bounce = jid_bare(real_jid), read_bounce(stanza, room_jid);
	local is_echo_of_broadcast = bounce.body and not bounce.is_private;
	if not is_echo_of_broadcast and private.take(memory, stanza, bare_jid) then return; end

	local message, stay = find(memory, newest_stay, bounce);
	if not stay then return; end
	if stanza.attr.id and not is_long(stanza.attr.id) then stay.reported["id "..stanza.attr.id] = true; end
	local _, condition = stanza:get_error();
	guard.attempt("tell of a message that could not be delivered", module.fire_event, module, "muc-undelivered-message", {
		room = room;
		occupant = room:get_occupant_by_real_jid(real_jid) or stay.occupant;
		real_jid = real_jid;
		bare_jid = bare_jid;
		elsewhere = message and find_elsewhere(memory, bare_jid, stay, message) or {};
		message = message and copy(message, real_jid);
		sender = message and message.sender;
		stanza_id = message and message.stanza_id;
		sent = message and message.time;
		condition = condition or "malformed error"; -- as mod_muc has it
		bounce = stanza;
	});
end

-- mod_muc removes whoever answers a presence with an error, whatever it is.
local function on_presence_error(event)
	local attr = event.stanza.attr;
	if attr.type == "error" then
		look_up(jid_bare(attr.to), attr.from);
	end
end

for _, to in ipairs { "bare", "full", "host" } do
	module:hook("message/"..to, guard.watch("look at a bounce", on_error), 100);
	module:hook("presence/"..to, guard.watch("look at a presence error", on_presence_error), 100);
end

-- Below every filter: what is broadcast then is what comes back.
module:hook("muc-broadcast-message", guard.watch("remember a message", function (event)
	local room, stanza = event.room, event.stanza;
	-- Not by get_occupant_by_nick(), which makes a copy with all sessions.
	local sender = room._occupants[stanza.attr.from];
	broadcasts.remember(memory_of(room.jid), stanza, sender and sender.bare_jid);
end), -1000);

module:hook("muc-private-message", guard.watch("remember a private message", function (event)
	if not is_long(event.stanza.attr.id) then -- what has a longer one is looked for nowhere
		private.remember(memory_of(event.room.jid), event.room, event.stanza);
	end
end), -1000);

-- Fired for sessions that were not there before only.
module:hook("muc-occupant-pre-join", guard.watch("take note of an entrance", function (event)
	stays.entering(memory_of(event.room.jid), event.stanza.attr.from);
end), 1000);

module:hook("muc-broadcast-presence", guard.watch("take note of a presence", function (event)
	local memory = rooms[event.room.jid];
	if memory then
		stays.changed(memory, event.room, event.occupant);
	end
end), 1000);

module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
	local memory = rooms[event.room.jid];
	if memory then
		broadcasts.forget(memory);
		rooms[event.room.jid] = nil;
	end
end), 1000);

local function expire()
	stays.expire();
	for room_jid, memory in pairs(rooms) do
		local oldest = broadcasts.expire(memory);
		memory.page = nil;
		if oldest > memory.number and next(memory.stays) == nil then
			rooms[room_jid] = nil;
		end
	end
end

local expire_interval = math.max(1, math.min(60, max_seconds / 10));

module:add_timer(expire_interval, function ()
	guard.attempt("forget what is too old", expire);
	return expire_interval;
end);

function module.save()
	return { rooms = rooms, ended = stays.save(), max_messages = max_messages };
end

function module.restore(saved)
	for room_jid, memory in pairs(saved.rooms or {}) do
		rooms[room_jid] = memory;
		broadcasts.adopt(memory, saved.max_messages);
	end
	stays.restore(saved.ended or {});
end
