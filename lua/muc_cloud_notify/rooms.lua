-- Rooms' events (XEP-0045) as facts for the engine: affiliations, occupants, messages.
--
-- Presence goes by the real bare JID, never by the nickname.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";
local replied_id = part "muc_cloud_notify/reply".replied_id;
local room_search = part "muc_cloud_notify/room_search";
local is_member = part "muc_cloud_notify/room_sync".is_member;

-- The priority at which a message is looked at: after every filter, for what a module has stopped is no message, and what
-- it has changed is what counts (the lowest priority of a filter that we know of is -1); and before a module that sends
-- the message itself, and so ends the event (mod_muc_bot does at -100).
local after_filters = -50;

-- With what a message can be about an earlier one, as far as the engine reads it: a retraction or moderation as it is, a
-- correction, and the two former as they were (XEP-0424, XEP-0425, XEP-0308).
local is_about_earlier = { retract = true, replace = true, ["apply-to"] = true };

-- Whether a message may take back or correct an earlier one.
local function may_revise(stanza)
	local tags = stanza.tags;
	for i = 1, #tags do
		if is_about_earlier[tags[i].name] then return true; end
	end
	return false;
end

-- parts: { engine; live_rooms; tasks = see lua/shared/tasks.lua; room_sync; consent; choices; author_of(room, stanza_id) = the author of a
-- message, see mod_muc_undelivered; wants_message = whether another module wants to see the message with each push }
local function watch(parts)
	local engine, room_sync, consent, wants_message = parts.engine, parts.room_sync, parts.consent, parts.wants_message;

	-- These users are members of a room, and have a device. occupant: one who may be gone by now, nil for none
	local function add_members(room, users, occupant)
		room_sync.forget_quiet(room.jid);
		for bare_jid in pairs(users) do
			if not engine:is_registered(bare_jid) then
				users[bare_jid] = nil; -- they have asked for a device, and have none yet, or none any more
			elseif engine:coverage(room.jid) == "nothing" then
				room_sync.add_late(room, bare_jid);
			else
				room_sync.tell_affiliation(room, bare_jid);
			end
		end
		if next(users) then
			room_sync.look_for(room, users);
		end
		if occupant and users[occupant.bare_jid] then
			room_sync.note_present(room, occupant); -- until now
		end
	end

	local search = room_search.new {
		live_rooms = parts.live_rooms, tasks = parts.tasks;
		on_members = function (room, users, occupant)
			if not guard.attempt("take note of members of "..room.jid, add_members, room, users, occupant) then
				-- They are registered, whatever happens here: so the room is read again.
				engine:forget_room(room.jid);
				room_sync.start_again(room);
			end
		end;
	};
	local is_searching, visit = search.is_pending, search.visit;
	consent.on_consent(function (room, bare_jid)
		if engine:is_registered(bare_jid) then
			room_sync.tell_affiliation(room, bare_jid);
		end
	end);

	-- An event handler that takes note of something in a room. Should it fail, what is known of the room may be wrong: then
	-- the room is read again.
	local function note(what, handler)
		return guard.watch(what, function (event)
			room_sync.forget_quiet(event.room.jid);
			local ok, err = pcall(handler, event);
			if not ok then
				engine:forget_room(event.room.jid);
				error(err, 0);
			end
		end);
	end

	-- Of who has a device only now, the engine has not been told whether they are there.
	local function note_affiliation(room, bare_jid, may_be_there)
		room_sync.note_affiliation(room, bare_jid);
		if may_be_there and is_member[room._affiliations[bare_jid]] and engine:is_registered(bare_jid) then
			room_sync.look_for(room, { [bare_jid] = true });
		end
	end

	module:hook("muc-set-affiliation", note("take note of an affiliation", function (event)
		note_affiliation(event.room, event.jid, event.in_room);
	end), 1000);

	-- Who has asked has their place among the users of their domain from now on, which takes that the room is read.
	local note_choice = note("take note of a choice", function (event)
		local room, bare_jid = event.room, event.jid;
		note_affiliation(room, bare_jid, true);
		local has_asked = parts.choices.forwarding_in(bare_jid, room:get_affiliation_data(bare_jid)) == "asked";
		if has_asked and engine:coverage(room.jid) == "nothing" then room_sync.start(room); end
	end);
	parts.choices.on_change(function (room, bare_jid) note_choice { room = room, jid = bare_jid }; end);

	module:hook("muc-set-affiliation-data/reserved_nickname", note("take note of a nickname", function (event)
		room_sync.tell_affiliation(event.room, event.jid);
	end), 1000);

	-- The one event that follows every change of an occupant's sessions: muc-occupant-left is also fired for
	-- a change of nickname, and muc-occupant-joined is not.
	module:hook("muc-broadcast-presence", note("take note of a presence", function (event)
		visit(event.room, event.occupant);
		room_sync.look_at(event.room, event.occupant);
	end), 1000);

	module:hook("muc-room-restored", guard.watch("take note of a restored room", function (event)
		room_sync.forget_quiet(event.room.jid);
		engine:forget_room(event.room.jid);
		room_sync.start_again(event.room);
		room_sync.start(event.room);
		visit(event.room); -- whoever goes through all rooms may have passed its place
	end), 1000);

	module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
		search.forget(event.room.jid);
		room_sync.forget(event.room.jid);
		engine:room_destroyed(event.room.jid);
	end), 1000);

	-- What the engine is told of every message: the fields that message_facts and bounce_facts have in common.
	local function facts_of(room)
		return {
			room = room.jid;
			members_only = room:get_members_only() and true or false;
			public = room:get_public() and true or false;
			keep_original = wants_message();
		};
	end

	-- The author of the message that a message replies to. Nobody needs to know where nobody is absent.
	local function find_reply_author(room, stanza)
		local id = replied_id(stanza);
		if not id or not select(2, engine:coverage(room.jid)) then return nil; end
		local _, author = guard.attempt("find the author of the message replied to", parts.author_of, room, id);
		return author;
	end

	-- message: { facts; stanza; sent }. present: see room_sync.on_release
	local function push(room, message, present)
		local facts = message.facts;
		facts.present = present;
		facts.reply_author = find_reply_author(room, message.stanza);
		local devices = engine:handle_message(facts, message.stanza, message.sent);
		if devices > 0 then
			module:log("debug", "A message in %s is pushed to %d device(s)", room.jid, devices);
		end
	end

	-- forgotten: { facts; messages = how many; sent = when the last one was }
	local function push_forgotten(room, forgotten, present)
		local facts = forgotten.facts;
		facts.present = present;
		local devices = engine:handle_forgotten(facts, forgotten.messages, forgotten.sent);
		if devices > 0 then
			module:log("debug", "%d message(s) in %s of which nothing else is known are pushed to %d device(s)", forgotten.messages, room.jid, devices);
		end
	end

	room_sync.on_release("message", push);
	room_sync.on_release("forgotten", push_forgotten);

	-- Where everybody is there, what is taken back or corrected may still come back from a session of somebody who only
	-- seems to be.
	local function concerns_absent(room, stanza)
		local is_complete, is_anybody_absent, has_devices = room_sync.is_complete(room);
		if not is_complete then
			room_sync.advance(room);
			is_complete, is_anybody_absent, has_devices = room_sync.is_complete(room);
		end
		if not is_complete or is_anybody_absent then return true, is_complete; end
		room_sync.note_quiet(room.jid, has_devices);
		return has_devices and may_revise(stanza), true;
	end

	local quietness = room_sync.quietness;
	local push_or_hold = guard.watch("push a message", function (event)
		local room, stanza = event.room, event.stanza;
		visit(room);
		if quietness(room.jid) and not may_revise(stanza) then return; end
		local is_of_interest, is_complete = concerns_absent(room, stanza);
		if not is_of_interest then return; end
		local sender = room:get_occupant_by_nick(stanza.attr.from);
		local facts = facts_of(room);
		facts.sender = sender and sender.bare_jid;
		if is_complete then
			push(room, { facts = facts, stanza = stanza, sent = monotonic() });
		else
			room_sync.hold(room, "message", facts, stanza);
		end
	end);

	module:hook("muc-broadcast-message", function (event)
		if is_searching() or quietness(event.room.jid) ~= "no devices" then
			push_or_hold(event);
		end
	end, after_filters);

	-- Finds the rooms of a user who has a device now, or asks for one. on_found(is_member): is called in the end with whether they
	-- are a member of any live room
	local function find_memberships(bare_jid, on_found)
		search.add(bare_jid, on_found);
	end

	return { facts_of = facts_of, find_memberships = find_memberships, when_searchable = search.when_free, visit = visit };
end

return { watch = watch };
