-- Messages that are held until it is known whom they concern: those that came in before their room was read, or before the
-- registrations were loaded.
--
-- Bounds: what is held of messages weighs `max_held` at most. A room may hold no more than is left for others, and so may those that
-- a family of domains has sent (see shared/families.lua) in all rooms: what is said in some leaves space for others that are read
-- at the same time. What does not fit only counts: of messages by
-- the same author in the same room, with nobody leaving in between, it is kept how many there were. There are `max_counts` such
-- entries; beyond that a message counts as one that was sent earlier, by when fewer had left, and if its author has sent none
-- there, it is told to nobody.
--
-- While a start loads, what is held is in the store too (see held_store.lua). For that it is noted of each room what has changed since it was
-- last written (see held_changes.lua).
--
-- This file is MIT/X11 licensed.

local part = ...;

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local jid_host = require "util.jid".host;

local families = part "shared/families";
local guard = part "shared/guard";
local stanza_weight = part "shared/stanza_weight";
local held_changes = part "muc_cloud_notify/held_changes";
local local_hosts = part "muc_cloud_notify/local_hosts";

-- Of the messages that are held in all rooms, in bytes; and the most elements of one.
local max_held = 8 * 1024 * 1024;
local max_elements = 500;
-- Of a message beside its stanza: its tables, and those of its facts.
local weight_of_message = 1000;
local max_counts = 10000; -- some 6 MB

-- What a message weighs, more than anything where it has more elements than any honest one. stanza: nil where it is not known
local function weight_of(stanza)
	if not stanza then return weight_of_message; end
	local elements, structure, length = stanza_weight.measure(stanza, max_elements);
	return elements <= max_elements and weight_of_message + structure + length or math.huge;
end

-- Who has a share: the family of a message's author, or an account of this server. sender: nil for the room's own
local function family_of(sender)
	if not sender or local_hosts.is_local(sender) then return sender or ""; end
	return families.of(jid_host(sender) or sender);
end

