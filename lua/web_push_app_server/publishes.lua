-- Takes publishes (XEP-0357, section 7), and turns each into a push for a browser.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_split = require "util.jid".split; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;
local monotonic = require "util.time".monotonic;
local st = require "util.stanza";

local answers = part "web_push_app_server/answers";
local bounded_cache = part "shared/bounded_cache";
local guard = part "shared/guard";
local token_buckets = part "shared/token_buckets";

local xmlns_data = "jabber:x:data";
local xmlns_ended = "urn:web-push-app-server:0"; -- for MUC services of this Prosody, which believe it
local xmlns_priority = "tigase:push:priority:0";
local xmlns_pubsub = "http://jabber.org/protocol/pubsub";
local xmlns_push = "urn:xmpp:push:0";
local xmlns_stanza_ids = "urn:xmpp:sid:0";

local max_count = 2^32 - 1;

-- To one browser. A MUC service pushes once a second and device at most, but for what mentions somebody.
local pushes_at_once, pushes_per_second, nodes_kept = 30, 1, 10000;

-- How often the same is logged of a push service.
local seconds_between_lines, lines_known = 3600, 256;

local refusals = {
	["not-found"] = { "cancel", "item-not-found", "this app server has not given out such a node" };
	forbidden = { "auth", "forbidden", "the secret is not that of the node" };
	["not-allowed"] = { "cancel", "not-allowed", "this app server does not push to the push service of this node" };
};

-- The values of a form's fields by their names.
local function read_form(form)
	local fields = {};
	if form then
		for field in form:childtags("field", xmlns_data) do
			if field.attr.var then fields[field.attr.var] = field:get_child_text("value"); end
		end
	end
	return fields;
end

local function read_count(text)
	local count = tonumber(text);
	if count and count >= 0 and count <= max_count and count % 1 == 0 then return math.tointeger and math.tointeger(count) or count; end
end

-- Whether the publisher is a host with accounts, so that whoever has sent a message is a contact and no room.
local function is_of_accounts(service)
	local host = prosody.hosts[service];
	return host ~= nil and host.type == "local";
end

-- Whether it is a MUC service of this Prosody, which may publish from the hosts of accounts too (muc_push_from).
local function is_muc_service(domain)
	local host = prosody.hosts[domain];
	return host ~= nil and host.modules.muc ~= nil;
end

-- What a publish says, see push_notification of the library.
local function read_notification(notification, from)
	local fields = read_form(notification:get_child("x", xmlns_data));
	local read = {
		service = jid_host(from);
		count = read_count(fields["message-count"]);
		text = fields["last-message-body"];
		important = notification:get_child_text("priority", xmlns_priority) == "high";
	};
	local stanza_id = notification:get_child("stanza-id", xmlns_stanza_ids);
	read.stanza_id = stanza_id and stanza_id.attr.id;
	local node, host, resource = jid_split(fields["last-message-sender"]);
	if node and is_muc_service(host) then read.service = host; end
	if node and is_of_accounts(read.service) then
		read.sender = node.."@"..host;
	elseif node then
		read.room, read.sender = node.."@"..host, resource;
	end
	return read;
end

-- Returns the node, the secret and the notification of a publish; nil where it is none.
local function read_publish(stanza)
	local pubsub = stanza:get_child("pubsub", xmlns_pubsub);
	local publish = pubsub:get_child("publish");
	local item = publish and publish:get_child("item");
	local notification = item and item:get_child("notification", xmlns_push);
	if not notification then return nil; end
	local options = pubsub:get_child("publish-options");
	local secret = read_form(options and options:get_child("x", xmlns_data)).secret;
	return publish.attr.node or "", secret, read_notification(notification, stanza.attr.from);
end

-- parts: { app_server; push_services }
local function watch(parts)
	local app_server, push_services = parts.app_server, parts.push_services;
	local buckets = token_buckets.new(pushes_at_once, pushes_per_second, nodes_kept);
	local logged = bounded_cache.new(lines_known);

	local function tell_operator(origin, status, what)
		local key = origin.." "..tostring(status);
		local time = logged.get(key);
		if time and time + seconds_between_lines > monotonic() then return; end
		logged.set(key, monotonic());
		module:log("warn", "The push service %s %s (%s)", origin, what, tostring(status));
	end

	local function take(event)
		local stanza = event.stanza;
		local function refuse(error_type, condition, text)
			module:send(st.error_reply(stanza, error_type, condition, text));
			return true;
		end

		local node, secret, notification = read_publish(stanza);
		if not node then
			return refuse("modify", "bad-request", "this is no publish of a push notification");
		end
		local subscription, host, origin, is_anywhere = app_server:find(node, secret);
		if not subscription then
			return refuse(table.unpack(refusals[host]));
		end
		if notification.count == 0 then -- there is nothing to show, and a browser wants to see something for each push
			module:send(st.reply(stanza));
			return true;
		end
		if not buckets.take(node) then
			return refuse("wait", "resource-constraint", "this node is published to too often");
		end
		module:log("debug", "Pushing to a browser through %s", host);
		push_services.send {
			subscription = subscription, host = host, origin = origin, is_anywhere = is_anywhere, node = node, notification = notification;
			on_end = function (status)
				local error_type, condition, text, for_operator, has_ended = answers.of_status(status);
				if for_operator then tell_operator(origin, status, for_operator); end
				module:log("debug", "The push service %s has answered: %s", host, tostring(status));
				if not error_type then
					module:send(st.reply(stanza));
					return;
				end
				local reply = st.error_reply(stanza, error_type, condition, text);
				if has_ended then reply:tag("subscription-ended", { xmlns = xmlns_ended }):up(); end
				module:send(reply);
			end;
		};
		return true;
	end

	module:hook("iq-set/host/"..xmlns_pubsub..":pubsub", guard.answer("take a publish", take, function (event)
		module:send(st.error_reply(event.stanza, "wait", "internal-server-error"));
		return true;
	end));
end

return { watch = watch };
