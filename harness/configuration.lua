-- The configuration of a Prosody under the harness: on loopback, with nothing that was not asked for.

local serialization = require "util.serialization";

local certificates = require "harness.certificates";
local tables = require "harness.tables";

local merge, sorted_keys = tables.merge, tables.sorted_keys;

local default_hosts = { localhost = {} };

local configuration = {
	component_secret = "harness"; -- of all external components
	has_journal = os.getenv("JOURNAL") == "1"; -- where nothing is said of it
};

local function with_item(list, item)
	local all = { item };
	for _, other in ipairs(list or {}) do
		table.insert(all, other);
	end
	return all;
end

local literal = serialization.new { preset = "oneline" };

-- What nearly all that is tested or shown is not about. Members are made by somebody else and never enter; and a push is
-- expected for each message, though one follows the other at once, and faster than batches of the journal do; with JOURNAL=1 in
-- the environment there is a journal all the same. "shipped_options" of a server leaves all as it is shipped.
local usual_muc_options = {
	muc_push_consent = false;
	muc_push_interval = 0;
	muc_push_journal = configuration.has_journal;
	restrict_room_creation = false;
};

local function muc_options(self, options)
	return merge(merge({}, self.options.shipped_options and { restrict_room_creation = false } or usual_muc_options), options);
end

local function write_options(lines, options)
	for _, name in ipairs(sorted_keys(options)) do
		table.insert(lines, string.format("%s = %s;", name, literal(options[name])));
	end
end

local function write_section(lines, opening, options)
	table.insert(lines, "");
	table.insert(lines, opening);
	write_options(lines, options);
end

-- What clients need to log in, without encryption and with a password in clear.
local function add_c2s(global, modules)
	table.insert(modules, "saslauth");
	global.allow_unencrypted_plain_auth = true;
	global.c2s_interfaces = { "127.0.0.2" }; -- port 0 can be asked for once on each
	global.c2s_ports = { 0 };
	global.c2s_require_encryption = false;
end

local function all_hosts(self)
	local options = self.options;
	local all = { self.muc_host };
	for _, by_host in ipairs { options.hosts or default_hosts, options.mucs or {}, options.internal or {} } do
		for _, host in ipairs(sorted_keys(by_host)) do
			table.insert(all, host);
		end
	end
	for _, host in ipairs(options.components or {}) do
		table.insert(all, host);
	end
	return all;
end

-- What web pages ask, and other clients of HTTP.
local function add_http(global)
	global.http_interfaces = { "127.0.0.4" };
	global.http_ports = { 0 };
end

-- What it takes to talk with other servers.
local function add_s2s(self, global, modules)
	table.insert(modules, "harness_srv");
	global.s2s_interfaces = { "127.0.0.3" };
	global.s2s_ports = { 0 };
	global.harness_srv_file = self.srv_path;
	if self.options.s2s == "certificates" then
		table.insert(modules, "saslauth");
		table.insert(modules, "tls");
		global.s2s_secure_auth = true;
		global.ssl = certificates.issue(global.certificates, all_hosts(self));
	else
		table.insert(modules, "dialback");
		table.insert(global.modules_disabled, "s2s_auth_certs");
		global.s2s_require_encryption = false;
		global.s2s_secure_auth = false;
	end
end

local function global_options(self)
	local options = self.options;
	local disabled, modules = {}, {};
	local global = {
		authentication = "internal_plain";
		c2s_direct_tls_ports = {};
		c2s_ports = {};
		certificates = self.folder .. "/certificates";
		component_interfaces = { "127.0.0.1" };
		component_ports = { 0 }; -- one that is free
		data_path = self.data_dir;
		http_ports = {};
		https_ports = {};
		interfaces = { "127.0.0.1" };
		log = { [options.log_level or "debug"] = self.log_path };
		modules_disabled = disabled;
		modules_enabled = modules;
		pidfile = self.folder .. "/prosody.pid";
		plugin_paths = self.plugin_paths;
		run_as_root = true; -- a test may be run by root, as in a container
		s2s_direct_tls_ports = {};
		s2s_ports = {};
		storage = "internal";
	};
	if options.c2s then
		add_c2s(global, modules);
	else
		table.insert(disabled, "c2s");
	end
	if options.http then
		add_http(global);
	end
	if options.s2s then
		add_s2s(self, global, modules);
	else
		table.insert(disabled, "s2s");
		table.insert(disabled, "s2s_auth_certs");
	end
	for _, name in ipairs(options.global.modules_enabled or {}) do
		table.insert(modules, name);
	end
	return merge(global, merge(merge({}, options.global), { modules_enabled = modules }));
end

-- The text of the file for a server, see harness.prosody.
function configuration.text(self)
	local options = self.options;
	local lines = {};
	write_options(lines, global_options(self));

	local hosts = options.hosts or default_hosts;
	for _, host in ipairs(sorted_keys(hosts)) do
		write_section(lines, string.format("VirtualHost %q", host), hosts[host]);
	end

	local muc = muc_options(self, options.muc);
	muc.modules_enabled = with_item(muc.modules_enabled, "harness_console");
	muc.harness_console_port_file = self.folder .. "/console.port";
	write_section(lines, string.format("Component %q %q", self.muc_host, "muc"), muc);
	for _, host in ipairs(sorted_keys(options.mucs or {})) do
		write_section(lines, string.format("Component %q %q", host, "muc"),
			muc_options(self, options.mucs[host]));
	end

	for _, host in ipairs(sorted_keys(options.internal or {})) do
		local component_options = merge({}, options.internal[host]);
		local name = component_options.module;
		component_options.module = nil;
		write_section(lines, string.format("Component %q %q", host, name), component_options);
	end
	for _, host in ipairs(options.components or {}) do
		write_section(lines, string.format("Component %q", host), { component_secret = configuration.component_secret });
	end
	return table.concat(lines, "\n") .. "\n";
end

return configuration;
