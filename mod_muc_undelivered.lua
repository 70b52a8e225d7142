-- XEP-0045: Multi-User Chat: an event for a message that could not be delivered to an occupant
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- mod_muc takes an error that comes from an occupant as a sign that the session is gone, and removes it; the message that
-- has bounced is lost. This module sees the error first and fires, on the MUC host,
--
-- muc-undelivered-message { room, occupant, real_jid, bare_jid, elsewhere, message, outline, sender, stanza_id, sent, condition, bounce }
--
-- once for each message and session. docs/modules.md describes the fields.
--
-- Exposed functions:
--
-- author_of(room, stanza_id) -> the bare JID of the author of a message in a room, by the id that the room's archive has
--   given it; nil where that is not known
--
-- Invariant: what mod_muc does stays as it is. No handler here stops an event or changes a stanza.

local envloadfile = require "util.envload".envloadfile; -- COMPAT 0.12: no prosody.* names
local jid_bare = require "util.jid".bare;

local part = assert(envloadfile(module:get_directory().."/lua/shared/part.lua", module.environment))();

if not part "shared/host_check".check() then return; end

local muc = module:depends "muc";
-- mod_muc removes a session for these errors only. One that answers with another error is there, and stays.
local is_kickable_error = module:require "muc/util".is_kickable_error;

local forwarded_ids = part "shared/forwarded_ids";
local guard = part "shared/guard";
local options = part "shared/options";
local timers = part "shared/timers";
local bounces = part "muc_undelivered/bounce";

local bounds = options.read {
	messages = { "muc_undelivered_messages", options.integer(0), "a whole number of at least 0", 100 };
	seconds = { "muc_undelivered_seconds", options.integer(1), "a whole number of at least 1", 3600 };
	archived = { "muc_undelivered_archived", options.integer(0), "a whole number of at least 0", 250 };
	bytes = { "muc_undelivered_bytes", options.integer(0), "a whole number of at least 0", 8 * 1024 * 1024 };
};

-- How often what is too old is forgotten: each time all rooms are looked at.
local seconds_between_looks = math.max(1, math.min(60, bounds.seconds / 10));

-- Priorities. What a filter has stopped is never sent; a module that sends the message itself ends the event, at a priority
-- that is lower still (mod_muc_bot at -100).
local before_others, after_filters = 1000, -50;

local room_log = part "muc_undelivered/room_log".new(bounds);
local bounce = bounces.new(room_log);

local function on_message_error(event)
	local stanza = event.stanza;
	if stanza.attr.type ~= "error" or not is_kickable_error(stanza) or forwarded_ids.answered_push(stanza) then return; end
	local room = muc.get_room_from_jid(jid_bare(stanza.attr.to));
	local undelivered = room and bounce.take(room, stanza);
	if undelivered then
		guard.attempt("tell of a message that could not be delivered", module.fire_event, module, "muc-undelivered-message", undelivered);
	end
end

-- mod_muc removes a session that answers a presence with any error.
local function on_presence_error(event)
	local attr = event.stanza.attr;
	local room = attr.type == "error" and muc.get_room_from_jid(jid_bare(attr.to));
	if room then
		room_log.find_leaving(room, attr.from);
	end
end

for _, to in ipairs { "bare", "full", "host" } do
	module:hook("message/"..to, guard.watch("look at a bounce", on_message_error), 100);
	module:hook("presence/"..to, guard.watch("look at a presence error", on_presence_error), 100);
end

-- As it is broadcast, a message comes back.
module:hook("muc-broadcast-message", guard.watch("remember a message", function (event)
	local room, stanza = event.room, event.stanza;
	-- Not by get_occupant_by_nick(), which makes a copy with all sessions.
	local sender = room._occupants[stanza.attr.from];
	room_log.remember_broadcast(room.jid, stanza, sender and sender.bare_jid);
end), after_filters);

module:hook("muc-private-message", guard.watch("remember a private message", function (event)
	if not bounces.is_long_id(event.stanza.attr.id) then -- a bounce with such an id is ignored
		room_log.remember_private(event.room, event.stanza);
	end
end), after_filters);

-- Only fired for sessions that were not there before.
module:hook("muc-occupant-pre-join", guard.watch("take note of an entrance", function (event)
	room_log.note_entering(event.room.jid, event.stanza.attr.from);
end), before_others);

module:hook("muc-broadcast-presence", guard.watch("take note of a presence", function (event)
	room_log.update(event.room, event.occupant);
end), before_others);

module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
	room_log.forget(event.room.jid);
end), before_others);

timers.add(seconds_between_looks, function ()
	guard.attempt("forget what is too old", room_log.expire);
	return seconds_between_looks;
end);

module.save, module.restore = room_log.save, room_log.restore;
module.unload = timers.stop_all;

-- Global in this module's environment, for other modules.
author_of = room_log.author_of;
