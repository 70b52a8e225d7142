-- Which rooms are in memory.
--
-- mod_muc keeps so many (muc_room_cache_size), and writes the others to its store; its get_room_from_jid() brings a room
-- back from there, which takes milliseconds, and puts out another. It has no way to ask for a room only if it is live, so
-- this is it. A room that was put out may be found for a little longer: as nothing can happen to it without its being
-- restored, it still is as it was.
--
-- Its own list changes its order whenever a room is used, so that nobody can go through it bit by bit. Here each room has a
-- place, and keeps it: those of rooms that are gone are taken by new ones. There are hardly more places than there were rooms
-- at a time.
--
-- This file is MIT/X11 licensed.

local part = ...;

local new_id = require "util.id".medium; -- COMPAT 0.12: no prosody.* names
local jid_node = require "util.jid".node;
local new_table = require "util.table".create;

local guard = part "shared/guard";
local host_stores = part "muc_cloud_notify/host_stores";

-- How many places are looked at for one that is free, for each new room.
local looked_at_per_room = 4;

-- muc: the environment of mod_muc
local function watch(muc)
	local count = 0; -- of places
	for _ in muc.live_rooms() do count = count + 1; end
	-- As large as they have to be at once: to grow takes longer than to be filled.
	local rooms = setmetatable(new_table(0, count), { __mode = "v" }); -- room JID -> room
	local places = setmetatable(new_table(count, 0), { __mode = "v" }); -- place -> room, which may be gone
	local looked_at = 0; -- the place that was looked at last
	local configs = host_stores.new "config"; -- what mod_muc stores of each room

	local function is_known(room)
		return room ~= nil and rooms[room.jid] == room;
	end

	local function find_free_place()
		for _ = 1, math.min(looked_at_per_room, count) do
			looked_at = looked_at % count + 1;
			if not is_known(places[looked_at]) then return looked_at; end
		end
		count = count + 1;
		return count;
	end

	local function add(room)
		if is_known(room) then return; end
		places[find_free_place()] = room;
		rooms[room.jid] = room;
	end

	local function on_event(event)
		add(event.room);
	end

	count = 0;
	for room in muc.live_rooms() do
		count = count + 1;
		places[count], rooms[room.jid] = room, room;
	end
	-- Before other handlers look for the room.
	module:hook("muc-room-created", guard.watch("take note of a new room", on_event), 1001);
	module:hook("muc-room-restored", guard.watch("take note of a restored room", on_event), 1001);
	module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
		if is_known(event.room) then rooms[event.room.jid] = nil; end
	end), 1001);

	-- The room with this JID, nil where it is not in memory.
	local function find(room_jid)
		return rooms[room_jid];
	end

	-- Whether it is the store that fails, and not what is in it of a room that could not be read just now.
	local function is_store_failing(room_jid)
		return pcall(configs.get, jid_node(room_jid), module.host) or not pcall(configs.get, new_id(), module.host);
	end

	-- The room with this JID, which is brought back from Prosody's store if need be. Nil where it is not there, or cannot be read. Also
	-- returns whether the store fails: of a room that cannot be read mod_muc makes up one without members, for each who asks.
	local function find_or_restore(room_jid, pause)
		local room = find(room_jid);
		if room then return room, false; end
		guard.attempt("restore the room "..room_jid, function () room = muc.get_room_from_jid(room_jid); end);
		local is_made_up = room and not is_known(room);
		pause(true);
		return room, is_made_up and is_store_failing(room_jid) or false;
	end

	-- An iterator over the rooms that are in memory now, and still are when it is their turn: there may be pauses between them.
	-- Of those that come into memory meanwhile some are gone through, too.
	local function each()
		local place, last = 0, count;
		return function ()
			while place < last do
				place = place + 1;
				local room = places[place];
				if is_known(room) then return room; end
			end
		end;
	end

	-- Whether mod_muc has not put a room out, which takes a look at all rooms that were used after it.
	local function is_live(room)
		for other in muc.live_rooms() do
			if other == room then return true; end
		end
		return false;
	end

	return { find = find, find_or_restore = find_or_restore, each = each, is_live = is_live };
end

return { watch = watch };
