-- Where the servers of a test process are for each other, see mod_harness_srv.

local serialization = require "util.serialization";

local files = require "harness.files";

local srv = {};

local servers = {};

local function publish()
	local records = {};
	for server in pairs(servers) do
		for _, host in ipairs(server.s2s_hosts) do
			assert(not records[host], "two servers that have s2s have the host " .. host);
			records[host] = { address = server.s2s_address, port = server.s2s_port };
		end
	end
	for server in pairs(servers) do
		files.write(server.srv_path, serialization.serialize(records));
	end
end

-- Makes a server known that is up. When it is stopped or dead it is still where it was, until remove().
function srv.add(server)
	server.s2s_port, server.s2s_address = server:admin("return port_of('s2s')");
	server.s2s_hosts = server:admin([[
		local names = {};
		for host in pairs(prosody.hosts) do
			table.insert(names, host);
		end
		return names;
	]]);
	servers[server] = true;
	publish();
end

function srv.remove(server)
	if servers[server] then
		servers[server] = nil;
		publish();
	end
end

return srv;
