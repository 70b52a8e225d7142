-- What is known of each room: what it has broadcast, which sessions were there when, the private messages sent in it, and
-- the page of its archive that was read last.
--
-- This is the owner: a record of a room is made, changed and forgotten here, each of its fields by the part that it is
-- named after. Others get records to look at, and to hand back.
--
-- Bounds: see the parts. A record is forgotten with its room, or once it holds neither a message, nor a visit, nor a page.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local archives = part "muc_undelivered/archive";
local histories = part "muc_undelivered/history";
local private_messages = part "muc_undelivered/private_messages";
local visits = part "muc_undelivered/visits";

-- What save() returns has the shape that this number stands for. It is raised when the shape changes.
local format = 1;

-- How long the archive of a room is left alone once it was read for an author: that happens inside a broadcast.
local seconds_between_reads = 60;

local function is_archive_left_alone(record)
	return record.read_at ~= nil and monotonic() < record.read_at + seconds_between_reads;
end

-- bounds: { messages = how many broadcasts of a room are kept; seconds = for how long these are, and visits that are
-- over; archived = how many entries of an archive are looked at }
local function new(bounds)
	-- room JID -> { history, visits, private_messages, page, read_at = when the archive was last read for an author }, the
	-- last three nil until there are any
	local records = {};
	local archive = archives.new(bounds.archived);
	local history = histories.new(bounds.messages, bounds.seconds, archives.is_enabled);
	local visit_tracker = visits.new(bounds.seconds);
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
			records[room_jid] = nil;
		end
	end

	-- A message that is being broadcast. sender: see history.lua. On the way of every message: half a microsecond.
	local function remember_broadcast(room_jid, stanza, sender)
		local record = records[room_jid] or open(room_jid);
		remember(record.history, stanza, sender);
	end

	local function remember_private(room, stanza)
		local record = records[room.jid] or open(room.jid);
		record.private_messages = record.private_messages or private_messages.open();
		private_messages.remember(record.private_messages, room, stanza);
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
		local visit = visits.find_newest(record.visits, room, real_jid);
		if visit then return record, visit; end
	end

	-- Whether a bounce is that of a private message, see private_messages.lua.
	local function take_private(record, bounce, bare_jid)
		return record.private_messages ~= nil and private_messages.take(record.private_messages, bounce, bare_jid);
	end

	-- Iterates over the broadcasts that are kept, see history.lua.
	local function each_broadcast(record)
		return history.each(record.history);
	end

	-- The newest messages in the archive, see archive.lua.
	local function archive_page(record)
		record.page = archive.page_of(record.history, record.page);
		return record.page;
	end

	-- The bare JID of the author of a message, by its id in the archive; nil where it is not known. Whatever is asked for, and
	-- whatever is forgotten meanwhile, the archive of a room is read no more often than every `seconds_between_reads`.
	local function author_of(room, stanza_id)
		local record = records[room.jid] or open(room.jid);
		local message = history.find(record.history, stanza_id);
		if message then return message.sender; end
		if not archives.has_authors(room) then return nil; end
		if not archives.covers_what_is_forgotten(record.page, record.history) and not is_archive_left_alone(record) then
			record.page, record.read_at = archive.page_of(record.history, record.page), monotonic();
		end
		return record.page and archives.author_of(record.page, stanza_id);
	end

	-- Forgets what is too old.
	local function expire()
		visit_tracker.expire();
		for room_jid, record in pairs(records) do
			history.expire(record.history);
			if not is_archive_left_alone(record) then
				record.page = nil;
			end
			if record.history.oldest > record.history.number and not record.page and next(record.visits.newest) == nil then
				forget(room_jid);
			end
		end
	end

	local function save()
		return { format = format, rooms = records, ended = visit_tracker.save(), messages = bounds.messages };
	end

	-- Takes over what save() has returned in an earlier load of this module. What another version has saved is nothing.
	local function restore(saved)
		if type(saved) ~= "table" or saved.format ~= format then return; end
		for room_jid, record in pairs(saved.rooms) do
			records[room_jid] = record;
			history.adopt(record.history, saved.messages);
		end
		visit_tracker.restore(saved.ended);
	end

	return {
		remember_broadcast = remember_broadcast, remember_private = remember_private, note_entering = note_entering, update = update;
		find_leaving = find_leaving, take_private = take_private, each_broadcast = each_broadcast, archive_page = archive_page;
		author_of = author_of;
		forget = forget, expire = expire, save = save, restore = restore;
	};
end

return { new = new };
