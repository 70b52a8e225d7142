-- Sessions of this server that lose their connection and may resume it (XEP-0198): from then on their occupants are looked
-- at anew, for presence.lua does not count such a session as present.
--
-- What is remembered of a session here goes when it resumes, or with the session itself.
--
-- Bounds: `looked_at_once` occupants of a session are looked at in one go, and the rest in slices; of an id longer than `max_id`
-- nothing is remembered.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";

local full_sessions, hosts = prosody.full_sessions, prosody.hosts;

-- More than the rooms that people are in.
local looked_at_once = 1000;

-- In bytes: a bounce with a longer id is not found, see mod_muc_undelivered.
local max_id = 256;

-- What an occupant's message is known by, and is addressed to when it bounces.
local function address_of(occupant_jid, id)
	return ("%s %s"):format(occupant_jid, id);
end

local function messages_in(queue)
	local addresses = {};
	for _, stanza in ipairs(queue or {}) do
		local attr = stanza.attr;
		if attr.type == "groupchat" and attr.from and jid_host(attr.from) == module.host and #(attr.id or "") <= max_id then
			addresses[address_of(attr.from, attr.id)] = true;
		end
	end
	return addresses;
end

-- parts: { engine; tasks = see lua/shared/tasks.lua; live_rooms; room_sync; presence }
local function watch(parts)
	local engine, tasks, live_rooms, room_sync, presence = parts.engine, parts.tasks, parts.live_rooms, parts.room_sync, parts.presence;

	-- By session: when it began to hibernate, on the clock of util.time.monotonic; what it had not acknowledged by then, see
	-- address_of(); whether it was left to its own server then.
	local hibernating_since = setmetatable({}, { __mode = "k" });
	local unacknowledged = setmetatable({}, { __mode = "k" });
	local was_left_to_its_server = setmetatable({}, { __mode = "k" });

	local function look_into(room_jid, real_jid)
		-- In a room that is not known yet, or not live, occupants are looked at when it is read.
		local room = engine:coverage(room_jid) ~= "nothing" and live_rooms.find(room_jid);
		local occupant = room and room:get_occupant_by_real_jid(real_jid);
		if occupant then
			room_sync.look_at(room, occupant);
		end
	end

	-- The JIDs in the service that a session has sent its presence to: mod_presence knows them, other than those of the roster who
	-- get it anyway.
	local function occupants_of(session)
		local jids = {};
		local function add(jid)
			if jid_host(jid) == module.host then table.insert(jids, jid); end
		end
		for jid in pairs(session.directed or {}) do add(jid); end
		for jid, contact in pairs(session.roster or {}) do
			if jid and (contact.subscription == "both" or contact.subscription == "from") then add(jid); end
		end
		return jids;
	end

	-- Looks at the occupants of a session.
	local function look_at_session(session)
		if not presence.counts_hibernating then return; end
		local jids = occupants_of(session);
		local function look(from, to, pause)
			for i = from, to do
				look_into(jid_bare(jids[i]), session.full_jid);
				if pause then pause(); end
			end
		end
		look(1, math.min(#jids, looked_at_once));
		if #jids > looked_at_once then
			tasks.later("look at a session in very many rooms", function (pause) look(looked_at_once + 1, #jids, pause); end, function () end);
		end
	end

	local function on_start(event)
		local session = event.origin;
		hibernating_since[session] = monotonic();
		unacknowledged[session] = messages_in(event.queue);
		was_left_to_its_server[session] = presence.is_left_to_its_server(session) or nil;
		look_at_session(session);
	end

	-- Its own server may give up, and remove the push from the session.
	local function on_queued(event)
		local session = event.origin;
		if was_left_to_its_server[session] and not presence.is_left_to_its_server(session) then
			was_left_to_its_server[session] = nil;
			look_at_session(session);
		end
	end

	local function on_end(event)
		local session = event.resumed;
		hibernating_since[session], unacknowledged[session], was_left_to_its_server[session] = nil, nil, nil;
		look_at_session(session);
	end

	local function watch_host(host)
		local events = hosts[host].events;
		module:hook_object_event(events, "smacks-hibernation-start", guard.watch("take note of a lost connection", on_start));
		module:hook_object_event(events, "smacks-hibernation-stanza-queued", guard.watch("take note of what waits for a session", on_queued));
		module:hook_object_event(events, "smacks-hibernation-end", guard.watch("take note of a resumed session", on_end));
	end

	local_hosts.watch(watch_host);

	-- Whether a session was hibernating when something was sent, on the clock of util.time.monotonic. What it was sent
	-- before, it may have got. sent: nil where that is not known
	local function was_hibernating(real_jid, sent)
		local session = full_sessions[real_jid];
		if not presence.is_hibernating(session) then return false; end
		-- Sessions already hibernating at load only have a wall-clock time.
		local since = hibernating_since[session] or monotonic() - (now() - session.hibernating);
		return not sent or since <= sent;
	end

	-- Whether a session that hibernates was sent something after it began to.
	local function was_sent_meanwhile(session, bounce)
		local before = unacknowledged[session];
		return not (before and before[address_of(bounce.attr.to, bounce.attr.id)]);
	end

	return { was_hibernating = was_hibernating, was_sent_meanwhile = was_sent_meanwhile };
end

return { watch = watch };
