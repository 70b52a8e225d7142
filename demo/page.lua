-- The demo in a browser: a page with two users of Converse.js in a room, and what their app server gets.
--
-- Goes on until it is interrupted.

local random_token = require "util.id".long;

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local http = require "demo.http";
local web = require "demo.web";

local service = "rooms.localhost";
local room = "den@" .. service;
local max_errors = 3;
local max_history = 50;
local poll_interval = 0.5; -- seconds

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

function page.open(version)
	local people = { new_person("Alice"), new_person("Bob") };
	local feed = http.listen();
	local self = setmetatable({
		answer = "success";
		devices = {}; -- node -> { errors =, since = }
		feed = feed;
		is_members_only = true;
		shows_text = false;
		people = people;
		pushes = {};
		push_count = 0;
	}, page_mt);
	self.server = web.start {
		version = version;
		setup = { app_server = web.app_host, feed = feed.address, max_errors = max_errors, people = people, room = room, service = service };
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
		local registration = find(web.registrations(self.server, person.jid), "node", person.node);
		if (registration and registration.since) ~= device.since then
			device.errors, device.since = 0, registration and registration.since;
		end
		table.insert(devices, {
			errors = device.errors;
			is_away = is_away[person.jid] or false;
			is_registered = registration ~= nil;
			name = person.name;
			node = person.node;
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

local function serve(self, request)
	local what = request.method .. " " .. request.path;
	if what == "GET /feed" then
		local send = self.feed:stream(request);
		for _, push in ipairs(self.pushes) do
			send("push", push);
		end
		send("state", read_state(self));
	elseif verbs[what] and verbs[what](self, request.body) then
		send_state(self);
		self.feed:answer(request, 200, true);
	else
		self.feed:answer(request, 404);
	end
end

function page_methods:run()
	while self.server:is_running() do
		local request, push;
		loop.wait_until(function ()
			request = self.feed:take();
			push = not request and table.remove(self.app.pushes, 1);
			return request or push;
		end, poll_interval);
		if request then serve(self, request); end
		if push then take_push(self, push); end
		send_state(self);
	end
	error("The server has ended:\n" .. self.server:log():sub(-2000), 0);
end

local version = arg[1] or "13.0";
io.stdout:setvbuf("line");
local ok, problem = pcall(function ()
	local self = page.open(version);
	print(self.address);
	print("");
	print("Open it in a browser on this machine: two users of Converse.js in a room, and what their app server gets.");
	print("Ctrl-C ends it, and removes all it has made. DEMO=story tells a story here instead.");
	self:run();
end);
local is_interrupt = type(problem) == "string" and problem:find("interrupted!", 1, true) ~= nil;
if not ok and not is_interrupt then
	io.stderr:write("demo: ", tostring(problem), "\n");
end
prosody.close_all();
os.exit(is_interrupt and 130 or 1, true);
