-- Forwards messages to the accounts of members on other servers, as those have asked: a message of type "groupchat" to the bare JID, which
-- servers with mod_cloud_notify, and Tigase's, push to the devices of the account and do not keep.
--
-- Nobody answers that with a result, and most servers with an error, which says no more than that the domain was reached. Only this
-- server says that it was not.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local forwarded_ids = part "shared/forwarded_ids";
local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local stanza_error = part "shared/stanza_error";
local way_message = part "muc_cloud_notify/way_message";

-- Before mod_muc, which takes an error for one of an occupant's: one whose session has a bare JID may be there.
local before_others = 200;

-- Whether an error was made by this server, as one is that a message to a domain out of reach comes back with.
local function is_own(event)
	return event.origin.dummy or prosody.hosts[jid_host(event.stanza.attr.from)] ~= nil;
end

local function watch(engine)
	local function take_answer(event)
		local stanza = event.stanza;
		local id = forwarded_ids.answered_push(stanza);
		if not id then return nil; end
		local error_type, condition = stanza_error.read(stanza);
		-- Whatever another server says, it was reached.
		if not is_own(event) then error_type, condition = "cancel", "service-unavailable"; end
		module:log("debug", "A forwarded message came back from %s: %s/%s", stanza.attr.from, error_type, condition);
		engine:handle_error(id, stanza.attr.from, error_type, condition, monotonic());
		return true;
	end

	for _, to in ipairs { "bare", "full", "host" } do
		module:hook("message/"..to, guard.answer("take in the answer to a forwarded message", take_answer), before_others);
	end

	-- Hands over a push that was polled. to: as from publish.addressee(); time: on the clock of util.time.monotonic. Returns whether that
	-- took a look into a store.
	local function hand_over(to, id, summary, time)
		local user = to.user;
		-- The host may be one of this server by now.
		local message = not local_hosts.is_local(user) and way_message.new(engine, user, id, summary);
		engine:handed_over(id, time); -- it may be answered before module:send() returns
		if message then
			module:log("debug", "Forwarding a message to %s", user);
			message.attr.id = forwarded_ids.new(id);
			module:send(message);
		end
		return false;
	end

	return { hand_over = hand_over };
end

return { watch = watch };
