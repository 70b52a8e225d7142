-- Keeps the outbox in Prosody's storage: by a journal that is always up to date, or at a clean stop alone, where the operator
-- wants no journal or the storage cannot have one.
--
-- This file is MIT/X11 licensed.

local part = ...;

local journal = part "muc_cloud_notify/journal";
local outbox_reader = part "muc_cloud_notify/outbox_reader";
local outbox_records = part "muc_cloud_notify/outbox_records";
local outbox_snapshot = part "muc_cloud_notify/outbox_snapshot";

-- Opens the store. Returns it, and whether there is to be a journal. is_journal_wanted: whether the operator wants one
local function open(is_journal_wanted, standby)
	local records = outbox_records.open("outbox", standby);
	if is_journal_wanted and not records.can_list then
		module:log("warn", "The storage of this host cannot list its records, so there is no journal: what is to be pushed is stored at a clean stop alone,"
			.." and lost if the server is killed; see docs/operators.md");
	end
	return records, is_journal_wanted and records.can_list;
end

-- parts: { engine; is_new = whether the engine has to be filled; records, has_journal = as open() has returned them; held_told }
local function new(parts)
	local reader = outbox_reader.new(parts);
	local writer = (parts.has_journal and journal or outbox_snapshot).new(parts);
	local has_begun = not parts.is_new;

	return {
		-- Takes up all that is stored, see outbox_reader.lua. Returns after how many seconds it is to be called again, nil: it is done.
		restore = reader.restore;
		-- What is stored was taken up. handed_over: what hand_over() has returned before a reload; without it, and without
		-- restore(), nothing is known.
		begin = function (handed_over)
			writer.begin(handed_over or reader.summary());
			has_begun = true;
		end;
		-- Writes what has to be stored before pushes are sent. Returns whether that may have taken a while.
		turn = writer.turn or function () return false; end;
		-- Writes what has to be stored before a record of registrations is, see journal.lua. Returns whether there was anything.
		bequeath = writer.bequeath or function () return false; end;
		-- Whether that can be done yet, and pushes be sent: once all that is stored is taken up.
		has_begun = function () return has_begun; end;
		-- Stores what outlives a stop.
		save = writer.save;
		-- Removes what was taken up, once it is told; nil where that stays.
		clear = writer.clear;
		-- Before a reload.
		hand_over = writer.hand_over or function () return nil; end;
	};
end

return { open = open, new = new };
