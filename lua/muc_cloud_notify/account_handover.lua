-- Hands messages to accounts of this server, whose devices mod_cloud_notify on the account's host then pushes to: the way to reach
-- members who have registered no device here.
--
-- What is fired is the event with which mod_message says that a groupchat message has come to a bare JID. Nobody but those who push hooks it:
-- so no client gets to see the message, no archive keeps it, and nobody answers it.
--
-- It is not fired where the devices cannot be read just then: neither could mod_cloud_notify, which takes that for none, and goes on to until it
-- is loaded anew. The push is put off instead.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local account_patience = part "muc_cloud_notify/account_patience";
local guard = part "shared/guard";
local way_message = part "muc_cloud_notify/way_message";

-- Where an error goes that somebody answers with all the same.
local origin = { type = "local", host = module.host, send = function () return true; end, log = module._log };

-- How long a push waits for an account that the engine knows to be disabled by now: it is not due before that has changed.
local seconds_until_known = 1;

-- parts: { engine; account_devices }
local function new(parts)
	local engine, may_push = parts.engine, parts.account_devices.may_push;
	local patience = account_patience.new();

	local function push(user, id, summary)
		local message = way_message.new(engine, user, id, summary);
		if not message then return; end
		module:log("debug", "Pushing to %s through the devices of the account", user);
		guard.attempt("push to the devices of the account "..user, function ()
			module:context(jid_host(user)):fire_event("message/bare/groupchat", { origin = origin, stanza = message });
		end);
	end

	-- Hands over a push that was polled. to: as from publish.addressee(); time: on the clock of util.time.monotonic. Returns whether that
	-- took a look into a store.
	local function hand_over(to, id, summary, time)
		local user = to.user;
		local rest = patience.rest(user, time);
		if rest then
			engine:put_off(id, time, rest);
			return false;
		end
		local is_possible, err = may_push(user);
		if is_possible == nil then
			engine:put_off(id, time, err and patience.note_failure(user, time, err) or seconds_until_known);
			return true;
		end
		patience.note_success(user);
		if is_possible then
			push(user, id, summary);
			engine:handed_over(id, time);
		else
			engine:set_account(user, false);
		end
		return true;
	end

	return { hand_over = hand_over };
end

return { new = new };
