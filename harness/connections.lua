-- The connections of this process to a Prosody: external components with their users and app servers, and clients.

local jid_split = require "util.jid".split;

local app_server = require "harness.app_server";
local client = require "harness.client";
local component = require "harness.component";
local configuration = require "harness.configuration";
local tables = require "harness.tables";
local user = require "harness.user";

local merge = tables.merge;

local account_password = "harness";

local methods = {}; -- of a server, see harness.prosody

local connections = { methods = methods };

-- The connections of this process to this server that are open, and answered at this end.
function methods:connections()
	local list = {};
	for _, host in ipairs(tables.sorted_keys(self.components)) do
		if not self.components[host].closed then
			table.insert(list, self.components[host]);
		end
	end
	for _, connection in ipairs(self.clients) do
		if connection:is_alive() then
			table.insert(list, connection);
		end
	end
	return list;
end

-- The connection of an external component, made when there is none.
function methods:component(host)
	local connection = self.components[host];
	if not connection or connection.closed then
		connection = component.connect { jid = host, host = self.component_address, port = self.component_port,
			secret = configuration.component_secret, server = self };
		self.components[host] = connection;
	end
	return connection;
end

-- A client of an account, which is made when there is none. options: see harness.client
function methods:client(full_jid, options)
	local username, host = jid_split(full_jid);
	self:admin([[
		local usermanager = require "core.usermanager";
		local username, host, password = ...;
		if not usermanager.user_exists(username, host) then
			assert(usermanager.create_user(username, password, host));
		end
	]], username, host, account_password);
	local connection = client.connect(merge({
		host = self.c2s_address;
		jid = full_jid;
		password = account_password;
		port = self.c2s_port;
		server = self;
	}, options));
	table.insert(self.clients, connection);
	return connection;
end

-- A user of one of the external components.
function methods:user(full_jid)
	return user.new(self:component(full_jid:match("@([^/]+)")), full_jid);
end

-- An app server that is one of the external components.
function methods:app_server(host)
	return app_server.new(self:component(host));
end

-- Closes all connections to a server.
function connections.close(server)
	for _, connection in pairs(server.components) do
		connection:close();
	end
	for _, connection in ipairs(server.clients) do
		connection:close();
	end
end

return connections;
