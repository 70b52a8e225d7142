-- XEP-0357: Push Notifications, the app server for browsers (RFC 8030, 8188, 8291, 8292)
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- Component "push.example.com" "web_push_app_server"
--
-- Exposed functions:
--
-- vapid_public_key() -> the key that browsers subscribe with, in base64url
--
-- Invariant: nothing is kept of a subscription. Its node is all that there is of it.

local envloadfile = require "util.envload".envloadfile; -- COMPAT 0.12: no prosody.* names

local part = assert(envloadfile(module:get_directory().."/lua/shared/part.lua", module.environment))();

if module:get_host_type() ~= "component" then
	module:log_status("error", "mod_%s is a component of its own (Component \"push.example.com\" \"%s\"), and nothing to enable for a host",
		module.name, module.name);
	return;
end

if not math.type then
	module:log_status("error", "mod_%s needs Lua 5.4 or 5.3, but this Prosody runs on %s: see the README", module.name, _VERSION);
	return;
end

local library, load_error = part "shared/library".load("web_push_app_server", part "web_push_app_server/library_types".contract);
if not library then
	module:log_status("error", "%s", load_error);
	return;
end

local keys, keys_error = part "web_push_app_server/keys".load_or_make(library);
if not keys then
	module:log_status("error", "Nobody is pushed to: %s", keys_error);
	return;
end

local options = part "web_push_app_server/options".read(library);
local app_server, open_error = library.open(keys, {
	services = options.services, content = options.content, time_to_live = options.time_to_live, contact = options.contact;
});
if not app_server then
	module:log_status("error", "Nobody is pushed to: %s. Browsers have subscribed with these keys, so they are not replaced", open_error);
	return;
end

module:depends "disco";
-- Not with the feature urn:xmpp:push:0 besides: Converse would take it for that of every MUC service.
module:add_identity("pubsub", "push", module:get_option_string("name", "Web Push"));

local files, missing_file = part "web_push_app_server/files".read();
if not files then
	module:log("error", "The file web_push/%s is missing in the module's folder: web pages have to get it from elsewhere", missing_file);
end

local subscriptions = part "web_push_app_server/subscriptions";
subscriptions.serve_http { app_server = app_server, origins = options.origins, files = files or {} };
subscriptions.serve_command(app_server);

part "web_push_app_server/publishes".watch {
	app_server = app_server;
	push_services = part "web_push_app_server/push_services".new {
		app_server = app_server, addresses = part "web_push_app_server/addresses".new(library);
		post = part "web_push_app_server/http_client".post;
	};
};

-- What is said to this app server stays in this process, and only browsers can read what it makes of that: mod_muc_cloud_notify
-- tells it more than others. See lua/muc_cloud_notify/confidants.lua.
local app_servers = module:shared("/*/web_push_app_server/app_servers");

local function announce(is_there)
	app_servers[module.host] = is_there or nil;
	prosody.events.fire_event("web-push-app-servers-changed");
end

announce(true);

function module.unload()
	announce(false);
end

-- Global in this module's environment, for the shell and for other modules.
function vapid_public_key()
	return app_server:public_key();
end
