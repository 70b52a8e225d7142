-- Tells the engine what happens in rooms: affiliations, occupants, messages.
--
-- Presence goes by the real bare JID, never by the nickname.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";

local ghost = part "muc_cloud_notify/hibernation";
local guard = part "shared/guard";
local indices = part "muc_cloud_notify/room_sync";
local presence = part "muc_cloud_notify/presence";

local is_member = indices.is_member;

-- engine: the engine; muc: the environment of mod_muc; background: see lua/shared/tasks.lua; is_loaded: whether
-- the registrations are loaded; count_hibernating: whether a session that hibernates is taken for absent;
-- on_message(): called when there is something to push; wants_message(): whether another module wants to see the
-- message with each push
local function watch(engine, muc, background, is_loaded, count_hibernating, on_message, wants_message)
	local is_present = presence.new(count_hibernating);
	local index = indices.new(engine, background, is_present, is_loaded);

	-- The affiliation that is in the room's list: Prosody takes its admins for owners of every room, which
	-- makes them no members.
	local function listed_affiliation(room, bare_jid)
		local affiliation = room:get_affiliation(bare_jid);
		if affiliation ~= "owner" then return affiliation; end
		for listed_jid, listed in room:each_affiliation() do
			if listed_jid == bare_jid then return listed; end
		end
	end

	local function affiliation_changed(room, bare_jid, affiliation)
		engine:affiliation_changed(room.jid, bare_jid, is_member[affiliation] or false, room:get_affiliation_data(bare_jid, "reserved_nickname"));
	end

	local function find_rooms(bare_jid)
		for room in muc.live_rooms() do
			index.start_again(room);
			local affiliation = engine:knowledge(room.jid) ~= "nothing" and listed_affiliation(room, bare_jid);
			if affiliation then
				affiliation_changed(room, bare_jid, affiliation);
			end
		end
	end

	-- A user has a device now: tells the engine where they are a member. They are registered, whatever happens
	-- here: should it fail, all rooms are read again.
	local function add_user(bare_jid)
		index.disturb();
		if not guard.attempt("find the rooms of "..bare_jid, find_rooms, bare_jid) then
			engine:rooms_unwatched();
		end
	end

	-- A handler that takes note of something. Should it fail, what is known of the room may be wrong: then the
	-- room is read again.
	local function note(what, handler)
		return guard.watch(what, function (event)
			index.disturb(event.room.jid);
			local ok, err = pcall(handler, event);
			if not ok then
				engine:room_restored(event.room.jid);
				error(err, 0);
			end
		end);
	end

	module:hook("muc-set-affiliation", note("take note of an affiliation", function (event)
		index.start_again(event.room);
		affiliation_changed(event.room, event.jid, event.affiliation);
	end), 1000);

	module:hook("muc-set-affiliation-data/reserved_nickname", note("take note of a nickname", function (event)
		affiliation_changed(event.room, event.jid, listed_affiliation(event.room, event.jid));
	end), 1000);

	-- The one event that follows every change of an occupant's sessions: muc-occupant-left is also fired for
	-- a change of nickname, and muc-occupant-joined is not.
	module:hook("muc-broadcast-presence", note("take note of a presence", function (event)
		index.look_at(event.room, event.occupant);
	end), 1000);

	module:hook("muc-room-restored", guard.watch("take note of a restored room", function (event)
		index.disturb(event.room.jid);
		engine:room_restored(event.room.jid);
		index.start_again(event.room);
		index.start(event.room);
	end), 1000);

	module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
		index.disturb(event.room.jid);
		index.forget(event.room.jid);
		engine:room_destroyed(event.room.jid);
	end), 1000);

	-- What is to be told of every message.
	local function facts_of(room)
		return {
			room = room.jid;
			members_only = room:get_members_only() and true or false;
			public = room:get_public() and true or false;
			keep_original = wants_message();
		};
	end

	local push_or_hold = guard.watch("push a message", function (event)
		local room, stanza = event.room, event.stanza;
		local is_read, is_anybody_absent = index.is_read(room);
		if is_read and not is_anybody_absent then return; end
		local sender = room:get_occupant_by_nick(stanza.attr.from);
		local facts = facts_of(room);
		facts.sender = sender and sender.bare_jid;
		local function push(present)
			local told = engine:message(facts, stanza, monotonic(), present);
			if told > 0 then
				module:log("debug", "A message in %s is pushed to %d device(s)", room.jid, told);
				on_message();
			end
		end
		if is_read then
			push();
		else
			stanza = st.clone(stanza);
			index.hold(room, push);
		end
	end);

	-- Below every filter: what a module has stopped is no message, and what it has changed is what counts.
	module:hook("muc-broadcast-message", function (event)
		if not index.is_quiet(event.room.jid) then
			push_or_hold(event);
		end
	end, -1000);

	ghost.watch_hibernation(engine, muc, index, count_hibernating);
	ghost.watch_undelivered(engine, index, is_present, facts_of, count_hibernating, on_message);

	return {
		read_now = index.read_now, add_user = add_user, finish = index.finish;
		registrations_loaded = function () index.registrations_loaded(muc.live_rooms()); end;
	};
end

return { watch = watch };
