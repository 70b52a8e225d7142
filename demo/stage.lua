-- What the story is played on: a real Prosody, its users and an app server. Its verbs do something on the wire,
-- wait for what comes of it, and show that, or raise what is not as it should be (see words.lua).

local ltn12 = require "ltn12";
local http = require "socket.http";
local json = require "util.json";
local st = require "util.stanza";
local jid_resource = require "util.jid".resource;

local loop = require "harness.loop";
local merge = require "harness.tables".merge;
local prosody = require "harness.prosody";
local sessions = require "harness.sessions";

local web_push = require "demo.web_push";
local words = require "demo.words";

local check, describe, describe_reply = words.check, words.describe, words.describe_reply;

local xmlns_disco_info = "http://jabber.org/protocol/disco#info";
local xmlns_push = "urn:xmpp:push:0";

local service = "rooms.example";
local app_host = "push.example";
local web_push_host = "web-push.example";
local spare_host = "guest.example";
local nodes = { Alice = "alices-phone", Carol = "carols-phone" };
local account_host = "chat.example"; -- of accounts on the very server that has the service
local secret = "one-of-the-app-server";
local patience = loop.patience;

local stage = {
	den = "den@" .. service;
	square = "square@" .. service;
	attic = "attic@" .. service;
	parlour = "parlour@" .. service;
	max_errors = 3;
	retry_delay = 0.5;
};

local stage_methods = {};
local stage_mt = { __index = stage_methods };

-- Connects all users and the app server to the server that runs now.
local function connect_all(self)
	self.alice = self.server:user("alice@away.example/phone");
	self.bob = self.server:user("bob@home.example/desk");
	self.app = self.server:app_server(app_host);
	self.app.answer = function (push)
		push.received_at = loop.now();
		push.answer = self.answer;
		self.push_count = self.push_count + 1;
		return self.answer;
	end;
end

function stage.open(narrator)
	local self = setmetatable({
		answer = "result"; -- what pushes are answered with, see harness.app_server
		narrator = narrator;
		push_count = 0;
		said_at = loop.now();
	}, stage_mt);
	self.web_push = web_push.open { "Dora" };
	self.server = prosody.start {
		shipped_options = true;
		version = "13.0";
		components = { "away.example", "home.example", app_host, spare_host };
		c2s = true;
		http = true;
		global = merge({
			modules_enabled = { "smacks" };
			-- The pings between the scenes would hold up the push that comes after them, by up to 40 ms.
			network_settings = { nagle = false };
		}, self.web_push.global);
		internal = { [web_push_host] = self.web_push:component {} };
		hosts = { [account_host] = {} };
		muc_host = service;
		muc = {
			modules_enabled = { "muc_cloud_notify" };
			muc_push_retry_delay = stage.retry_delay;
			muc_room_default_persistent = true;
			muc_room_default_public = true; -- Prosody 13 does not let users of other servers make a room public
			push_max_errors = stage.max_errors;
		};
	};
	connect_all(self);
	self.version = self.server:admin("return prosody.version");
	return self;
end

-- Ends the server as its operator would, and removes its folder.
function stage_methods:close()
	if self.server:is_running() then
		self.server:stop();
	end
	self.server:close();
	self.web_push:close();
end

stage.close_all = prosody.close_all;

function stage_methods:introduce()
	local narrator = self.narrator;
	narrator:title("Group chats that wake the phones of those who are away: mod_muc_cloud_notify");
	narrator.blank();
	narrator:term("service", string.format("%s, the group chats: a real Prosody %s with the module, on loopback", service, self.version));
	narrator:term("Alice", self.alice.bare_jid .. ", a user of another server, which knows nothing of pushes");
	narrator:term("Bob", self.bob.bare_jid .. ", a user of yet another server");
	narrator:term("Carol", "carol@" .. account_host .. ", a user of the server that has the service");
	narrator:term("Dora", "dora@" .. account_host .. ", another one, in a web browser");
	narrator:term("app server", app_host .. ", run by those who made Alice's chat app; it can wake her phone");
	narrator:term("push", "what the service tells the app server, and how long after the message");
end

