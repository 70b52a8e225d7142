-- Ghosts: occupants who look present and are gone.
--
-- A session of a user of this very server that loses its connection hibernates (XEP-0198), and is an occupant all the
-- while: it counts as absent from then on. Of any other nobody knows, until what it was sent comes back.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;
local jid_resource = require "util.jid".resource;
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;

local guard = part "shared/guard";

local full_sessions, hosts = prosody.full_sessions, prosody.hosts;

-- session -> when it began to hibernate, on the clock of util.time.monotonic
local hibernating_since = setmetatable({}, { __mode = "k" });
-- session -> what it had not acknowledged by then, see address_of()
local unacknowledged = setmetatable({}, { __mode = "k" });
-- Sessions that hibernate and are left to their own server, see presence.lua
local left_alone = setmetatable({}, { __mode = "k" });

-- What a message is known by that somebody said, and is addressed to when it comes back.
local function address_of(occupant_jid, id)
	return ("%s %s"):format(occupant_jid, id);
end

local function messages_in(queue)
	local addresses = {};
	for _, stanza in ipairs(queue or {}) do
		local attr = stanza.attr;
		if attr.type == "groupchat" and attr.from and jid_host(attr.from) == module.host then
			addresses[address_of(attr.from, attr.id)] = true;
		end
	end
	return addresses;
end

-- Whether a session that hibernates was sent something after it began to.
local function was_sent_meanwhile(session, bounce)
	local before = unacknowledged[session];
	return not (before and before[address_of(bounce.attr.to, bounce.attr.id)]);
end

-- Whether a session that has lost its connection had lost it when something was sent. What it was sent before, it may
-- have got.
local function was_hibernating(real_jid, sent)
	local session = full_sessions[real_jid];
	if not (session and session.hibernating) or session.push_identifier then return false; end
	-- Who was hibernating before this module was loaded has a time of the day.
	local since = hibernating_since[session] or monotonic() - (now() - session.hibernating);
	return not sent or since <= sent;
end

-- engine: the engine; muc: the environment of mod_muc; index: see room_sync.lua; count_hibernating: whether a session
-- that hibernates is taken for absent
local function watch_hibernation(engine, muc, index, count_hibernating)
	local function look_into(room_jid, real_jid)
		-- In a room that is not known yet, occupants are looked at when it is read.
		local room = engine:knowledge(room_jid) ~= "nothing" and muc.get_room_from_jid(room_jid);
		local occupant = room and room:get_occupant_by_real_jid(real_jid);
		if occupant then
			index.look_at(room, occupant);
		end
	end

	-- A session has begun to hibernate, or has resumed. mod_presence knows where it has sent its presence to, other than
	-- to those of the roster who get it anyway.
	local function look_at_session(session)
		if not count_hibernating then return; end
		local function look(jid)
			if jid_host(jid) == module.host then
				look_into(jid_bare(jid), session.full_jid);
			end
		end
		for jid in pairs(session.directed or {}) do look(jid); end
		for jid, contact in pairs(session.roster or {}) do
			if jid and (contact.subscription == "both" or contact.subscription == "from") then look(jid); end
		end
	end

	-- Its own server may give up, and remove the push from the session.
	local function look_again(session)
		if left_alone[session] and not session.push_identifier then
			left_alone[session] = nil;
			look_at_session(session);
		end
	end

	local function watch_host(host)
		local events = hosts[host].events;
		module:hook_object_event(events, "smacks-hibernation-start", guard.watch("take note of a lost connection", function (event)
			local session = event.origin;
			hibernating_since[session] = monotonic();
			unacknowledged[session] = messages_in(event.queue);
			left_alone[session] = session.push_identifier and true or nil;
			look_at_session(session);
		end));
		module:hook_object_event(events, "smacks-hibernation-stanza-queued", guard.watch("take note of what waits for a session", function (event)
			look_again(event.origin);
		end));
		module:hook_object_event(events, "smacks-hibernation-end", guard.watch("take note of a resumed session", function (event)
			local session = event.resumed;
			hibernating_since[session], unacknowledged[session], left_alone[session] = nil, nil, nil;
			look_at_session(session);
		end));
	end

	for host, session in pairs(hosts) do
		if session.type == "local" then watch_host(host); end
	end
	module:hook_global("host-activated", guard.watch("watch a host", function (host)
		if hosts[host].type == "local" then watch_host(host); end
	end));
end

-- What tells a message from all others of its room.
local function key_of(event)
	local message = event.message;
	if not message then return "id "..tostring(event.bounce.attr.id); end
	return event.stanza_id or ("%s %s %s"):format(message.attr.from, message.attr.id, event.sent);
end

local function sender_of(event)
	local message, room = event.message, event.room;
	if event.sender or not message then return event.sender; end
	-- It was in the archive alone: whoever has the nickname now.
	if event.occupant and event.occupant.nick == message.attr.from then return event.bare_jid; end
	local sender = room:get_occupant_by_nick(message.attr.from);
	return sender and sender.bare_jid;
end

-- Whether another session of whoever a message did not reach has it.
local function has_it_elsewhere(event)
	for _, real_jid in ipairs(event.elsewhere) do
		if not was_hibernating(real_jid, event.sent) then return true; end
	end
	return false;
end

-- engine: the engine; index: see room_sync.lua; is_present(occupant, gone): see presence.lua; facts(room): what is to be
-- told of every message; count_hibernating: whether a session that hibernates is taken for absent; on_message(): called
-- when there is something to push
local function watch_undelivered(engine, index, is_present, facts_of, count_hibernating, on_message)
	module:hook("muc-undelivered-message", guard.watch("push a message that came back", function (event)
		local room, message, real_jid = event.room, event.message, event.real_jid;
		if not engine:is_registered(event.bare_jid) then return; end
		local session = full_sessions[real_jid];
		-- Its own server has told the user, see presence.lua.
		if session and session.push_identifier then return; end
		-- Nobody remembers it. What was sent to a session while it hibernated was pushed then.
		if not message and session and session.hibernating and count_hibernating and was_sent_meanwhile(session, event.bounce) then return; end
		if has_it_elsewhere(event) then return; end
		local facts = facts_of(room);
		facts.user = event.bare_jid;
		facts.sender = sender_of(event);
		facts.sent = event.sent;
		facts.key = key_of(event);
		local function push()
			local told = engine:undelivered(facts, message, monotonic());
			if told > 0 then
				module:log("debug", "A message in %s came back from %s and is pushed to %d device(s)", room.jid, event.bare_jid, told);
				on_message();
			end
		end
		if index.is_read(room) then
			-- Who returns something is removed after this event, not before.
			local occupant = room:get_occupant_by_real_jid(real_jid);
			facts.gone = occupant and not is_present(occupant, real_jid) and jid_resource(occupant.nick) or nil;
			push();
		else
			index.hold(room, push);
		end
	end));
end

return { watch_hibernation = watch_hibernation, watch_undelivered = watch_undelivered };
