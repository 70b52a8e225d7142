-- Consent: whom somebody else has made a member of a room, and who has had nothing to do with it since. A stranger can do
-- that to anybody, so such a member gets less; the engine says what.
--
-- The affiliation data of the room has a mark for each of them, which Prosody keeps with the room and shows to nobody. It
-- is written into what is about to be stored anyway. A membership without a mark counts as one with consent, as does each
-- from before this module was there.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_resource = require "util.jid".resource;
local monotonic = require "util.time".monotonic;
local resourceprep = require "util.encodings".stringprep.resourceprep;

local guard = part "shared/guard";
local timers = part "shared/timers";

local mark = "muc_push_without_consent";

local xmlns_register = "jabber:iq:register";

-- The marks of those who have entered are removed at once. The room is stored without them a moment later, but not again
-- before so many seconds have passed: many may enter a large room.
local seconds_until_stored = 1;
local seconds_between_stores = 60;

local is_member = { owner = true, admin = true, member = true };

-- data: a member's affiliation data, or nil
local function is_marked(data)
	return data and data[mark] or false;
end

local function copy(data)
	local copied = {};
	for key, value in pairs(data) do copied[key] = value; end
	return copied;
end

-- Whether an occupant is, or was until now, in the room with a session. One of a bare JID stands for an account, and one
-- that has lost its connection was there.
local function has_session(occupant)
	if occupant.role == nil then return false; end
	for real_jid, presence in occupant:each_session() do
		if presence.attr.type == nil and jid_resource(real_jid) then return true; end
	end
	return false;
end

local function is_there(room, bare_jid)
	for _, occupant in pairs(room._occupants) do
		if occupant.bare_jid == bare_jid and has_session(occupant) then return true; end
	end
	return false;
end

-- The nickname that a request registers with a room (XEP-0045, section 7.10); nil where it registers none.
local function requested_nick(stanza)
	local form = stanza:find("{"..xmlns_register.."}query/{jabber:x:data}x");
	for field in form and form:childtags("field") or function () end do
		if field.attr.var == "muc#register_roomnick" then
			return resourceprep(field:get_child_text("value") or "");
		end
	end
end

