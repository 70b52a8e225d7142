-- Tells the engine what happens in rooms: affiliations, occupants, messages.
--
-- Presence goes by the real bare JID, never by the nickname.
--
-- This file is MIT/X11 licensed.

local jid_resource = require "util.jid".resource; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local guard = module:require "lua/guard";

local is_member = { owner = true, admin = true, member = true };

-- Whether any session of an occupant is there. An occupant who is about to go, or to change the nickname,
-- still has its sessions, but they are unavailable.
local function is_present(occupant)
	if occupant.role == nil then return false; end
	for _, presence in occupant:each_session() do
		if presence.attr.type == nil then return true; end
	end
	return false;
end

-- engine: the engine; muc: the environment of mod_muc; on_message(): called when there is something to push;
-- wants_message(): whether another module wants to see the message with each push
local function watch(engine, muc, on_message, wants_message)
	local function read_members(room)
		local members = {};
		for bare_jid, affiliation, data in room:each_affiliation() do
			if is_member[affiliation] and engine:is_registered(bare_jid) then
				table.insert(members, bare_jid);
				table.insert(members, data and data.reserved_nickname or false);
			end
		end
		engine:set_members(room.jid, members);
	end

	local function read_occupants(room)
		local occupants = {};
		for _, occupant in room:each_occupant() do
			if is_present(occupant) then
				table.insert(occupants, occupant.bare_jid);
				table.insert(occupants, jid_resource(occupant.nick));
			end
		end
		engine:set_occupants(room.jid, occupants);
	end

	-- Reads what the engine does not know of a room yet.
	local function read_room(room)
		local knowledge = engine:knowledge(room.jid);
		if knowledge == "nothing" then
			read_members(room);
		end
		if knowledge ~= "complete" then
			read_occupants(room);
		end
	end

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
			local affiliation = engine:knowledge(room.jid) ~= "nothing" and listed_affiliation(room, bare_jid);
			if affiliation then
				affiliation_changed(room, bare_jid, affiliation);
			end
		end
	end

	-- A user has a device now: tells the engine where they are a member. They are registered, whatever happens
	-- here: should it fail, all rooms are read again.
	local function add_user(bare_jid)
		if not guard.attempt("find the rooms of "..bare_jid, find_rooms, bare_jid) then
			engine:rooms_unwatched();
		end
	end

	-- A handler that takes note of something. Should it fail, what is known of the room may be wrong: then the
	-- room is read again.
	local function note(what, handler)
		return guard.watch(what, function (event)
			local ok, err = pcall(handler, event);
			if not ok then
				engine:room_restored(event.room.jid);
				error(err, 0);
			end
		end);
	end

	module:hook("muc-set-affiliation", note("take note of an affiliation", function (event)
		affiliation_changed(event.room, event.jid, event.affiliation);
	end), 1000);

	module:hook("muc-set-affiliation-data/reserved_nickname", note("take note of a nickname", function (event)
		affiliation_changed(event.room, event.jid, listed_affiliation(event.room, event.jid));
	end), 1000);

	-- The one event that follows every change of an occupant's sessions: muc-occupant-left is also fired for
	-- a change of nickname, and muc-occupant-joined is not.
	module:hook("muc-broadcast-presence", note("take note of a presence", function (event)
		local occupant = event.occupant;
		local nick = jid_resource(occupant.nick);
		if is_present(occupant) then
			engine:occupant_present(event.room.jid, occupant.bare_jid, nick);
		else
			engine:occupant_gone(event.room.jid, occupant.bare_jid, nick);
		end
	end), 1000);

	module:hook("muc-room-restored", guard.watch("take note of a restored room", function (event)
		engine:room_restored(event.room.jid);
	end), 1000);

	module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
		engine:room_destroyed(event.room.jid);
	end), 1000);

	-- Below every filter: what a module has stopped is no message, and what it has changed is what counts.
	module:hook("muc-broadcast-message", guard.watch("push a message", function (event)
		local room, stanza = event.room, event.stanza;
		read_room(room);
		if not engine:is_anybody_absent(room.jid) then return; end
		local sender = room:get_occupant_by_nick(stanza.attr.from);
		local told = engine:message({
			room = room.jid;
			sender = sender and sender.bare_jid;
			members_only = room:get_members_only() and true or false;
			public = room:get_public() and true or false;
			keep_original = wants_message();
		}, stanza, monotonic());
		if told > 0 then
			module:log("debug", "A message in %s is pushed to %d device(s)", room.jid, told);
			on_message();
		end
	end), -1000);

	return { read = read_room, add_user = add_user };
end

return { watch = watch };
