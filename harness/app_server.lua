-- A small XEP-0357 app server, as a component of the test process.

local st = require "util.stanza";

local loop = require "harness.loop";

local xmlns_data = "jabber:x:data";
local xmlns_disco_info = "http://jabber.org/protocol/disco#info";
local xmlns_pubsub = "http://jabber.org/protocol/pubsub";
local xmlns_push = "urn:xmpp:push:0";

local app_server = {};

local app_methods = {};
local app_mt = { __index = app_methods };

-- The fields of a data form: in order, and by name (the first value of each).
local function parse_form(x)
	local list, by_var = {}, {};
	if x then
		for field in x:childtags("field", xmlns_data) do
			local var, value = field.attr.var, field:get_child_text("value");
			table.insert(list, { var = var, value = value, type = field.attr.type });
			by_var[var] = value;
		end
	end
	return list, by_var;
end

local function parse_push(stanza, pubsub, publish)
	local item = publish:get_child("item");
	local notification = item and item:get_child("notification", xmlns_push);
	local form, summary = parse_form(notification and notification:get_child("x", xmlns_data));
	return {
		id = stanza.attr.id;
		from = stanza.attr.from;
		to = stanza.attr.to;
		node = publish.attr.node;
		notification = notification;
		form = form;
		count = summary["message-count"];
		summary = summary;
		options = pubsub:get_child("publish-options");
		stanza = stanza;
	};
end

local function reply_stanza(push, answer)
	if type(answer) == "function" then
		answer = answer(push);
	end
	if answer == nil or answer == "silence" then
		return nil;
	elseif answer == "result" then
		return st.reply(push.stanza);
	elseif st.is_stanza(answer) then
		return answer;
	end
	return st.error_reply(push.stanza, answer.type, answer.condition, answer.text);
end

-- Answers a push: "result", "silence", { type =, condition =, text = }, a stanza, or a function of the push
-- that gives one of these.
function app_methods:reply(push, answer)
	local stanza = reply_stanza(push, answer);
	if stanza then
		self.component:send(stanza);
	end
end

local function handle_push(self, stanza, pubsub, publish)
	local push = parse_push(stanza, pubsub, publish);
	self.count = self.count + 1;
	table.insert(self.pushes, push);
	self:reply(push, self.answer);
end

local function handle_disco(self, stanza)
	self.component:send(st.reply(stanza):tag("query", { xmlns = xmlns_disco_info })
		:tag("identity", { category = "pubsub", type = "push" }):up()
		:tag("feature", { var = xmlns_disco_info }));
end

-- An app server at a connection. Set `answer` to what its pushes are answered with, see reply().
function app_server.new(connection)
	local self = setmetatable({
		answer = "result";
		component = connection;
		count = 0; -- of all pushes so far
		jid = connection.jid;
		pushes = {}; -- those nobody has asked for yet
	}, app_mt);
	local function handle(stanza)
		if stanza.name ~= "iq" then return; end
		local pubsub = stanza:get_child("pubsub", xmlns_pubsub);
		local publish = pubsub and pubsub:get_child("publish");
		if publish and stanza.attr.type == "set" then
			handle_push(self, stanza, pubsub, publish);
			return true;
		elseif stanza.attr.type == "get" and stanza:get_child("query", xmlns_disco_info) then
			handle_disco(self, stanza);
			return true;
		end
	end
	connection:add_handler(handle);
	connection:show_queue(handle); -- a push may come as soon as there is a connection
	return self;
end

-- The next push, already answered; nil when none comes. wanted, if any, is a function of the push.
function app_methods:next_push(timeout, wanted)
	local found;
	loop.wait_until(function ()
		for i, push in ipairs(self.pushes) do
			if not wanted or wanted(push) then
				found = table.remove(self.pushes, i);
				return true;
			end
		end
		return self.component.closed;
	end, timeout);
	return found;
end

-- As next_push(), but raises an error when none comes.
function app_methods:expect_push(timeout, wanted)
	local push = self:next_push(timeout, wanted);
	if not push then
		error(string.format("%s did not receive a push. Other pushes: %d, other stanzas:\n%s",
			self.jid, #self.pushes, self.component:dump()), 2);
	end
	return push;
end

-- The same for a node.
function app_methods:expect_push_for(node, timeout)
	return self:expect_push(timeout, function (push) return push.node == node; end);
end

-- Takes all pushes that are there or still to come of anything that was sent so far. Returns their nodes, in
-- alphabetical order.
function app_methods:take_nodes()
	self.component:sync();
	local nodes = {};
	for _, push in ipairs(self.pushes) do
		table.insert(nodes, push.node);
	end
	self:clear();
	table.sort(nodes);
	return nodes;
end

-- Answers everything from now on, and forgets what came before.
function app_methods:start_anew()
	self.answer = "result";
	self.component:sync();
	self:clear();
end

-- Raises an error if there is a push, or if one is still to come of anything that was sent so far.
function app_methods:expect_no_push()
	self.component:sync();
	if self.pushes[1] then
		error(string.format("%s received a push it should not have:\n  %s", self.jid, tostring(self.pushes[1].stanza)), 2);
	end
end

-- Forgets the pushes nobody asked for.
function app_methods:clear()
	self.pushes = {};
end

return app_server;
