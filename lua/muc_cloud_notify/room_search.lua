-- Finds the rooms in which a user is a member, when that becomes of interest: they have a device now, or ask for one.
--
-- Only live rooms are looked into: of those that are not, the members are read when Prosody restores them. There may be many
-- of both rooms and users, so users are searched for in groups, each in one pass over the rooms, in slices. What happens in a
-- room meanwhile must not miss them: whoever is told of it visits the room first, for all users that are searched for.
--
-- A room is looked into directly, and nobody's reading of it is disturbed. Prosody reports its admins as owners of every room,
-- which does not make them members: so it is not asked for affiliations, but the room's list is read.
--
-- This file is MIT/X11 licensed.

local part = ...;

local guard = part "shared/guard";
local is_member = part "muc_cloud_notify/room_sync".is_member;
local search_line = part "muc_cloud_notify/search_line";

-- What is looked up in a room, or the room's affiliations, in one go.
local users_per_group = 500;

-- Those of the users of a group that are members of a room, nil where there are none. Whichever are fewer are gone through,
-- the users or the affiliations.
local function find_members(room, group)
	local affiliations, users = room._affiliations, group.users;
	local found, looked_at = nil, 0;
	for bare_jid, affiliation in pairs(affiliations) do
		looked_at = looked_at + 1;
		if looked_at > group.count then break; end
		if users[bare_jid] and is_member[affiliation] then
			found = found or {};
			found[bare_jid] = true;
		end
	end
	if looked_at <= group.count then return found; end
	found = nil;
	for bare_jid in pairs(users) do
		if is_member[affiliations[bare_jid]] then
			found = found or {};
			found[bare_jid] = true;
		end
	end
	return found;
end

-- parts: { live_rooms; tasks = see lua/shared/tasks.lua; on_members(room, users, occupant) = is told which of
-- those searched for are members of a room, as keys, see visit() for `occupant`; it does not raise errors }
local function new(parts)
	local live_rooms, tasks, on_members = parts.live_rooms, parts.tasks, parts.on_members;

	-- Those that are not done, in their order: { users = bare JID -> true; count = how many; callbacks = { bare_jid, on_found } in
	-- their order; found = bare JID -> true for those who are a member anywhere; visited = JID of a room where something has
	-- happened -> true; is_begun }
	local groups = {};
	local line = search_line.new();
	local is_planned = false; -- whether a task is to see to all of them

	-- Returns whether any of the users is a member. occupant: see visit()
	local function look_into(group, room, occupant)
		local members = find_members(room, group);
		if not members then return false; end
		for bare_jid in pairs(members) do
			group.found[bare_jid] = true;
		end
		on_members(room, members, occupant);
		return true;
	end

	-- Tells at once who of those that are searched for is a member of a room. occupant: one who has changed, and may be gone from
	-- the room by now; nil for none
	local function visit(room, occupant)
		for _, group in ipairs(groups) do
			if not group.visited[room.jid] then
				group.visited[room.jid] = true;
				look_into(group, room, occupant);
			end
		end
	end

	local function is_pending()
		return groups[1] ~= nil;
	end

	local function finish(group, pause)
		table.remove(groups, 1);
		for _, callback in ipairs(group.callbacks) do
			local bare_jid = callback.bare_jid;
			guard.attempt("take note of the rooms of "..bare_jid, callback.on_found, group.found[bare_jid] or false);
			pause(true); -- it may have looked into a store
		end
	end

	-- Of the rooms that this comes to nothing is noted: there may be very many, and a table that is large takes long in one go.
	local function go_through_rooms(group, pause)
		local room;
		local function what() return "look for members of "..room.jid; end
		for live_room in live_rooms.each() do
			room = live_room;
			local has_members = false;
			if not group.visited[room.jid] then
				has_members = select(2, guard.attempt(what, look_into, group, room));
			end
			pause(has_members);
		end
	end

	local function has_space()
		return #groups < 2 or groups[#groups].count < users_per_group;
	end

	-- Lets in as many of those who wait as there is space for. Not everybody comes to be searched for in the end.
	local function let_in(pause)
		for _ = 1, users_per_group do
			local go_on = has_space() and line.take();
			if not go_on then return; end
			guard.attempt("go on with a user who has waited to be searched for", go_on, pause);
			pause(true);
		end
	end

	local function search(pause)
		while groups[1] or line.is_any() do
			local group = groups[1];
			if group then
				group.is_begun = true;
				go_through_rooms(group, pause);
				finish(group, pause);
			end
			let_in(pause);
		end
	end

	local function plan()
		if is_planned then return; end
		is_planned = true;
		tasks.later("find the rooms of users", search, function () is_planned = false; end);
	end

	local function open_group()
		local group = groups[#groups];
		if group and not group.is_begun and group.count < users_per_group then return group; end
		group = { users = {}, count = 0, callbacks = {}, found = {}, visited = {} };
		table.insert(groups, group);
		plan();
		return group;
	end

	-- Searches for a user, from the next turn on. on_found(is_member): is called in the end with whether they are a member of
	-- any live room, after that of those who have been searched for earlier
	local function add(bare_jid, on_found)
		local group = open_group();
		if not group.users[bare_jid] then
			group.users[bare_jid], group.count = true, group.count + 1;
		end
		table.insert(group.callbacks, { bare_jid = bare_jid, on_found = on_found });
		group.visited = {}; -- without this user, or with what they had before
	end

	-- Calls go_on() at once if there is space to search for a user, or go_on(pause) in a task once there is; or give_up() where too many
	-- others wait. Returns whether it was called at once
	local function when_free(bare_jid, go_on, give_up)
		if has_space() and not line.is_any() then
			go_on();
			return true;
		end
		line.add(bare_jid, go_on, give_up);
		plan();
		return false;
	end

	-- A room is gone: what is left of it is nothing to be looked into.
	local function forget(room_jid)
		for _, group in ipairs(groups) do
			group.visited[room_jid] = true;
		end
	end

	return { add = add, when_free = when_free, visit = visit, is_pending = is_pending, forget = forget };
end

return { new = new };
