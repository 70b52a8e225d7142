-- Messages that bounce from an occupant's session, as mod_muc_undelivered announces them: it was gone, though it looked
-- present, so its user gets a push now. Not where the message has reached the user in another way.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local guard = part "shared/guard";
local replied_id = part "muc_cloud_notify/reply".replied_id;

local full_sessions = prosody.full_sessions;

-- What tells a message from all others of its room.
local function key_of(event)
	local message = event.message;
	if event.stanza_id then return event.stanza_id; end
	if not message then return "id "..tostring(event.bounce.attr.id); end
	return ("%s %s %s"):format(message.attr.from, message.attr.id, event.sent);
end

local function sender_of(event)
	local message, room = event.message, event.room;
	if event.sender or not message then return event.sender; end
	-- The message is known from the archive alone: its author is taken to be the occupant with that nickname now.
	if event.occupant and event.occupant.nick == message.attr.from then return event.bare_jid; end
	local sender = room:get_occupant_by_nick(message.attr.from);
	return sender and sender.bare_jid;
end

-- parts: { engine; room_sync; presence; consent; hibernation; author_of; facts_of, visit = see rooms.lua }
local function watch(parts)
	local engine, room_sync, presence, hibernation = parts.engine, parts.room_sync, parts.presence, parts.hibernation;

	local function is_on_another_session(event)
		for _, real_jid in ipairs(event.elsewhere) do
			if presence.is_session(real_jid) and not hibernation.was_hibernating(real_jid, event.sent) then return true; end
		end
		return false;
	end

	-- Whether the user knows of the message, or has had a push for it.
	local function has_reached_user(event)
		local session = full_sessions[event.real_jid];
		if presence.is_left_to_its_server(session) then return true; end
		-- The message is not known any more. What was sent to a session while it hibernated was pushed then.
		if not event.message and presence.counts_as_absent(session) and hibernation.was_sent_meanwhile(session, event.bounce) then
			return true;
		end
		return is_on_another_session(event);
	end

	-- A session that bounces something is removed from the room after this event, not before.
	local function nick_that_goes(room, real_jid)
		local occupant = room:get_occupant_by_real_jid(real_jid);
		return occupant and not presence.is_present(occupant, real_jid) and jid_resource(occupant.nick) or nil;
	end

	local function find_reply_author(event)
		local id = event.message and replied_id(event.message);
		if not id then return nil; end
		local _, author = guard.attempt("find the author of the message replied to", parts.author_of, event.room, id);
		return author;
	end

	-- bounced: { facts; stanza = the message, or its outline, nil where neither is known }
	local function push(room, bounced)
		local devices = engine:handle_bounce(bounced.facts, bounced.stanza, monotonic());
		if devices > 0 then
			module:log("debug", "A message in %s came back from %s and is pushed to %d device(s)", room.jid, bounced.facts.user, devices);
		end
	end

	room_sync.on_release("bounce", push);

	module:hook("muc-undelivered-message", guard.watch("push a message that came back", function (event)
		local room, message = event.room, event.message or event.outline;
		parts.consent.note_user(room, event.bare_jid);
		if not room_sync.may_have_device(room, event.bare_jid) or has_reached_user(event) then return; end
		local facts = parts.facts_of(room);
		facts.user = event.bare_jid;
		facts.sender = sender_of(event);
		facts.sent = event.sent;
		facts.message_key = key_of(event);
		facts.reply_author = find_reply_author(event);
		parts.visit(room);
		room_sync.advance(room);
		if room_sync.is_complete(room) then
			facts.gone_nick = nick_that_goes(room, event.real_jid);
			push(room, { facts = facts, stanza = message });
		else
			room_sync.hold(room, "bounce", facts, message);
		end
	end));
end

return { watch = watch };
