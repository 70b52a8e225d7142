-- The server of the browser tests: a real Prosody, the owner of the rooms and an app server, in a process that is asked
-- over HTTP: POST /<verb> with arguments in JSON. Says its addresses on stdout, and ends when its stdin does.
--
-- Arguments: the version of Prosody; and the port of a push service on loopback, if there is one: then there is an app server for
-- browsers too, and its certificate is said

local array = require "util.array"; -- an empty one is one in JSON too
local json = require "util.json";

local certificates = require "harness.certificates";
local loop = require "harness.loop";
local prosody = require "harness.prosody";

local http = require "demo.http";
local web = require "demo.web";
local shell = require "spec.support.shell";

local plain_service = "plain.localhost"; -- one without the module
local second_service = "second.localhost"; -- where there is an app server for browsers
local push_timeout = 5; -- seconds

local requests = http.listen();
local push_service_port = arg[2];
local push_service_folder = push_service_port and shell.run("mktemp -d");
local push_service = push_service_port and certificates.issue(push_service_folder, { "127.0.0.1" });
local server = web.start {
	version = arg[1];
	folders = { ["/browser/"] = prosody.root .. "/spec/browser" };
	mucs = {
		[plain_service] = { allow_unaffiliated_register = true };
		[second_service] = push_service and { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true } or nil;
	};
	internal = push_service and {
		[web.web_push_host] = {
			module = "web_push_app_server", http_host = web.user_host, web_push_services = { "127.0.0.1:" .. push_service_port };
		};
	};
	global = push_service and { client_https_ssl = { cafile = push_service.cafile } };
};
local app = server:app_server(web.app_host);
local owner = server:user("owner@" .. web.house .. "/desk");

app.answer = function (push)
	push.received_at = loop.now();
	return "result";
end;

local function describe(push)
	local form = push.options and push.options:get_child("x", "jabber:x:data");
	local secret;
	for field in form and form:childtags("field") or function () end do
		secret = field.attr.var == "secret" and field:get_child_text("value") or secret;
	end
	return {
		at = push.received_at * 1000;
		count = tonumber(push.summary["message-count"]);
		from = push.from;
		node = push.node;
		secret = secret;
	};
end

local verbs = {};

function verbs.create_account(options)
	web.create_account(server, options.name, options.password);
end

-- A persistent room whose owner is not in it.
function verbs.create_room(options)
	owner:create_room(options.room, "owner", { ["muc#roomconfig_membersonly"] = options.members_only or false });
	for _, member in ipairs(options.members or {}) do
		owner:affiliate(options.room, member.jid, member.affiliation or "member", member.nick);
	end
	owner:leave(options.room);
end

-- The owner says something in a room, which they enter for that.
function verbs.say(options)
	if not owner.nicks[options.room] then owner:join(options.room, "owner"); end
	owner:say(options.room, options.text);
	owner.component:sync();
end

-- The affiliation of somebody, and the nickname they have registered.
function verbs.membership(options)
	local affiliation, nick = server:admin([[
		local room_jid, bare_jid = ...;
		local room = room(room_jid);
		return room:get_affiliation(bare_jid) or "none", room:get_affiliation_data(bare_jid, "reserved_nickname");
	]], options.room, options.jid);
	return { affiliation = affiliation, nick = nick };
end

-- The session of somebody, that which is best connected: "connected", "hibernating" (XEP-0198), or "none".
function verbs.session(options)
	return server:admin([[
		local user = prosody.hosts[jid.host((...))].sessions[jid.node((...))];
		local state = "none";
		for _, session in pairs(user and user.sessions or {}) do
			if not session.hibernating then return "connected"; end
			state = "hibernating";
		end
		return state;
	]], options.jid);
end

function verbs.registrations(options)
	return array(web.registrations(server, options.jid, options.service));
end

function verbs.next_push(options)
	local push = app:next_push(push_timeout, function (push)
		return push.node == options.node;
	end);
	return push and describe(push);
end

-- The other pushes that are there, or are still to come of anything the server has received.
function verbs.rest_of_pushes()
	app.component:sync();
	local rest = array(app.pushes):map(describe);
	app:clear();
	return rest;
end

local function serve(request)
	local verb = verbs[request.path:sub(2)];
	local ok, result = pcall(verb, json.decode(request.body));
	requests:answer(request, ok and 200 or 500, ok and result or not ok and tostring(result) or nil);
end

local is_over = false;
loop.add({ getfd = function () return 0; end, dirty = function () return false; end }, function ()
	is_over = true;
end);

requests.origin = web.origin(server);
io.stdout:write(json.encode {
	origin = requests.origin, requests = requests.address, plain_service = plain_service, push_service = push_service;
}, "\n");
io.stdout:flush();

while not is_over do
	local request;
	loop.wait_until(function ()
		request = requests:take();
		return request or is_over;
	end, 60);
	if request then serve(request); end
end
prosody.close_all();
if push_service_folder then shell.run("rm -r " .. push_service_folder); end
