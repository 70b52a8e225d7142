-- Events for other modules, with the names and fields that Prosody's mod_cloud_notify uses, and what its
-- satellite modules (mod_cloud_notify_encrypted, _filters, _priority_tag) expect besides.
--
-- This file is MIT/X11 licensed.

local part = ...;

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

local xmlns_reference = "urn:xmpp:reference:0";
local xmlns_disco_info = "http://jabber.org/protocol/disco#info";

-- What stands for a message that is not there any more.
local function stand_in(user, details)
	local message = st.message({ type = "groupchat", from = details.room or module.host });
	if details.mentioned then
		-- Not percent-encoded: mod_cloud_notify_filters compares it with the JID as it is.
		message:tag("reference", { xmlns = xmlns_reference, type = "mention", uri = "xmpp:"..user }):up();
	end
	return message;
end

-- Whether all modules agree to a registration. They may add to push_info, which is then stored.
-- A module that does not agree has answered the request.
local function may_register(event, push_info)
	return module:fire_event("cloud_notify/registration", {
		origin = event.origin, stanza = event.stanza, push_info = push_info;
	}) ~= false;
end

-- Whether all modules agree to a push. They may change it. Should one fail, the push must not leave as it
-- was: what it would have been changed to may have been encrypted.
--
-- stanza: the IQ, which is nobody else's; user: the recipient's bare JID; fields: those of its summary form, which are
-- nobody else's either; details: what else the engine knows of it.
--
-- The second result is whether a module has stopped it, which is not the same as having failed.
local function may_push(stanza, user, fields, details)
	-- Without a message, as after a restart, the push still is for that user.
	local original = details.original or stand_in(user, details);
	original.attr.to = user;
	local event = {
		notification_stanza = stanza;
		notification_payload = stanza:find("{http://jabber.org/protocol/pubsub}pubsub/publish/item/{urn:xmpp:push:0}notification");
		original_stanza = original;
		username = user;
		push_info = details.push_info;
		push_summary = fields;
		important = details.room ~= nil;
		mentioned = details.mentioned;
		room_jid = details.room;
	};
	local ok, blocked = guard.attempt("let other modules see a push", module.fire_event, module, "cloud_notify/push", event);
	if ok and blocked then
		module:log("debug", "A push to %s was stopped: %s", user, event.reason or "no reason given");
	end
	return ok and not blocked, ok and blocked and true or false;
end

-- Other modules announce their part of XEP-0357 where accounts are asked for it. Here the service is asked.
local function announce_features_of_others(events)
	local announced = {};

	local function find_features(request)
		local found = {};
		if events.get_handlers("account-disco-info") then
			local reply = st.reply(request.stanza):query(xmlns_disco_info);
			module:fire_event("account-disco-info", { origin = request.origin, stanza = request.stanza, reply = reply });
			for feature in reply.tags[1]:childtags("feature") do
				found[feature.attr.var] = true;
			end
		end
		return found;
	end

	module:hook("iq-get/host/"..xmlns_disco_info..":query", guard.watch("announce the features of other modules", function (request)
		local found = find_features(request);
		for feature in pairs(found) do
			if not announced[feature] then
				announced[feature] = true;
				module:add_feature(feature);
			end
		end
		for feature in pairs(announced) do
			if not found[feature] then
				announced[feature] = nil;
				module:remove_item("feature", feature);
			end
		end
	end), 10);
end

local function new()
	local events = prosody.hosts[module.host].events;
	announce_features_of_others(events);

	-- Whether any module wants to see pushes.
	local function is_listening()
		local handlers = events.get_handlers("cloud_notify/push");
		return handlers ~= nil and handlers[1] ~= nil;
	end

	return { is_listening = is_listening, may_register = may_register, may_push = may_push };
end

return { new = new };
