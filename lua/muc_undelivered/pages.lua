-- The pages of archives that are kept, one of a room, and how often one may be read: reading keeps everybody waiting, and
-- bounces and replies are anybody's.
--
-- Where a page may not be read, an author is looked for in the one that was read last. A bounce is not: whether a message was
-- sent during a visit, only a page says that has all the newest.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local archives = part "muc_undelivered/archive";
local token_buckets = part "shared/token_buckets";
local queues = part "muc_undelivered/queue";

-- How long the archive of a room is left alone once it was read for an author: that happens inside a broadcast.
local seconds_between_reads = 60;

local max_pages = 1000;
-- Of rooms, and of shares.
local max_buckets = 1000;

local function is_left_alone(record)
	return record.read_at ~= nil and monotonic() < record.read_at + seconds_between_reads;
end

local function forget(page)
	if page.record.page == page then page.record.page = nil; end
end

-- limit: how many entries of an archive are looked at
local function new(limit, memory)
	local archive = archives.new(limit);
	local queue = queues.new { memory = memory, seconds = math.huge, limit = max_pages, forget = forget };

	-- For bounces: from a room, from a share (see shares.lua), and in all.
	local in_room, of_owner = token_buckets.new(10, 0.1, max_buckets), token_buckets.new(20, 1, max_buckets);
	local in_all = token_buckets.new(60, 2, 1);
	-- For authors of messages that are replied to, in all; in a room there is `seconds_between_reads`.
	local for_authors = token_buckets.new(30, 0.5, 1);

	local function drop(record)
		if record.page then queue.remove(record.page); end
	end

	local function keep(record, page)
		drop(record);
		record.page = page;
		page.record, page.room, page.owner = record, record, "";
		queue.add(page);
	end

	-- A page for a bounce that counts to a share, nil where there is none. While the room broadcasts nothing, the archive has nothing new.
	local function for_bounce(record, owner)
		local history = record.history;
		if record.page and record.page.number == history.number then return record.page; end
		local room_jid = history.room_jid;
		if not (in_room.has(room_jid) and of_owner.has(owner) and in_all.has(true)) then return nil; end
		in_room.take(room_jid);
		of_owner.take(owner);
		in_all.take(true);
		keep(record, archive.read_page(history));
		return record.page;
	end

	-- A page for what is said of an author, nil where there is none.
	local function for_author(record)
		local is_enough = archives.covers_what_is_forgotten(record.page, record.history);
		if not is_enough and not is_left_alone(record) and for_authors.take(true) then
			record.read_at = monotonic();
			keep(record, archive.read_page(record.history));
		end
		return record.page;
	end

	-- Forgets the page of a room where it may be read again.
	local function expire(record)
		if not is_left_alone(record) then drop(record); end
	end

	return { for_bounce = for_bounce, for_author = for_author, expire = expire, drop = drop, save = queue.save, restore = queue.restore };
end

return { new = new };
