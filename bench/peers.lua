-- The peers of the measured server: an app server, and users in rooms.

local loop = require "harness.loop";

local raw_component = require "bench.raw_component";

local find, match = string.find, string.match;

local peers = {};

local last_id = 0;

-- An id, which is the start of no other.
local function new_id()
	last_id = last_id + 1;
	return string.format("bench-%d.", last_id);
end

local app_methods = {};

function app_methods:reset()
	self.in_flight = {}; -- node -> true while we have not answered
	self.last_count = {}; -- node -> the message-count of its latest push
	self.nodes = 0; -- that were pushed to
	self.pushes = 0;
	self.push_bytes = 0;
	self.floor = 0; -- IQs of the bare loop
	self.floor_bytes = 0;
	self.problems = {}; -- what must not be -> how often it was
end

local function problem(self, what)
	self.problems[what] = (self.problems[what] or 0) + 1;
end

local function take_push(self, id, text)
	local node = match(text, " node='([^']*)'") or "";
	local count = tonumber(match(text, "'message%-count'[^>]*><value>(%d+)<"));
	local last = self.last_count[node];
	if not last then
		self.nodes = self.nodes + 1;
	end
	if self.in_flight[node] then
		problem(self, "a second publish was sent while one was in flight");
	end
	if not count then
		problem(self, "a push came without a count");
	elseif last and count <= last then
		problem(self, "a push came twice");
	end
	self.in_flight[node] = true;
	self.last_count[node] = count or last or 0;
	self.pushes = self.pushes + 1;
	self.push_bytes = self.push_bytes + #text;
	table.insert(self.batch, id);
	table.insert(self.batch, node);
	if self.captured then
		table.insert(self.captured, text);
	end
end

function app_methods:on_stanza(name, text)
	if name ~= "iq" then return; end
	local id = match(text, "^%s*<iq[^>]* id='([^']*)'");
	if not find(text, "^%s*<iq[^>]* type='set'") then
		self.replies[id] = true;
	elseif find(id, "floor-", 1, true) == 1 then
		self.floor = self.floor + 1;
		self.floor_bytes = self.floor_bytes + #text;
		table.insert(self.batch, id);
		table.insert(self.batch, false);
	else
		take_push(self, id, text);
	end
end

local function answer(self, batch)
	local texts = {};
	for i = 1, #batch, 2 do
		if batch[i + 1] then
			self.in_flight[batch[i + 1]] = nil;
		end
		table.insert(texts, self.answer_start .. batch[i] .. "'/>");
	end
	self:send(table.concat(texts));
end

function app_methods:on_batch()
	if not self.batch[1] then return; end
	if self.delay == 0 then
		answer(self, self.batch);
	else
		table.insert(self.waiting, { due = loop.now() + self.delay, batch = self.batch });
	end
	self.batch = {};
end

function app_methods:on_turn()
	local now = loop.now();
	while self.waiting[1] and self.waiting[1].due <= now do
		answer(self, table.remove(self.waiting, 1).batch);
	end
end

-- A request that every service answers, with an error if need be: then it has handled all that came before it.
function app_methods:ping()
	local id = new_id();
	self:send(string.format("<iq type='get' id='%s' from='%s' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>", id, self.jid, self.service));
	assert(raw_component.wait(function () return self.replies[id]; end), "the service does not answer");
	self.replies[id] = nil;
end

local function new_methods(methods, fields)
	local all = {};
	for name, method in pairs(methods) do all[name] = method; end
	for name, value in pairs(fields) do all[name] = value; end
	return all;
end

-- options: jid, port, service; timeout, is_over
function peers.app_server(options)
	local self = raw_component.connect(new_methods(app_methods, {
		answer_start = string.format("<iq type='result' from='%s' to='%s' id='", options.jid, options.service);
		batch = {};
		delay = 0; -- of each answer, in seconds
		replies = {};
		service = options.service;
		waiting = {};
	}), options.jid, options.port, options.timeout, options.is_over);
	self:reset();
	return self;
end

local users_methods = {};

function users_methods:on_stanza(name, text)
	if name == "iq" then
		local id = match(text, "^%s*<iq[^>]* id='([^']*)'");
		if self.requests[id] then
			self.requests[id] = text;
		end
	elseif name == "presence" then
		local room = match(text, "^%s*<presence[^>]* from='([^'/]*)/");
		if find(text, "code='110'", 1, true) then
			self.entered[room .. " " .. match(text, "^%s*<presence[^>]* to='([^']*)'")] = true;
		end
	elseif name == "message" then
		local id = match(text, "^%s*<message[^>]* id='([^']*)'");
		if id then
			self.heard[id] = true;
		end
	end
end

-- Sends a request of a user; child: its XML. Returns the answer.
function users_methods:request(user, to, child)
	local id = new_id();
	self.requests[id] = true;
	self:send(string.format("<iq type='set' id='%s' from='%s@%s/desk' to='%s'>%s</iq>", id, user, self.jid, to, child));
	local reply = raw_component.wait(function ()
		return self.requests[id] ~= true and self.requests[id];
	end);
	self.requests[id] = nil;
	assert(reply and reply:find("^%s*<iq[^>]* type='result'"), "no result: " .. tostring(reply));
end

-- A user enters a room, with the user's name as the nickname.
function users_methods:join(user, room, timeout)
	local full_jid = string.format("%s@%s/desk", user, self.jid);
	self:send(string.format("<presence from='%s' to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>",
		full_jid, room, user));
	assert(raw_component.wait(function ()
		return self.entered[room .. " " .. full_jid];
	end, timeout), user .. " cannot enter " .. room);
end

local function message(self, user, room)
	local id = new_id();
	return string.format("<message type='groupchat' id='%s' from='%s@%s/desk' to='%s'><body>Is anybody here, in %s?</body></message>",
		id, user, self.jid, room, id), id;
end

-- A user says something in a room; returns the key that becomes true in `heard`.
function users_methods:say(user, room, count)
	local texts, last = {}, nil;
	for i = 1, count or 1 do
		texts[i], last = message(self, user, room);
	end
	self:send(table.concat(texts));
	return last;
end

function users_methods:wait_for_echo(id, timeout)
	local is_heard = raw_component.wait(function () return self.heard[id]; end, timeout);
	self.heard = {};
	return is_heard;
end

function peers.users(options)
	return raw_component.connect(new_methods(users_methods, { entered = {}, heard = {}, requests = {} }), options.jid, options.port, options.timeout);
end

return peers;
