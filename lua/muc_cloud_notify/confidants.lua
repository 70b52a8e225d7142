-- App servers in this very Prosody that encrypt what they pass on for the browser alone (mod_web_push_app_server): what is said to
-- them does not leave the server, so they are told the author and the text of a message whatever the options say. How much of that
-- is shown is for them to decide (web_push_content). And when one of them says that a subscription has ended, that is so.
--
-- Invariant: nobody else is told more than the options say. What is kept for confidants is asked for where a publish is handed to
-- one of them, and goes into that very stanza.
--
-- This file is MIT/X11 licensed.

local part = ...;

local guard = part "shared/guard";

local xmlns_data = "jabber:x:data";
local xmlns_ended = "urn:web-push-app-server:0";
local xmlns_priority = "tigase:push:priority:0";
local xmlns_push = "urn:xmpp:push:0";

local function set_field(form, name, value)
	form:maptags(function (field)
		if field.attr.var ~= name then return field; end
	end);
	form:tag("field", { xmlns = xmlns_data, var = name })
		:tag("value", { xmlns = xmlns_data }):text(value):up():up();
end

local function add_words(stanza, is_mention, sender, body)
	local notification = stanza:find("{http://jabber.org/protocol/pubsub}pubsub/publish/item/{"..xmlns_push.."}notification");
	local form = notification:get_child("x", xmlns_data);
	if sender then set_field(form, "last-message-sender", sender); end
	if body then set_field(form, "last-message-body", body); end
	if is_mention then notification:tag("priority", { xmlns = xmlns_priority }):text("high"):up(); end
end

local function watch(engine)
	-- By their addresses. They put themselves there.
	local app_servers = module:shared("/*/web_push_app_server/app_servers");

	local function update()
		engine:keep_words(next(app_servers) ~= nil);
	end

	module:hook_global("web-push-app-servers-changed", guard.watch("keep what is said for app servers in this process", update));
	update();

	-- Completes a publish that is handed to an app server in this process, if that is one of them. stanza: nobody else's
	local function tell(stanza, id, app_server)
		if not app_servers[app_server] then return; end
		guard.attempt("tell an app server in this process what was said", function ()
			local is_mention, sender, body = engine:push_words(id);
			add_words(stanza, is_mention, sender, body);
		end);
	end

	-- Whether the answer to a publish says that what is pushed to has ended, and comes from one of them: anybody else may be wrong.
	local function has_ended(stanza, app_server)
		return app_servers[app_server] ~= nil and stanza:find("error/{"..xmlns_ended.."}subscription-ended") ~= nil;
	end

	return { tell = tell, has_ended = has_ended };
end

return { watch = watch };
