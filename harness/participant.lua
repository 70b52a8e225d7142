-- What a user does in rooms and at a push service: methods for everything that can send, receive, expect and ask (iq) as a
-- user. It has its JID in jid, its server in server, and in nicks the nickname it has in each room: room -> nickname.

local jid_bare = require "util.jid".bare;
local jid_resource = require "util.jid".resource;
local st = require "util.stanza";

local stream = require "harness.stream";

local xmlns_muc = "http://jabber.org/protocol/muc";
local xmlns_muc_user = xmlns_muc .. "#user";
local xmlns_muc_admin = xmlns_muc .. "#admin";
local xmlns_muc_owner = xmlns_muc .. "#owner";
local xmlns_push = "urn:xmpp:push:0";
local form_type_options = "http://jabber.org/protocol/pubsub#publish-options";
local form_type_roomconfig = xmlns_muc .. "#roomconfig";

local participant = {};

local function has_status(presence, code)
	local x = presence:get_child("x", xmlns_muc_user);
	for status in (x or presence):childtags("status") do
		if status.attr.code == code then return true; end
	end
	return false;
end

local function wait_for_self_presence(self, room, presence_type)
	return self:receive(nil, function (stanza)
		return stanza.name == "presence" and jid_bare(stanza.attr.from) == room
			and (stanza.attr.type == "error" or stanza.attr.type == presence_type and has_status(stanza, "110"));
	end);
end

local function check_presence(self, presence, what)
	if not presence then
		error(string.format("%s cannot %s: no answer. What waits:\n%s", self.jid, what, self:dump()), 3);
	elseif presence.attr.type == "error" then
		error(string.format("%s cannot %s: %s", self.jid, what, tostring(presence)), 3);
	end
	return presence;
end

-- Enters a room, and returns the presence that says so. The presences of others stay in the queue; the subject,
-- which is the last thing one gets when entering, does not. options: history (stanzas, 0), password
function participant:join(room, nick, options)
	options = options or {};
	local presence = st.presence({ to = room .. "/" .. nick }):tag("x", { xmlns = xmlns_muc });
	presence:tag("history", { maxstanzas = tostring(options.history or 0) }):up();
	if options.password then
		presence:text_tag("password", options.password);
	end
	self:send(presence:reset());
	local answer = check_presence(self, wait_for_self_presence(self, room), "join " .. room);
	self.nicks[room] = jid_resource(answer.attr.from);
	self:expect(function (stanza)
		return stanza.name == "message" and stanza.attr.type == "groupchat" and jid_bare(stanza.attr.from) == room
			and stanza:get_child("subject") and not stanza:get_child("body");
	end);
	return answer;
end

-- Leaves a room, and returns the presence that says so.
function participant:leave(room, nick)
	nick = nick or self.nicks[room];
	self:send(st.presence({ to = room .. "/" .. nick, type = "unavailable" }));
	self.nicks[room] = nil;
	return check_presence(self, wait_for_self_presence(self, room, "unavailable"), "leave " .. room);
end

-- Sends a message to a room and returns its id. body may be nil; extra is XML to go next to it; attr are
-- further attributes.
function participant:say(room, body, extra, attr)
	local all = { from = self.jid, to = room, type = "groupchat", id = stream.new_id() };
	for name, value in pairs(attr or {}) do
		all[name] = value;
	end
	local message = st.message(all);
	self:send((tostring(message):gsub("/>$", "")) .. ">"
		.. (body and "<body>" .. st.xml_escape(body) .. "</body>" or "") .. (extra or "") .. "</message>");
	return all.id;
end

local function add_form(stanza, form_type, fields)
	stanza:tag("x", { xmlns = "jabber:x:data", type = "submit" });
	if fields[1] == nil or fields[1][1] ~= "FORM_TYPE" then
		stanza:tag("field", { var = "FORM_TYPE", type = "hidden" }):text_tag("value", form_type):up();
	end
	for _, field in ipairs(fields) do
		stanza:tag("field", { var = field[1] });
		for _, value in ipairs(type(field[2]) == "table" and field[2] or { field[2] }) do
			stanza:text_tag("value", tostring(value));
		end
		stanza:up();
	end
	return stanza:up();
end

local function push_request(self, name, options)
	local iq = st.stanza("iq", { type = "set", to = options.to or self.server.muc_host });
	return iq:tag(name, { xmlns = xmlns_push, jid = options.jid, node = options.node });
end

-- Registers a device and returns the reply. options: jid, node; to (the MUC service); form, a list of
-- { var, value or list of values } that gets its FORM_TYPE if it does not start with one.
function participant:enable(options)
	local iq = push_request(self, "enable", options);
	if options.form then
		add_form(iq, form_type_options, options.form);
	end
	return self:iq(iq:reset(), options.timeout);
end

-- Removes a device, or all of an app server without a node, and returns the reply. options: jid, node; to
function participant:disable(options)
	return self:iq(push_request(self, "disable", options):reset(), options.timeout);
end

local function expect_result(reply, what)
	if reply.attr.type ~= "result" then
		error(string.format("cannot %s: %s", what, tostring(reply)), 3);
	end
	return reply;
end

local function option_value(value)
	if type(value) == "boolean" then
		return value and "1" or "0";
	end
	return value;
end

-- Sets options of a room; none of them make a new room an instant one.
function participant:configure_room(room, options)
	local fields = {};
	for name, value in pairs(options or {}) do
		table.insert(fields, { name, option_value(value) });
	end
	table.sort(fields, function (a, b) return a[1] < b[1]; end);
	local iq = st.stanza("iq", { type = "set", to = room }):tag("query", { xmlns = xmlns_muc_owner });
	return expect_result(self:iq(add_form(iq, form_type_roomconfig, fields):reset()), "configure " .. room);
end

-- Enters a room that does not exist yet and opens it for others.
function participant:create_room(room, nick, options)
	local presence = self:join(room, nick);
	self:configure_room(room, options);
	return presence;
end

-- Sets the affiliation of a bare JID, with a nick to reserve if there is one.
function participant:affiliate(room, bare_jid, affiliation, nick)
	local iq = st.stanza("iq", { type = "set", to = room }):tag("query", { xmlns = xmlns_muc_admin })
		:tag("item", { affiliation = affiliation, jid = bare_jid, nick = nick });
	return expect_result(self:iq(iq:reset()), "set an affiliation in " .. room);
end

function participant:destroy_room(room)
	local iq = st.stanza("iq", { type = "set", to = room }):tag("query", { xmlns = xmlns_muc_owner }):tag("destroy");
	return expect_result(self:iq(iq:reset()), "destroy " .. room);
end

return participant;
