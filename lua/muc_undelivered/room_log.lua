-- What is known of each room: what it has broadcast, which sessions were there when, the private messages sent in it, and
-- the page of its archive that was read last.
--
-- This is the owner: a record of a room is made, changed and forgotten here, each of its fields by the part that it is
-- named after. Others get records to look at, and to hand back.
--
-- Bounds: `bytes` of everything, by weight, see memory.lua; for the rest see the parts. A record is forgotten with its room, or
-- once it holds neither a message, nor a visit, nor a page.
--
-- This file is MIT/X11 licensed.

local part = ...;

local archives = part "muc_undelivered/archive";
local histories = part "muc_undelivered/history";
local memories = part "muc_undelivered/memory";
local pages = part "muc_undelivered/pages";
local private_messages = part "muc_undelivered/private_messages";
local reports = part "muc_undelivered/reports";
local tasks = part "shared/tasks";
local visits = part "muc_undelivered/visits";

-- What save() returns has the shape that this number stands for. It is raised when the shape changes.
local format = 2;

-- How long others are kept waiting while what is too old is forgotten.
local seconds_per_turn = 0.005;

-- bounds: { messages = how many broadcasts of a room are kept; seconds = for how long these are, private messages, and visits that
-- are over; archived = how many entries of an archive are looked at; bytes = how much all of it may weigh }
local function new(bounds)
	-- room JID -> { history, visits, private_messages, page, read_at = when the archive was last read for an author }, the
	-- last three nil until there are any
	local records = {};
	local memory = memories.new(bounds.bytes);
	local history = histories.new(bounds.messages, bounds.seconds, memory, archives.is_enabled);
	local report_book = reports.new(memory);
	local visit_tracker = visits.new(bounds.seconds, memory, report_book);
	local private = private_messages.new(bounds.seconds, memory);
	local page_reader = pages.new(bounds.archived, memory);
	local in_slices = tasks.new(seconds_per_turn);
	local is_expiring = false; -- whether what is too old is being forgotten
	local remember = history.remember;

	-- The record of a room of which nothing is known yet.
	local function open(room_jid)
		local room_history = history.open(room_jid);
		local record = { history = room_history, visits = visits.open(room_history) };
		records[room_jid] = record;
		return record;
	end

	local function forget(room_jid)
		local record = records[room_jid];
		if record then
			history.close(record.history);
			page_reader.drop(record);
			records[room_jid] = nil;
		end
	end

	-- A message that is being broadcast. sender: see history.lua. On the way of every message: two microseconds.
	local function remember_broadcast(room_jid, stanza, sender)
		local record = records[room_jid] or open(room_jid);
		remember(record.history, stanza, sender);
	end

	local function remember_private(room, stanza)
		local record = records[room.jid] or open(room.jid);
		record.private_messages = record.private_messages or private_messages.open();
		private.remember(record.private_messages, room, stanza);
	end

	local function note_entering(room_jid, real_jid)
		local record = records[room_jid] or open(room_jid);
		visits.note_entering(record.visits, real_jid);
	end

	-- The sessions of an occupant may have changed.
	local function update(room, occupant)
		local record = records[room.jid];
		if record then
			visit_tracker.update(record.visits, room, occupant);
		end
	end

	-- A session that is about to be removed, or has been. Returns the room's record and the session's newest visit; nil
	-- where the session is not known to have been in the room.
	local function find_leaving(room, real_jid)
		local record, is_present = records[room.jid], room:get_occupant_jid(real_jid);
		if is_present then
			record = record or open(room.jid);
			visits.note_leaving(record.visits, real_jid);
		elseif not record then
			return nil;
		end
		local visit = visit_tracker.find_newest(record.visits, room, real_jid);
		if visit then return record, visit; end
	end

	-- Whether a bounce is that of a private message, see private_messages.lua.
	local function take_private(record, bounce, bare_jid)
		return record.private_messages ~= nil and private.take(record.private_messages, bounce, bare_jid);
	end

	-- The broadcasts that are kept, see message_index.lua.
	local function broadcasts(record)
		return history.index_of(record.history);
	end

	-- The newest messages in the archive, see archive.lua. owner: the share that the bounce counts to, see shares.lua. Nil where
	-- the archive is not to be read now.
	local function archive_page(record, owner)
		return page_reader.for_bounce(record, owner);
	end

	-- The bare JID of the author of a message, by its id in the archive; nil where it is not known. Whatever is asked for, and
	-- whatever is forgotten meanwhile, archives are read no more often than pages.lua says.
	local function author_of(room, stanza_id)
		local record = records[room.jid] or open(room.jid);
		local message = history.find(record.history, stanza_id);
		if message then return message.sender; end
		if not archives.has_authors(room) then return nil; end
		local page = page_reader.for_author(record);
		return page and archives.author_of(page, stanza_id);
	end

	local function expire_record(room_jid, record)
		history.expire(record.history);
		page_reader.expire(record);
		if record.history.oldest > record.history.number and not record.page and next(record.visits.newest) == nil then
			forget(room_jid);
		end
	end

	local function expire_records(pause)
		local room_jids = {}; -- while this is going on, records come and go
		for room_jid in pairs(records) do table.insert(room_jids, room_jid); end
		for _, room_jid in ipairs(room_jids) do
			local record = records[room_jid];
			if record then expire_record(room_jid, record); end
			pause();
		end
	end

	-- Forgets what is too old.
	local function expire()
		visit_tracker.expire();
		private.expire();
		if is_expiring then return; end
		is_expiring = true;
		in_slices.start("forget what is too old", expire_records, function () is_expiring = false; end);
	end

	local function save()
		return {
			format = format, rooms = records, messages = bounds.messages, bytes = memory.total;
			ended = visit_tracker.save(), reports = report_book.save(), private_messages = private.save(), pages = page_reader.save();
		};
	end

	-- Takes over what save() has returned in an earlier load of this module. What another version has saved is nothing.
	local function restore(saved)
		if type(saved) ~= "table" or saved.format ~= format then return; end
		for room_jid, record in pairs(saved.rooms) do
			records[room_jid] = record;
			history.adopt(record.history, saved.messages);
		end
		visit_tracker.restore(saved.ended);
		report_book.restore(saved.reports);
		private.restore(saved.private_messages);
		page_reader.restore(saved.pages);
	end

	return {
		remember_broadcast = remember_broadcast, remember_private = remember_private, note_entering = note_entering, update = update;
		find_leaving = find_leaving, take_private = take_private, broadcasts = broadcasts, archive_page = archive_page;
		reports = report_book, author_of = author_of;
		forget = forget, expire = expire, save = save, restore = restore;
	};
end

return { new = new };
