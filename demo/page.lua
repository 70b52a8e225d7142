-- The demo in a browser: a page with two users of Converse.js in a room, what their app server gets, and what their browsers show.
--
-- Goes on until it is interrupted. For a test, PUSH_SERVICE in the environment is a folder and the port of a push service on loopback
-- that the browser has: its certificate is put there.

local json = require "util.json";
local random_token = require "util.id".long;

local certificates = require "harness.certificates";
local loop = require "harness.loop";
local prosody = require "harness.prosody";
local publish = require "harness.publish";

local http = require "demo.http";
local web = require "demo.web";
local web_push = require "demo.web_push";

local service = "rooms.localhost";
local room = "den@" .. service;
local max_errors = 3;
local max_history = 50;
local poll_interval = 0.5; -- seconds
local publish_timeout = 8; -- seconds

-- Those that the module may send to as it is shipped.
local push_services = { "fcm.googleapis.com", "*.notify.windows.com", "*.push.services.mozilla.com", "*.push.apple.com" };

-- What the app server can be told to answer, see harness.app_server.
local answers = {
	success = "result";
	wait = { type = "wait", condition = "resource-constraint", text = "Not now" };
	cancel = { type = "cancel", condition = "item-not-found", text = "No such node" };
	silence = "silence";
};

local page = {};

local page_methods = {};
local page_mt = { __index = page_methods };

local function new_person(name)
	local username = name:lower();
	return {
		jid = username .. "@" .. web.user_host;
		name = name;
		node = username .. "s-phone";
		password = random_token();
		secret = random_token();
		username = username;
	};
end

local function find(list, key, value)
	for _, item in ipairs(list) do
		if item[key] == value then return item; end
	end
end

-- The owner of the room is not in it, so that both users are mere members.
local function open_room(self)
	self.host = self.server:user("host@" .. web.house .. "/desk");
	self.host:create_room(room, "Host", { ["muc#roomconfig_membersonly"] = true, ["muc#roomconfig_roomname"] = "Den" });
	for _, person in ipairs(self.people) do
		self.host:affiliate(room, person.jid, "member", person.name);
	end
	self.host:leave(room);
end

-- The push service of a test, if there is one, may be sent to as well.
local function push_services_of_test(text)
	local folder, port = text:match("^(.+) (%d+)$");
	if folder then
		certificates.issue(folder, { "127.0.0.1" });
		table.insert(push_services, "127.0.0.1:" .. port);
	end
end

function page.open(version)
	local people = { new_person("Alice"), new_person("Bob") };
	local feed = http.listen();
	local folders, browsers = {}, {};
	for _, person in ipairs(people) do
		-- A service worker for each, so that they share no subscription.
		folders["/" .. person.username .. "/"] = prosody.root .. "/web_push";
		table.insert(browsers, person.username);
	end
	push_services_of_test(os.getenv("PUSH_SERVICE") or "");
	local stand_ins = web_push.open(browsers);
	for _, person in ipairs(people) do
		person.stand_in = stand_ins.browsers[person.username].subscription;
	end
	local self = setmetatable({
		answer = "success";
		devices = {}; -- node -> { errors =, since = }
		feed = feed;
		is_members_only = true;
		shows_text = false;
		people = people;
		pushes = {};
		push_count = 0;
		stand_ins = stand_ins; -- browsers in place of that which has the page, where it has no push notifications
	}, page_mt);
	self.server = web.start {
		version = version;
		setup = { app_server = web.app_host, feed = feed.address, max_errors = max_errors, people = people, room = room, service = service };
		folders = folders;
		global = stand_ins.global;
		internal = { [web.web_push_host] = stand_ins:component(push_services, { http_host = web.user_host }) };
		muc_host = service;
		muc = {
			muc_push_max_retry_delay = 10;
			muc_push_reply_timeout = 5;
			muc_push_retry_delay = 2;
			push_max_errors = max_errors;
		};
	};
	for _, person in ipairs(people) do
		web.create_account(self.server, person.username, person.password);
		self.devices[person.node] = { errors = 0 };
	end
	open_room(self);
	self.app = self.server:app_server(web.app_host);
	self.app.answer = function (push)
		push.received_at = loop.now();
		push.answer = self.answer;
		return answers[self.answer];
	end;
	feed.origin = web.origin(self.server);
	self.address = feed.origin .. "/";
	return self;
end