-- parts: { muc = the environment of mod_muc; live_rooms; is_asked_for = whether consent is needed at all }
local function watch(parts)
	local muc, live_rooms, is_asked_for = parts.muc, parts.live_rooms, parts.is_asked_for;
	local on_consent = function () end;
	local unstored = {}; -- JID of a room whose marks have changed -> when to store it
	local stored = {}; -- JID of a room -> when it was stored, if that is not long ago
	local is_planned = false;
	local own_registrations = setmetatable({}, { __mode = "k" }); -- what users themselves register -> true
	local made_by = setmetatable({}, { __mode = "k" }); -- a room that is being made -> the bare JID of its owner
	local marked_for = setmetatable({}, { __mode = "k" }); -- affiliation data -> { room_jid, bare_jid }

	-- Whether a member's affiliation data says that they have not consented.
	local function is_missing_in(data)
		return is_asked_for and is_marked(data);
	end

	local function is_missing(room, bare_jid)
		return is_missing_in(room:get_affiliation_data(bare_jid));
	end

	-- Stores one of the rooms that are due: each may be large.
	local function store_due()
		local now = monotonic();
		for room_jid, at in pairs(stored) do
			if now - at >= seconds_between_stores then stored[room_jid] = nil; end
		end
		for room_jid, at in pairs(unstored) do
			local room = at <= now and live_rooms.find(room_jid);
			if at <= now then unstored[room_jid] = nil; end
			if room then
				-- One that is not live any more was stored with its occupants when it went, whom this would remove.
				if live_rooms.is_live(room) then
					stored[room_jid] = now;
					room:save();
				end
				return;
			end
		end
	end

	local function on_timer()
		guard.attempt("store who has consented", store_due);
		is_planned = next(unstored) ~= nil;
		return is_planned and seconds_until_stored or nil;
	end

	local function store_later(room)
		if not unstored[room.jid] then
			local last = stored[room.jid];
			unstored[room.jid] = last and last + seconds_between_stores or monotonic() + seconds_until_stored;
		end
		if not is_planned then
			is_planned = true;
			timers.add(seconds_until_stored, on_timer);
		end
	end

	-- A member has not consented. Whoever has set the data may give the same table to others, and one with something in it
	-- can be stored for one of them only.
	local function put_mark(room, bare_jid, data)
		local before = marked_for[data];
		if before and before.room_jid == room.jid and room._affiliation_data[before.bare_jid] == data then
			room._affiliation_data[before.bare_jid] = copy(data);
		end
		data[mark] = true;
		marked_for[data] = { room_jid = room.jid, bare_jid = bare_jid };
	end

	-- A member has consented.
	local function give(room, bare_jid)
		local data = copy(room:get_affiliation_data(bare_jid));
		data[mark] = nil;
		room._affiliation_data[bare_jid] = next(data) ~= nil and data or nil;
		store_later(room);
		on_consent(room, bare_jid);
	end

	-- An occupant is there, or was until now.
	local function note_occupant(room, occupant)
		if is_missing(room, occupant.bare_jid) and has_session(occupant) then
			give(room, occupant.bare_jid);
		end
	end

	-- A user has been in a room.
	local function note_user(room, bare_jid)
		if is_missing(room, bare_jid) then
			give(room, bare_jid);
		end
	end

	local function is_own_doing(event)
		return event.data and own_registrations[event.data] or event.actor and jid_bare(event.actor) == event.jid
			or made_by[event.room] == event.jid;
	end

	-- Before the affiliation is stored, and after all who may refuse it.
	module:hook("muc-pre-set-affiliation", guard.watch("take note of who makes a member", function (event)
		if not is_asked_for or event.allowed == false then return; end
		local data, previous_data = event.data, event.previous_data;
		if not is_member[event.affiliation] or is_own_doing(event) then
			-- What there was before stays without data; and Prosody 13.0 hands it in.
			if previous_data and (not data or data == previous_data) then previous_data[mark] = nil; end
		elseif is_member[event.previous_affiliation] then
			-- Without data, what there was before stays.
			if data and is_marked(previous_data) then put_mark(event.room, event.jid, data); end
		elseif not is_there(event.room, event.jid) then
			event.data = data or previous_data or {};
			put_mark(event.room, event.jid, event.data);
		end
	end), -1000);

	-- The owner of a new room is in it only a moment after becoming that, for which mod_muc has the priority -1.
	module:hook("muc-room-pre-create", guard.watch("take note of who makes a room", function (event)
		made_by[event.room] = jid_bare(event.stanza.attr.from);
	end), 0);
	module:hook("muc-room-pre-create", guard.watch("take note of a new room", function (event)
		made_by[event.room] = nil;
	end), -2);

	module:hook("muc-registration-submitted", guard.watch("take note of a registration", function (event)
		own_registrations[event.affiliation_data] = true;
	end));

	-- A nickname that somebody else has reserved for them is no news for Prosody, but that they want it is.
	module:hook("iq/bare/"..xmlns_register..":query", guard.watch("take note of a registration", function (event)
		local stanza = event.stanza;
		local room = stanza.attr.type == "set" and muc.get_room_from_jid(jid_bare(stanza.attr.to));
		local bare_jid = jid_bare(stanza.attr.from);
		if not room or not is_missing(room, bare_jid) then return; end
		local nick = requested_nick(stanza);
		if nick and nick == room:get_affiliation_data(bare_jid, "reserved_nickname") then
			give(room, bare_jid);
		end
	end), 1);

	return {
		is_missing = is_missing, is_missing_in = is_missing_in, note_occupant = note_occupant, note_user = note_user;
		-- handler(room, bare_jid): called when a member has consented
		on_consent = function (handler) on_consent = handler; end;
	};
end

return { watch = watch };