-- Alice asks the service whether it can push.
function stage_methods:ask_service()
	self.narrator:says("Alice", service .. ", what can you do?");
	local reply = self.alice:iq(st.stanza("iq", { type = "get", to = service }):query(xmlns_disco_info));
	local found;
	local query = check(reply:get_child("query", xmlns_disco_info), "the service says what it can do", describe_reply(reply));
	for feature in query:childtags("feature") do
		found = found or feature.attr.var == xmlns_push and feature.attr.var;
	end
	check(found, "the service says that it can push, " .. xmlns_push, "it does not, among its " .. #query.tags .. " answers");
	self.narrator:says("service", string.format("push (%s), among other things", found));
end

-- Somebody registers a phone.
function stage_methods:register(who)
	local node = nodes[who];
	self.narrator:says(who, string.format("when I miss something, tell %s; my phone is node %q there", app_host, node));
	local reply = self[who:lower()]:enable { to = service, jid = app_host, node = node, form = { { "secret", secret } } };
	check(reply.attr.type == "result", "the service agrees", describe_reply(reply));
	self.narrator:says("service", "agreed");
end

-- Somebody logs in to an account on the server itself, with a client that can resume its session.
function stage_methods:logs_in(who, resource)
	local client = self.server:client(string.format("%s@%s/%s", who:lower(), account_host, resource or "phone"));
	self[who:lower()] = client;
	self.narrator:does(who, "logs in as " .. client.jid);
end

-- Somebody that has logged in loses the connection, and the server keeps the session (XEP-0198). what: what they do, if not just that
function stage_methods:loses_connection(who, what)
	local client = self[who:lower()];
	client:cut();
	check(sessions.wait_until_hibernating(self.server, client.jid, patience),
		"the server notices that the connection is lost", "it did not, within " .. patience .. " seconds");
	self.narrator:does(who, what or "loses the connection, without a word");
end

function stage_methods:resumes(who, what)
	self[who:lower()]:resume();
	self.narrator:does(who, what or "is connected again, and takes up the session");
end

-- Bob opens a room with the options, and makes somebody a member.
function stage_methods:open_room(room, what, options, who)
	self.bob:create_room(room, "Bob", options);
	self.narrator:does("Bob", string.format("opens %s, %s", room, what));
	local member = self[who:lower()].bare_jid;
	self.bob:affiliate(room, member, "member", who);
	self.narrator:does("Bob", string.format("makes %s a member with the nickname %q", member, who));
end

function stage_methods:enters(who, room)
	local presence = self[who:lower()]:join(room, who);
	self.narrator:does(who, string.format("enters %s as %s", room, jid_resource(presence.attr.from)));
end

function stage_methods:leaves(who, room)
	self[who:lower()]:leave(room);
	self.narrator:does(who, "leaves " .. room);
end

-- Alice enters a room and leaves again, so that nothing is unread for her.
function stage_methods:looks_in(room)
	self.alice:join(room, "Alice");
	self.alice:leave(room);
	self.narrator:does("Alice", string.format("looks into %s and leaves again", room));
end

-- What somebody's message is like when the room passes it on to a user.
local function passed_on(to, body)
	return to:receive(patience, { name = "message", type = "groupchat", body = body });
end

-- The room has passed on to Bob what he said. Returns the message.
function stage_methods:bob_sees(body)
	return check(passed_on(self.bob, body), "the room passes on what Bob says: " .. body, "it did not, within " .. patience .. " seconds");
end

-- Bob says something in a room, and sees it there. extra: XML that goes with it
function stage_methods:say(room, body, extra)
	self.said_at = loop.now();
	self.bob:say(room, body, extra);
	local message = self:bob_sees(body);
	local reference = message:get_child("reference", "urn:xmpp:reference:0");
	local link = reference and reference.attr.uri;
	self.narrator:says("Bob", message:get_child_text("body") .. (link and string.format("  [with a link to %s]", link) or ""));
end

function stage_methods:hears(who, body)
	local message = check(passed_on(self[who:lower()], body), who .. " hears it, as she is in the room", "she did not");
	self.narrator:hears(who, string.format("%s: %s", jid_resource(message.attr.from), message:get_child_text("body")));
end

-- Shows a push that came in. since: when the message was sent that it is for; who: whose phone it is for, Alice's if
-- not given
function stage_methods:show_push(push, since, who)
	local node = nodes[who or "Alice"];
	self.narrator:push(describe(push), push.received_at - (since or self.said_at));
	if type(push.answer) == "table" then
		self.narrator:refuses("app server", string.format("%s: %s", push.answer.says, push.answer.type .. "/" .. push.answer.condition));
	end
	-- What is the same for all of them.
	check(push.from == service, "a push from " .. service, "one from " .. tostring(push.from));
	check(push.node == node, string.format("a push to node %q", node), describe(push));
	check(tostring(push.options):find("<value>" .. secret .. "</value>", 1, true),
		"a push with the secret that was registered", "one that goes with: " .. tostring(push.options));
	return push;
end

-- The next push. wanted: the count it says; body, "New Message!" if not given, and sender; who, see show_push()
function stage_methods:push(wanted)
	local expected = {
		node = nodes[wanted.who or "Alice"];
		summary = {
			["message-count"] = tostring(wanted.count);
			["last-message-body"] = wanted.body or "New Message!";
			["last-message-sender"] = wanted.sender;
		};
	};
	local push = self.app:next_push(patience);
	check(push, "a push, " .. describe(expected), "none, within " .. patience .. " seconds");
	self:show_push(push, nil, wanted.who);
	check(describe(push) == describe(expected), "a push, " .. describe(expected), "one that says: " .. describe(push));
	return push;
end

-- The next push, whatever it says.
function stage_methods:any_push()
	local push = check(self.app:next_push(patience), "a push", "none, within " .. patience .. " seconds");
	self.app:clear(); -- on a slow machine it was sent more than once
	return self:show_push(push);
end

-- Makes sure that there is no push, and that none is still to come of what was said so far.
function stage_methods:no_push(silent)
	self.app.component:sync();
	local push = self.app.pushes[1];
	check(not push, "no push", push and "one that says: " .. describe(push));
	if not silent then
		self.narrator:no_push();
	end
end

-- A page asks the app server for browsers by HTTP. Returns its answer.
local function ask_web_push(self, body)
	local parts = {};
	local _, status = http.request {
		url = string.format("http://%s:%d/web_push", self.server.http_address, self.server.http_port);
		method = body and "POST" or "GET";
		source = body and ltn12.source.string(body);
		sink = ltn12.sink.table(parts);
		headers = { host = web_push_host, ["content-type"] = "application/json", ["content-length"] = body and tostring(#body) };
	};
	local answer = table.concat(parts);
	check(status == 200, "the app server for browsers answers with 200", string.format("%s %s", status, answer));
	return json.decode(answer);
end

-- The browser of somebody is subscribed, and the service asked to push to it.
function stage_methods:subscribes(who)
	check(ask_web_push(self).vapid_public_key, "the app server for browsers says what to subscribe with", "nothing");
	local answer = ask_web_push(self, json.encode(self.web_push.browsers[who].subscription));
	self.narrator:says(who, string.format("when I miss something, tell %s, and that may tell my browser", web_push_host));
	local reply = self[who:lower()]:enable { to = service, jid = answer.jid, node = answer.node, form = { { "secret", answer.secret } } };
	check(reply.attr.type == "result", "the service agrees", describe_reply(reply));
	self.narrator:says("service", "agreed");
end

-- The next notification of somebody's browser. wanted: title and text
function stage_methods:notification(who, wanted)
	local expected = string.format("%s: %s", wanted.title, wanted.text);
	local is_there = loop.wait_until(function () return self.web_push.service.requests[1]; end, patience);
	check(is_there, "a notification, " .. expected, "none, within " .. patience .. " seconds");
	local seconds = loop.now() - self.said_at;
	local name, says, request = self.web_push:take();
	self.push_count = self.push_count + 1;
	check(name == who and says, "a push that the browser of " .. who .. " can read", "one to " .. name);
	check(not request.body:find(wanted.text, 1, true), "a push that nobody else can read", "one with the text in it");
	-- As web_push/worker.js words it.
	local came = string.format("%s in %s: %s", says.sender, says.room:match("^[^@]+"), says.text);
	self.narrator:push(came, seconds, "browser");
	check(came == expected, "a notification, " .. expected, came);
	return request;
end

-- Makes sure that a browser is told nothing, as with no_push().
function stage_methods:no_notification()
	self.app.component:sync();
	loop.turn(0.05);
	local _, says = self.web_push:take();
	check(not says, "no notification", says and json.encode(says));
	self.narrator:no_push "browser";
end

-- The server ends as in a crash, and is started again.
function stage_methods:crash()
	local narrator, server = self.narrator, self.server;
	local pid = server.pid;
	server:kill();
	narrator:does("service", string.format("is killed: kill -9 %d", pid));
	local started = loop.now();
	server:start_again();
	narrator:does("service", string.format("is up again as process %d, after %.1f s", server.pid, loop.now() - started));
	connect_all(self);
end

-- Sets options of the module, as an operator would.
function stage_methods:set_options(options)
	local server = self.server;
	server:reconfigure(options);
	local file = assert(io.open(server:config_path()));
	for line in file:lines() do
		if options[line:match("^[%w_]+")] ~= nil then
			self.narrator:does("service", "is configured:  " .. line:gsub(";$", ""));
		end
	end
	file:close();
	server:reload_config();
	server:reload_module("muc_cloud_notify");
end

-- What the module says in the log at some level, after its first `from` bytes.
function stage_methods:log_lines(level, from)
	local lines = {};
	for line in self.server:log(from):gmatch("[^\n]+") do
		local text = line:match(":muc_cloud_notify\t" .. level .. "\t(.*)$");
		table.insert(lines, text);
	end
	return lines;
end

-- The end of the log, without what other parts of the server say for debugging.
function stage_methods:log_tail(count)
	local lines = {};
	for line in self.server:log():gmatch("[^\n]+") do
		if line:find(":muc_cloud_notify\t", 1, true) or not line:find("\tdebug\t", 1, true) then
			table.insert(lines, line);
		end
	end
	return table.concat(lines, "\n", math.max(1, #lines - count + 1));
end

-- Goes on until the process is interrupted, and shows pushes.
function stage_methods:stay()
	local narrator, server = self.narrator, self.server;
	narrator:conclusion("The server stays up. Press Ctrl-C to stop it and to remove its folder.", "strong");
	narrator:term("log", server.log_path);
	narrator:term("config", server:config_path());
	narrator:term("folder", server.folder);
	narrator:term("port", string.format("127.0.0.1:%d, for components (XEP-0114) as in the config; %s is free for one of yours.",
		server.component_port, spare_host));
	narrator:term("try", string.format("From there, enter %s and say \"Alice\": her push is shown here.", stage.square));
	while server:is_running() do
		local push = self.app:next_push(0.5);
		if push then
			narrator:does("push", describe(push));
		end
	end
end

return stage;
