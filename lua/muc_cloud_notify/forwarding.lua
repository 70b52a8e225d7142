-- Forwards messages to the accounts of members on other servers, as those have asked: a message of type "groupchat" to the bare JID, which
-- servers with mod_cloud_notify, and Tigase's, push to the devices of the account and do not keep.
--
-- Nobody answers that with a result, and most servers with an error, which says no more than that the domain was reached. Only this
-- server says that it was not: then the message is forwarded once it can be. Where nothing comes back at all, it has arrived.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;
local monotonic = require "util.time".monotonic;

local forwarded_ids = part "shared/forwarded_ids";
local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local stanza_error = part "shared/stanza_error";
local timers = part "shared/timers";
local way_message = part "muc_cloud_notify/way_message";

-- Before mod_muc, which takes an error for one of an occupant's: one whose session has a bare JID may be there.
local before_others = 200;

-- How often it is looked whether what was forwarded has not come back for long enough.
local seconds_between_looks = 1;

-- Whether a link to a domain is being made: what waits for it comes back if that fails.
local function is_connecting(domain)
	local session = prosody.hosts[module.host].s2sout[domain];
	return session ~= nil and session.type == "s2sout_unauthed";
end

-- Whether an error was made by this server, as one is that a message to a domain out of reach comes back with.
local function is_own(event)
	return event.origin.dummy or prosody.hosts[jid_host(event.stanza.attr.from)] ~= nil;
end

-- parts: { engine; live_rooms; engine_options = see engine_types.lua; is_wanted = whether anything is forwarded at all }
local function watch(parts)
	local engine, live_rooms, engine_options = parts.engine, parts.live_rooms, parts.engine_options;
	-- How long something may take to come back, on a link that is there: not so long that its push is overdue.
	local seconds_to_answer = math.max(seconds_between_looks, math.min(engine_options.way_interval, engine_options.reply_timeout / 2));
	local sent = {}; -- { id, domain, time } of messages, in their order
	local first, last = 1, 0; -- which of them are still there
	local is_planned = false;

	-- Takes note of messages of which nothing has come back. For others that makes no difference.
	local function look()
		local now = monotonic();
		local newest = last; -- what is looked at again comes after it
		while first <= newest and now - sent[first].time >= seconds_to_answer do
			local message = sent[first];
			sent[first] = nil;
			first = first + 1;
			if is_connecting(message.domain) then
				last, message.time = last + 1, now;
				sent[last] = message;
			else
				engine:handed_over(message.id, now);
			end
		end
	end

	local function plan_look()
		if is_planned or first > last then return; end
		is_planned = true;
		timers.add(seconds_between_looks, function ()
			guard.attempt("look what has come back of forwarded messages", look);
			is_planned = first <= last;
			return is_planned and seconds_between_looks or nil;
		end);
	end

	local function note_sent(id, domain, time)
		last = last + 1;
		sent[last] = { id = id, domain = domain, time = time };
		plan_look();
	end

	-- The links are about to be closed, or nobody is going to look any more: nothing comes back on a link that is there, or so it seems. What
	-- waits for one has not left.
	local function finish()
		for place = first, last do
			local message = sent[place];
			if not is_connecting(message.domain) then engine:handed_over(message.id, monotonic()); end
		end
		sent, first, last = {}, 1, 0;
	end

	-- Before a reload: what may still come back, for take_over() of the one that follows.
	local function list_sent()
		return table.move(sent, first, last, 1, {});
	end

	local function take_over(list)
		sent, first, last = list, 1, #list;
		plan_look();
	end

	local function take_answer(event)
		local stanza = event.stanza;
		local id = forwarded_ids.answered_push(stanza);
		if not id then return nil; end
		local error_type, condition = stanza_error.read(stanza);
		if stanza_error.is_unrouted(event) then
			error_type, condition = "wait", "remote-server-timeout";
		elseif not is_own(event) then -- whatever another server says, it was reached
			error_type, condition = "cancel", "service-unavailable";
		end
		module:log("debug", "A forwarded message came back from %s: %s/%s", stanza.attr.from, error_type, condition);
		engine:handle_error(id, stanza.attr.from, error_type, condition, monotonic());
		return true;
	end

	for _, to in ipairs { "bare", "full", "host" } do
		module:hook("message/"..to, guard.answer("take in the answer to a forwarded message", take_answer), before_others);
	end

	-- Whether the account itself is an occupant of the room, with its bare JID: it is sent all of its messages.
	local function is_occupant(message)
		local room = live_rooms.find(jid_bare(message.attr.from));
		return room ~= nil and room._jid_nick[message.attr.to] ~= nil;
	end

	-- Hands over a push that was polled. to: as from publish.addressee(); time: on the clock of util.time.monotonic. Returns whether that
	-- took a look into a store.
	local function hand_over(to, id, summary, time)
		local user = to.user;
		-- The host may be one of this server by now, and the operator may want none of it any more.
		local message = parts.is_wanted and not local_hosts.is_local(user) and way_message.new(engine, user, id, summary);
		if message and not is_occupant(message) then
			module:log("debug", "Forwarding a message to %s", user);
			message.attr.id = forwarded_ids.new(id);
			note_sent(id, jid_host(user), time);
			module:send(message);
		else
			engine:handed_over(id, time);
		end
		return false;
	end

	return { hand_over = hand_over, finish = finish, list_sent = list_sent, take_over = take_over };
end

return { watch = watch };
