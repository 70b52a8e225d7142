-- Which rooms are in memory.
--
-- mod_muc keeps so many (muc_room_cache_size), and writes the others to its store; its get_room_from_jid() brings a room
-- back from there, which takes milliseconds, and puts out another. It has no way to ask for a room only if it is live, so
-- this is it. A room that was put out may be found for a little longer: as nothing can happen to it without its being
-- restored, it still is as it was.
--
-- This file is MIT/X11 licensed.

local part = ...;

local guard = part "shared/guard";

-- muc: the environment of mod_muc
local function watch(muc)
	local rooms = setmetatable({}, { __mode = "v" }); -- room JID -> room

	local function add(event)
		rooms[event.room.jid] = event.room;
	end

	for room in muc.live_rooms() do
		rooms[room.jid] = room;
	end
	-- Before other handlers look for the room.
	module:hook("muc-room-created", guard.watch("take note of a new room", add), 1001);
	module:hook("muc-room-restored", guard.watch("take note of a restored room", add), 1001);
	module:hook("muc-room-destroyed", guard.watch("take note of a destroyed room", function (event)
		rooms[event.room.jid] = nil;
	end), 1001);

	-- The room with this JID, nil where it is not in memory.
	local function find(room_jid)
		return rooms[room_jid];
	end

	return { find = find };
end

return { watch = watch };
