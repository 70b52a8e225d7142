-- Hands messages to accounts of this server, whose devices mod_cloud_notify on the account's host then pushes to: the way to reach
-- members who have registered no device here.
--
-- What is fired is the event with which mod_message says that a groupchat message has come to a bare JID. Nobody but those who push hooks it:
-- so no client gets to see the message, no archive keeps it, and nobody answers it.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

local way_message = part "muc_cloud_notify/way_message";

-- Where an error goes that somebody answers with all the same.
local origin = { type = "local", host = module.host, send = function () return true; end, log = module._log };

-- parts: { engine; account_devices }
local function new(parts)
	local engine, has_devices = parts.engine, parts.account_devices.has_devices;

	-- Hands over a push that was polled. to: as from publish.addressee(); time: on the clock of util.time.monotonic. Returns whether that
	-- took a look into a store.
	local function hand_over(to, id, summary, time)
		local user = to.user;
		if has_devices(user) == false then
			engine:set_account(user, false);
			return true;
		end
		local message = way_message.new(engine, user, id, summary);
		if message then
			module:log("debug", "Pushing to %s through the devices of the account", user);
			guard.attempt("push to the devices of the account "..user, function ()
				module:context(jid_host(user)):fire_event("message/bare/groupchat", { origin = origin, stanza = message });
			end);
		end
		engine:handed_over(id, time);
		return true;
	end

	return { hand_over = hand_over };
end

return { new = new };
