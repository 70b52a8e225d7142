-- Messages of a room by what a bounce says of them: the id that the client has given, and the one of the archive.
--
-- Any number of messages may have the same id of a client's: they make a chain, the newest first, each with its `earlier`
-- and `later` one.
--
-- Bounds: for a bounce, `max_candidates` messages are looked at.
--
-- This file is MIT/X11 licensed.

local max_candidates = 20;

local function new()
	return {
		by_id = {}; -- id, false for none -> the newest message with it
		by_stanza_id = {}; -- id in the archive -> message
	};
end

-- message: newer than all in the index; { id, stanza_id }
local function add(index, message)
	local id, stanza_id = message.id or false, message.stanza_id;
	local by_id = index.by_id;
	local earlier = by_id[id];
	message.earlier, message.later = earlier, nil;
	if earlier then earlier.later = message; end
	by_id[id] = message;
	if stanza_id then index.by_stanza_id[stanza_id] = message; end
end

-- message: the oldest in the index
local function remove_oldest(index, message)
	local id, stanza_id, later = message.id or false, message.stanza_id, message.later;
	if later then
		later.earlier = nil;
	else
		index.by_id[id] = nil;
	end
	if stanza_id and index.by_stanza_id[stanza_id] == message then index.by_stanza_id[stanza_id] = nil; end
end

-- The first message that may be meant by { id, stanza_id, from } and for which is_it(message) is true.
local function find(index, bounce, is_it)
	local archived = bounce.stanza_id and index.by_stanza_id[bounce.stanza_id];
	if archived and is_it(archived) then return archived; end
	local message, looked_at = index.by_id[bounce.id or false], 0;
	while message and looked_at < max_candidates do
		if message ~= archived and (not bounce.from or bounce.from == message.from) then
			if is_it(message) then return message; end
			looked_at = looked_at + 1;
		end
		message = message.earlier;
	end
end

return { new = new, add = add, remove_oldest = remove_oldest, find = find };
