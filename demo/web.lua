-- A real Prosody for people with a web browser: accounts, XMPP over WebSocket, the page and Converse.js.

local merge = require "harness.tables".merge;
local prosody = require "harness.prosody";

local web = {
	app_host = "push.localhost";
	house = "house.localhost"; -- whose users open rooms
	user_host = "localhost";
	web_push_host = "web-push.localhost"; -- an app server for browsers
};

-- options: version of Prosody; muc_host; muc, options of the MUC component; mucs, further ones: name -> options; setup, which
-- the page reads; folders, further ones that are served: path -> folder; internal, other components inside the server; global options
function web.start(options)
	local muc = merge({
		allow_unaffiliated_register = true; -- registering a nickname, as Converse does, makes one a member
		modules_enabled = { "muc_cloud_notify", "muc_mam" };
		muc_room_default_persistent = true;
		muc_room_default_public = true; -- Prosody 13 does not let users of other servers make a room public
	}, options.muc);
	return prosody.start {
		version = options.version;
		components = { web.app_host, web.house };
		global = merge({
			authentication = "internal_hashed";
			component_interfaces = { "127.0.0.2" }; -- not that of HTTP: the port of both is left to the system
			consider_websocket_secure = true; -- it does not leave this machine
			http_default_host = web.user_host;
			http_interfaces = { "127.0.0.1" };
			http_ports = { 0 }; -- one that is free
			modules_disabled = { "s2s", "s2s_auth_certs" };
			network_settings = { nagle = false };
		}, options.global);
		hosts = {
			[web.user_host] = {
				demo_page_setup = options.setup;
				demo_page_folders = merge({
					["/"] = prosody.root .. "/demo/page";
					["/converse/"] = prosody.root .. "/demo/page/node_modules/converse.js/dist";
				}, options.folders);
				modules_enabled = { "demo_page", "disco", "pep", "ping", "roster", "saslauth", "smacks", "websocket" };
			};
		};
		internal = options.internal;
		muc_host = options.muc_host;
		muc = muc;
		mucs = options.mucs;
		plugin_paths = { prosody.root .. "/demo/modules" };
	};
end

-- Where the page is.
function web.origin(server)
	return "http://127.0.0.1:" .. server:admin("return port_of('http')");
end

function web.create_account(server, name, password)
	server:admin([[
		local name, password, host = ...;
		assert(require "core.usermanager".create_user(name, password, host));
	]], name, password, web.user_host);
end

-- The nodes somebody has registered with the MUC service, or another one, and when.
function web.registrations(server, bare_jid, service)
	return server:admin([[
		local bare_jid, service = ...;
		local store = require "core.storagemanager".open(service or module.host, "muc_cloud_notify");
		local found = {};
		for _, device in pairs(store:get(bare_jid) or {}) do
			table.insert(found, { jid = device.jid, node = device.node, since = device.timestamp });
		end
		return found;
	]], bare_jid, service);
end

return web;