-- What the server knows of everybody, and what is set.
local function read_state(self)
	local is_away = {};
	for _, bare_jid in ipairs(self.server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.absent_members(...)", room)) do
		is_away[bare_jid] = true;
	end
	local devices = {};
	for _, person in ipairs(self.people) do
		local device = self.devices[person.node];
		local registrations = web.registrations(self.server, person.jid);
		local registration = find(registrations, "node", person.node);
		if (registration and registration.since) ~= device.since then
			device.errors, device.since = 0, registration and registration.since;
		end
		table.insert(devices, {
			errors = device.errors;
			is_away = is_away[person.jid] or false;
			is_registered = registration ~= nil;
			node = person.node;
		});
		table.insert(devices, {
			is_away = is_away[person.jid] or false;
			is_registered = find(registrations, "jid", web.web_push_host) ~= nil;
			node = person.username .. "s-browser";
		});
	end
	return {
		answer = self.answer;
		devices = devices;
		is_members_only = self.is_members_only;
		shows_text = self.shows_text;
	};
end

local function same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then return a == b; end
	for key, value in pairs(a) do
		if not same(value, b[key]) then return false; end
	end
	return true;
end

-- Informs the page of what has changed.
local function send_state(self)
	local state = read_state(self);
	if not same(state, self.state) then
		self.state = state;
		self.feed:broadcast("state", state);
	end
end

-- Takes note of a push, and of what the app server has answered. Errors that pass do not count, as with the module.
local function take_push(self, push)
	local summary = push.summary or {};
	local device = self.devices[push.node];
	if device and push.answer == "cancel" then
		device.errors = device.errors + 1;
	elseif device and push.answer == "success" then
		device.errors = 0;
	end
	self.push_count = self.push_count + 1;
	local shown = {
		answer = push.answer;
		at = push.received_at;
		body = summary["last-message-body"];
		count = tonumber(summary["message-count"]);
		errors = device and device.errors;
		from = push.from;
		node = push.node;
		number = self.push_count;
		sender = summary["last-message-sender"];
	};
	table.insert(self.pushes, shown);
	if #self.pushes > max_history then
		table.remove(self.pushes, 1);
	end
	self.feed:broadcast("push", shown);
end

-- Tells the page what a stand-in for its browser has got.
local function take_notification(self, username, push)
	self.feed:broadcast("notification", { username = username, push = push });
end

-- Has the app server for browsers push something, as the MUC service does. Returns why it cannot; nil if it can.
local function try_push(self, subscribed)
	local iq = publish.stanza {
		to = web.web_push_host, node = subscribed.node, secret = subscribed.secret;
		fields = { ["last-message-sender"] = room .. "/Host", ["last-message-body"] = "This is what notifications look like." };
	};
	local ok, reply = pcall(self.host.iq, self.host, iq, publish_timeout);
	if not ok then return "no answer within " .. publish_timeout .. " seconds"; end
	if reply.attr.type == "result" then return nil; end
	local _, condition, text = reply:get_error();
	return text or condition;
end

local function set_shows_text(self, shows_text)
	self.server:reconfigure { push_notification_with_body = shows_text, push_notification_with_sender = shows_text };
	self.server:reload_config();
	self.server:reload_module("muc_cloud_notify");
	self.shows_text = shows_text;
end

local function set_members_only(self, is_members_only)
	self.host:configure_room(room, { ["muc#roomconfig_membersonly"] = is_members_only });
	self.is_members_only = is_members_only;
end

-- What the page can ask for: method and path -> a function of the page and the body, true where that is understood.
local verbs = {};

verbs["POST /answer"] = function (self, answer)
	self.answer = answers[answer] and answer or self.answer;
	return answers[answer] ~= nil;
end;

verbs["POST /shows-text"] = function (self, value)
	set_shows_text(self, value == "true");
	return true;
end;

verbs["POST /members-only"] = function (self, value)
	set_members_only(self, value == "true");
	return true;
end;

verbs["POST /try-push"] = function (self, subscribed)
	local problem = try_push(self, json.decode(subscribed));
	return true, { problem = problem };
end;

local function serve(self, request)
	local what = request.method .. " " .. request.path;
	if what == "GET /feed" then
		local send = self.feed:stream(request);
		for _, push in ipairs(self.pushes) do
			send("push", push);
		end
		send("state", read_state(self));
		return;
	end
	local is_understood, answer;
	if verbs[what] then is_understood, answer = verbs[what](self, request.body); end
	if is_understood then
		send_state(self);
		self.feed:answer(request, 200, answer or true);
	else
		self.feed:answer(request, 404);
	end
end

function page_methods:run()
	while self.server:is_running() do
		local request, push, username, notification;
		loop.wait_until(function ()
			request = self.feed:take();
			push = table.remove(self.app.pushes, 1);
			username, notification = self.stand_ins:take();
			return request or push or username;
		end, poll_interval);
		if request then serve(self, request); end
		if push then take_push(self, push); end
		if username then take_notification(self, username, notification); end
		send_state(self);
	end
	error("The server has ended:\n" .. self.server:log():sub(-2000), 0);
end

-- The page takes leave of the browser.
function page_methods:close()
	self.feed:broadcast("end", true);
	self.stand_ins:close();
end

local version = arg[1] or "13.0";
local self;
io.stdout:setvbuf("line");
local ok, problem = pcall(function ()
	self = page.open(version);
	print(self.address);
	print("");
	print("Open it in a browser on this machine: two users of Converse.js in a room, and what is pushed to them.");
	print("Ctrl-C ends it, and removes all it has made. DEMO=story tells a story here instead.");
	self:run();
end);
local is_interrupt = type(problem) == "string" and problem:find("interrupted!", 1, true) ~= nil;
if not ok and not is_interrupt then
	io.stderr:write("demo: ", tostring(problem), "\n");
end
if self then self:close(); end
prosody.close_all();
os.exit(is_interrupt and 130 or 1, true);
