-- Which of the messages that are in the store of what is held the engine was told of, and where it is known by now that it was. Once what
-- that has changed is in the outbox, a start must not tell it again: it would count twice. So the outbox says so in the very batch, and
-- a checkpoint that takes the place of this says it again, until the held store has taken note of it.
--
-- What the outbox says of it: { since = the name of the first record of the held store, as numbers may begin anew once that was
-- empty; rooms = room JID -> the number of the last message that is told }.
--
-- This file is MIT/X11 licensed.

-- Only what is greater: told in the order of their numbers.
local function add(numbers, more)
	for room_jid, number in pairs(more) do
		if math.type(number) and type(room_jid) == "string" then numbers[room_jid] = math.max(number, numbers[room_jid] or number); end
	end
end

-- parts: { engine; held = see held_messages.lua }
local function new(parts)
	local engine, held = parts.engine, parts.held;

	-- Room JID -> number of the last message that the engine was told of: of what the outbox says nothing about, and of what it does, but
	-- not the held store.
	local told, in_outbox = {}, {};
	local since; -- nil: there is nothing in the held store
	local earlier = {}; -- what the outbox of the last run says: `since` -> room JID -> number

	local function is_any()
		add(told, held.take_told());
		return next(told) ~= nil;
	end

	-- Whether all that the engine was told of is stored, or in the batch that is being written.
	local function is_all_written()
		local stats = engine:stats();
		return stats.spreading == 0 and stats.unstored == 0;
	end

	-- Whether the engine was told of something that is not in the outbox yet.
	local function is_under_way()
		return is_any() and not is_all_written();
	end

	-- What a batch that was polled is to say; nil for nothing, where some of what was told is not in it.
	local function for_batch()
		if not since or is_under_way() or not next(told) then return nil; end
		local rooms = {};
		add(rooms, told);
		return { since = since, rooms = rooms };
	end

	-- That batch is in the store.
	local function batch_stored(said)
		if not said then return; end
		add(in_outbox, said.rooms);
		for room_jid, number in pairs(said.rooms) do
			if told[room_jid] == number then told[room_jid] = nil; end
		end
	end

	-- What the held store can take note of: it is in the outbox. Nil for nothing.
	local function to_note()
		local numbers = {};
		add(numbers, in_outbox);
		if is_any() and is_all_written() then add(numbers, told); end
		return next(numbers) and numbers or nil;
	end

	-- The held store has taken note of them.
	local function noted(numbers)
		for _, known in ipairs { told, in_outbox } do
			for room_jid, number in pairs(numbers) do
				if known[room_jid] and known[room_jid] <= number then known[room_jid] = nil; end
			end
		end
	end

	-- What a checkpoint is to say, nil for nothing.
	local function for_checkpoint()
		local rooms = since and to_note();
		return rooms and { since = since, rooms = rooms } or nil;
	end

	-- A message that nobody is to be told of any more.
	local function note(room_jid, number)
		add(told, { [room_jid] = number });
	end

	-- The first record is in the held store. Where there is one already, nothing changes.
	local function begin(name)
		since = since or name;
	end

	-- The held store has nothing more that may be told.
	local function end_all()
		told, in_outbox, since = {}, {}, nil;
	end

	-- said: by a record of the outbox of the last run; nil for nothing
	local function take_up(said)
		if type(said) ~= "table" or type(said.since) ~= "string" or type(said.rooms) ~= "table" then return; end
		earlier[said.since] = earlier[said.since] or {};
		add(earlier[said.since], said.rooms);
	end

	-- What of the messages that runs before have held is in the outbox: room JID -> number.
	local function told_before()
		local numbers = since and earlier[since] or {};
		earlier = {};
		return numbers;
	end

	-- For the module that follows this one after a reload: plain values.
	local function hand_over()
		is_any();
		return { told = told, in_outbox = in_outbox, since = since };
	end

	local function take_over(of_before)
		if of_before then told, in_outbox, since = of_before.told, of_before.in_outbox, of_before.since; end
	end

	return {
		is_under_way = is_under_way, for_batch = for_batch, batch_stored = batch_stored, for_checkpoint = for_checkpoint;
		to_note = to_note, noted = noted, note = note, begin = begin, end_all = end_all;
		take_up = take_up, told_before = told_before, hand_over = hand_over, take_over = take_over;
	};
end

return { new = new };
