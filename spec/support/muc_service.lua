-- The MUC service of many specs: Bob talks in its rooms, their members are absent, and an app server gets the pushes.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local tables = require "harness.tables";

local logs = require "spec.support.logs";

local merge = tables.merge;

local muc_service = {};

local service_methods = {};
local service_mt = { __index = service_methods };

-- The service of a server that has the components users.localhost and push.localhost.
function muc_service.new(server)
	local self = setmetatable({ member_count = 0, server = server }, service_mt);
	self:connect();
	return self;
end

-- Options of a MUC component whose pushes say what the message says.
function muc_service.with_body(options)
	return merge({ modules_enabled = { "muc_cloud_notify" }, push_notification_with_body = true }, options);
end

-- Starts a server that has such a service. options: those of prosody.start() that are not as usual. Returns server and service.
function muc_service.start(version, options)
	local server = prosody.start(merge({
		version = version;
		components = { "users.localhost", "push.localhost" };
	}, options));
	return server, muc_service.new(server);
end

-- The same with clients of its own, the sessions of which can hibernate (XEP-0198), and mod_cloud_notify for the pushes of
-- their accounts. mucs: further MUC components
function muc_service.start_with_clients(version, mucs)
	return muc_service.start(version, {
		c2s = true;
		community_modules = true;
		global = { modules_enabled = { "cloud_notify", "smacks" } };
		muc = muc_service.with_body();
		mucs = mucs;
	});
end

-- After a restart: all connections have to be made anew.
function service_methods:connect()
	self.bob = self.server:user("bob@users.localhost/desk");
	self.app = self.server:app_server("push.localhost");
end

-- Ends the server in some way ("stop", "kill") and starts it again; meanwhile() is called in between.
function service_methods:restart(finish, meanwhile)
	self.server[finish](self.server);
	if meanwhile then meanwhile(); end
	self.server:start_again();
	self:connect();
	self:wait_until_loaded();
end

-- After a start: waits until all is loaded, or it is said why it is not. What is said before that is told later.
function service_methods:wait_until_loaded()
	assert(loop.wait_until(function ()
		return self.server:admin [[
			if is_filled() then return true; end
			local kind = prosody.hosts[module.host].modules.muc_cloud_notify.module:get_status();
			return kind == "error" or kind == "warn";
		]];
	end, nil, 0.01), "not all is loaded");
end

-- Where there is a journal, waits until it holds all that is unread, as it is, and nothing that was answered waits there.
function service_methods:wait_until_stored()
	assert(loop.wait_until(function ()
		return self.server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats()").unstored == 0;
	end, nil, 0.01), "not everything is stored");
end

-- A new room with Bob in it, and given members.
function service_methods:new_room(members, service)
	self.member_count = self.member_count + 1;
	local room = string.format("room-%d@%s", self.member_count, service or self.server.muc_host);
	self.bob:create_room(room, "bob");
	for _, bare_jid in ipairs(members or {}) do
		self.bob:affiliate(room, bare_jid, "member");
	end
	return room;
end

-- A user who is a member of a new room and not in it; the room; and the user's bare JID. options: host of the
-- user, service of the room
function service_methods:new_member(options)
	options = options or {};
	local bare_jid = string.format("member-%d@%s", self.member_count + 1, options.host or "users.localhost");
	local room = self:new_room({ bare_jid }, options.service);
	return self.server:user(bare_jid .. "/phone"), room, bare_jid;
end

-- The same with a device of the user's: a node of the app server.
function service_methods:new_device(node, service)
	local user, room, bare_jid = self:new_member { service = service };
	assert(self:enable(user, node, nil, service) == "result");
	return user, room, bare_jid;
end

-- Ann, a member with a device (node "ann"), is in a new room with Bob. Returns her, the room and her bare JID. options: service
-- of the room; is_client, whether she is a client of this very server
function service_methods:new_ann(options)
	local service = options and options.service;
	local ann, room, bare_jid;
	if options and options.is_client then
		room = self:new_room({}, service);
		bare_jid = room:gsub("@.*", "-ann@localhost");
		self.bob:affiliate(room, bare_jid, "member");
		ann = self.server:client(bare_jid .. "/phone");
		assert(self:enable(ann, "ann", nil, service) == "result");
	else
		ann, room, bare_jid = self:new_device("ann", service);
	end
	ann:join(room, "Ann");
	self.app:start_anew();
	return ann, room, bare_jid;
end

-- Bob says something in a room, which he enters if need be. Returns when the server has nothing left to do for it.
function service_methods:say(room, body)
	if not self.bob.nicks[room] then
		self.bob:join(room, "bob");
	end
	self.bob:say(room, body or "hello");
	self.bob.component:sync();
end

-- From now on it is counted how often Prosody saves a room, for saves().
function service_methods:count_saves(room)
	self.server:admin([[
		local room = room(...);
		local save = room.save;
		prosody.saves = 0;
		room.save = function (...) prosody.saves = prosody.saves + 1; return save(...); end;
	]], room);
end

function service_methods:saves()
	return self.server:admin("return prosody.saves");
end

-- What a message in a room leads to: the nodes that are pushed to, in alphabetical order, "-" where there is none;
-- and the pushes by node.
function service_methods:pushed(room, app_server)
	app_server = app_server or self.app;
	app_server:clear();
	self:say(room);
	local nodes, pushes = {}, {};
	for _, push in ipairs(app_server.pushes) do
		table.insert(nodes, push.node or "-");
		pushes[push.node or "-"] = push;
	end
	table.sort(nodes);
	return nodes, pushes;
end

-- Takes all pushes that the app server has got or is still to get for anything that was sent so far: each one as
-- "node message-count text", in their order.
function service_methods:take_pushes()
	self.app.component:sync();
	local pushes = {};
	for i, push in ipairs(self.app.pushes) do
		pushes[i] = string.format("%s %s %s", push.node, push.count, push.summary["last-message-body"]);
	end
	self.app:clear();
	return pushes;
end

-- The options that go along with a push, as "name=value" in their order; nil where there are none.
function muc_service.options(push)
	if not push.options then return nil; end
	local fields = {};
	for field in push.options:get_child("x", "jabber:x:data"):childtags("field") do
		table.insert(fields, field.attr.var .. "=" .. (field:get_child_text("value") or ""));
	end
	return fields;
end

-- What this module has logged as an error for a host.
function service_methods:errors_at(host)
	local found = {};
	for _, entry in ipairs(logs.entries(self.server:log()).error) do
		if entry:find(" " .. host .. ":muc_cloud_notify\t", 1, true) then
			table.insert(found, entry);
		end
	end
	return found;
end

-- Requests of a user for a node of the app server, with a secret if one is given. Each returns what st's
-- get_error() does, after the type of the reply.
function service_methods:enable(user, node, secret, service)
	local reply = user:enable { to = service, jid = self.app.jid, node = node, form = secret and { { "secret", secret } } };
	return reply.attr.type, reply:get_error();
end

function service_methods:disable(user, node)
	local reply = user:disable { jid = self.app.jid, node = node };
	return reply.attr.type, reply:get_error();
end

-- Loads, unloads or reloads mod_muc_cloud_notify in the server: "load", "unload", "reload". Returns whether that worked.
function service_methods:manage(action)
	return self.server:admin("return require 'core.modulemanager'[...](module.host, 'muc_cloud_notify') and true", action);
end

-- Takes the next push and answers it, where the app server itself is silent. Returns its message-count.
function service_methods:answer(answer, timeout)
	local push = self.app:expect_push(timeout);
	self.app:reply(push, answer);
	return push.count;
end

return muc_service;