-- parts: { presence; may_have_device(room, bare_jid) = whether a user has a device, as far as that is known; is_important(facts, stanza) =
-- whether a message counts at all }
local function new(parts)
	local is_present, may_have_device = parts.presence.is_present, parts.may_have_device;

	-- room JID -> { room, messages, first, last = which of them are still there, weight, present = see find_present(), presences = how many
	-- occupants have left since the first message was held, left = bare JID -> the number of `presences` with which they left,
	-- counts = see count(), unstored = see held_changes.lua }. A message or count: { kind, details, presences = as it was then, weight, times,
	-- family = whose share it is of, nil: nobody's, number = under which it is in the store, nil: it is not }
	local held = {};
	local weight_held, counts_held = 0, 0; -- of all of them
	local weights = {}; -- family -> how much of that its messages weigh, nil for nothing
	local untold = 0; -- how many messages are told to nobody, as there was no space
	local pushers = {}; -- kind of message -> push(room, details, present)
	local is_noting = false; -- whether what changes is noted, for the store
	local told = {}; -- room JID -> the number of the last message that was in the store, and is held no more

	-- The occupants who have a device, as far as that is known: bare JIDs by occupant JID.
	local function find_present(room)
		local present = {};
		-- Not by each_occupant(), which makes a copy of each one with all its sessions.
		for nick, occupant in pairs(room._occupants) do
			if may_have_device(room, occupant.bare_jid) and is_present(occupant) then
				present[nick] = occupant.bare_jid;
			end
		end
		return present;
	end

	-- Sets what is done with messages of a kind that were held. push(room, details, present): present are bare JIDs of those
	-- who were there when it was sent, and are there no more
	local function on_release(kind, push)
		pushers[kind] = push;
	end

	local function open(room)
		local of_room = held[room.jid];
		if not of_room then
			of_room = { room = room, messages = {}, first = 1, last = 0, weight = 0, present = find_present(room), presences = 0, left = {}, counts = {} };
			held[room.jid] = of_room;
			if is_noting then held_changes.begin(of_room); end
		end
		return of_room;
	end

	local function add(of_room, message)
		message.presences = of_room.presences;
		of_room.last = of_room.last + 1;
		of_room.messages[of_room.last] = message;
	end

	-- The messages without words of an author: a list, the newest last.
	local function counts_of(of_room, facts)
		local key = ("%s %s %s"):format(facts.sender or "", facts.members_only, facts.public);
		of_room.counts[key] = of_room.counts[key] or {};
		return of_room.counts[key];
	end

	local function new_count(facts, sent)
		return { kind = "forgotten", details = { facts = facts, sent = sent, messages = 1 }, weight = 0, times = 1 };
	end

	-- Of a message there is no space for it is kept that there was one. Returns whether that could be.
	local function count(room, facts)
		local of_room = open(room);
		local counts = counts_of(of_room, facts);
		local newest = counts[#counts];
		if newest and (newest.presences == of_room.presences or counts_held >= max_counts) then
			newest.times, newest.details.sent = newest.times + 1, monotonic();
			if newest.number and of_room.unstored then of_room.unstored.recounted[newest] = true; end
			return true;
		elseif counts_held >= max_counts then
			return false;
		end
		local message = new_count(facts, monotonic());
		add(of_room, message);
		table.insert(counts, message);
		counts_held = counts_held + 1;
		return true;
	end

	-- bytes: less than nothing for what is held no more
	local function add_weight(of_room, message, bytes)
		of_room.weight, weight_held = of_room.weight + bytes, weight_held + bytes;
		if message.family then
			local weight = (weights[message.family] or 0) + bytes;
			weights[message.family] = weight > 0 and weight or nil;
		end
	end

	-- Keeps a message until its room is read, where there is space for it. facts: plain values, as they may outlive this module;
	-- stanza: nil where it is not known
	local function hold(room, kind, facts, stanza)
		local weight = weight_of(stanza);
		local family = family_of(facts.sender);
		local before = math.max(held[room.jid] and held[room.jid].weight or 0, weights[family] or 0);
		if before + weight <= max_held - weight_held then
			local of_room = open(room);
			local details = { facts = facts, stanza = stanza and st.clone(stanza), sent = monotonic() };
			local message = { kind = kind, details = details, weight = weight, times = 1, family = family };
			add(of_room, message);
			add_weight(of_room, message, weight);
		elseif kind ~= "message" or parts.is_important(facts, stanza) and not count(room, facts) then
			untold = untold + 1;
			module:log("debug", "A message in %s is told to nobody: too much is held until rooms are read", room.jid);
		end
	end

	-- An occupant has changed while messages are held.
	local function note_occupant(room_jid, occupant, is_here)
		local of_room = held[room_jid];
		if not of_room then return; end
		local before, now_here = of_room.present[occupant.nick], is_here and occupant.bare_jid or nil;
		of_room.present[occupant.nick] = now_here;
		if before and not is_here then
			of_room.presences = of_room.presences + 1;
			of_room.left[before] = of_room.presences;
		end
		if of_room.unstored and before ~= now_here then held_changes.note_occupant(of_room.unstored, occupant.nick, before, now_here); end
	end

	-- Those who have left since, the last first. What they have left with is in their order.
	local function order_left(of_room)
		local order = {};
		for bare_jid in pairs(of_room.left) do table.insert(order, bare_jid); end
		table.sort(order, function (one, other) return of_room.left[one] > of_room.left[other]; end);
		of_room.order, of_room.ordered_at = order, of_room.presences;
	end

	-- Those with a device who were there when a message was held, or came since, and have left since; whoever is there now has
	-- read it.
	local function left_since(of_room, message)
		if of_room.ordered_at ~= of_room.presences then order_left(of_room); end
		local order, left = of_room.order, of_room.left;
		-- Messages come in their order: what has left before one has left before all that follow.
		while order[1] and left[order[#order]] <= message.presences do order[#order] = nil; end
		return table.move(order, 1, #order, 1, {});
	end

	local function take_out(of_room)
		local message = of_room.messages[of_room.first];
		of_room.messages[of_room.first], of_room.first = nil, of_room.first + 1;
		add_weight(of_room, message, -message.weight);
		if message.number then told[of_room.room.jid] = message.number; end
		if of_room.unstored then of_room.unstored.recounted[message] = nil; end
		if message.kind == "forgotten" then
			counts_held = counts_held - 1;
			table.remove(counts_of(of_room, message.details.facts), 1);
			message.details.messages = message.times;
		end
		return message;
	end

	local function forget(room_jid)
		local of_room = held[room_jid];
		while of_room and of_room.messages[of_room.first] do take_out(of_room); end
		held[room_jid] = nil;
	end

	-- How many messages are told to nobody, as there was no space for them, since this was asked for.
	local function take_untold()
		local messages = untold;
		untold = 0;
		return messages;
	end

	local function log_untold()
		if untold > 0 and not next(held) then
			module:log("warn", "%d message(s) are told to nobody: there were too many before it was known whom they concern", take_untold());
		end
	end

	-- Those that come in meanwhile are held too, and follow.
	local function release(room_jid, pause)
		local of_room = held[room_jid];
		while of_room and of_room.messages[of_room.first] do
			local message = take_out(of_room);
			guard.attempt("push a message that was held", pushers[message.kind], of_room.room, message.details, left_since(of_room, message));
			pause(true);
			if held[room_jid] ~= of_room then return; end -- the room is gone
		end
		forget(room_jid);
		log_untold();
	end

	local function is_any(room_jid)
		return held[room_jid] ~= nil;
	end

	-- How many messages are lost if the process ends now: those that are held and not in the store, and those that there was no space for.
	local function count_lost()
		local messages = untold;
		for _, of_room in pairs(held) do
			for _, message in pairs(of_room.messages) do
				if not message.number then messages = messages + message.times; end
			end
		end
		return messages;
	end

	-- The rooms where messages are held.
	local function rooms()
		local list = {};
		for _, of_room in pairs(held) do table.insert(list, of_room.room); end
		return list;
	end

	-- Forgets what was said before a time on the clock of util.time.monotonic. Returns how many messages that were.
	local function forget_before(time)
		local messages = 0;
		for room_jid, of_room in pairs(held) do
			local message = of_room.messages[of_room.first];
			while message and (message.details.sent or 0) < time do
				messages = messages + take_out(of_room).times;
				message = of_room.messages[of_room.first];
			end
			if not message then held[room_jid] = nil; end
		end
		return messages;
	end

	-- Puts messages that runs before this one have held in front of what is held in a room, as far as there is space. left: bare JID -> when
	-- somebody has left, as in `held`; neither that nor a message is later than what is held since
	local function put_before(room, messages, left)
		local of_room = open(room);
		for bare_jid, presences in pairs(left) do
			of_room.left[bare_jid] = math.max(presences, of_room.left[bare_jid] or presences);
			if of_room.unstored then of_room.unstored.left[bare_jid] = true; end
		end
		of_room.ordered_at = nil;
		for place = #messages, 1, -1 do -- the newest are told with their words
			local message = messages[place];
			message.weight = message.kind == "forgotten" and 0 or weight_of(message.details.stanza);
			local fits = weight_held + message.weight <= max_held;
			if not fits and message.kind == "message" and parts.is_important(message.details.facts, message.details.stanza) then
				local counted = new_count(message.details.facts, message.details.sent);
				counted.presences, counted.number = message.presences, message.number;
				message, fits = counted, true;
			end
			if message.kind == "forgotten" then
				fits = counts_held < max_counts;
				if fits then
					counts_held = counts_held + 1;
					table.insert(counts_of(of_room, message.details.facts), 1, message);
				end
			end
			if fits then
				of_room.first = of_room.first - 1;
				of_room.messages[of_room.first] = message;
				message.family = message.weight > 0 and family_of(message.details.facts.sender) or nil;
				add_weight(of_room, message, message.weight);
			else
				untold = untold + message.times;
			end
		end
	end

	-- Sets whether what changes is noted, for the store.
	local function set_noting(is_wanted)
		is_noting = is_wanted;
		for _, of_room in pairs(held) do
			if not is_wanted then
				of_room.unstored = nil;
				for _, message in pairs(of_room.messages) do message.number = nil; end
			elseif not of_room.unstored then
				held_changes.begin(of_room);
			end
		end
	end

	-- Which of the messages that were in the store are held no more, since this was asked for: room JID -> the number of the last one.
	local function take_told()
		local numbers = told;
		told = {};
		return numbers;
	end

	-- For the module that follows this one after a reload.
	local function hand_over()
		return held;
	end

	local function take_over(messages)
		held, weight_held, counts_held, weights = messages, 0, 0, {};
		for _, of_room in pairs(held) do
			of_room.weight = 0;
			for _, message in pairs(of_room.messages) do add_weight(of_room, message, message.weight); end
			for _, counts in pairs(of_room.counts) do counts_held = counts_held + #counts; end
		end
	end

	return {
		hold = hold, note_occupant = note_occupant, on_release = on_release, release = release, forget = forget, forget_before = forget_before;
		put_before = put_before, set_noting = set_noting, take_told = take_told;
		each = function () return pairs(held); end, find = function (room_jid) return held[room_jid]; end;
		is_any = is_any, count_lost = count_lost, rooms = rooms, hand_over = hand_over, take_over = take_over;
	};
end

return { new = new };
