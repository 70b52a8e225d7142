-- A real Prosody as a child process, on loopback, on ports that the system chooses, and in a folder of its own.

local lfs = require "lfs";

local command_line = require "harness.command_line";
local configuration = require "harness.configuration";
local connections = require "harness.connections";
local console = require "harness.console";
local files = require "harness.files";
local loop = require "harness.loop";
local process = require "harness.process";
local srv = require "harness.srv";
local tables = require "harness.tables";

local merge = tables.merge;

local start_timeout = 60;
local stop_timeout = 60;
local poll_interval = 0.005;

local source = debug.getinfo(1, "S").source:match("^@(.*)/harness/[^/]*$") or ".";
local root = source:sub(1, 1) == "/" and source or lfs.currentdir() .. "/" .. source;

local prosody = {
	has_journal = configuration.has_journal;
	root = root;
	versions = { "0.12", "13.0" };
};

local chosen_versions = os.getenv("PROSODY_VERSIONS") or "";
if chosen_versions ~= "" then
	prosody.versions = {};
	for version in chosen_versions:gmatch("[^%s,]+") do
		table.insert(prosody.versions, version);
	end
end

local server_methods = merge({}, connections.methods);
local server_mt = { __index = server_methods };

local open_servers = {};

local function program_path(version, name)
	return string.format("%s/.test/prosody-%s/usr/bin/%s", root, version, name);
end

local function write_config(self)
	files.write(self:config_path(), configuration.text(self));
end

local function tail(text, count)
	local lines = {};
	for line in (text or ""):gmatch("[^\n]+") do
		table.insert(lines, line);
	end
	return table.concat(lines, "\n", math.max(1, #lines - count + 1));
end

local function describe_failure(self, what)
	return string.format("Prosody %s %s. Its output:\n%s\nThe end of its log:\n%s", self.version, what,
		tail(files.read(self.folder .. "/output"), 20), tail(self:log(), 40));
end

local function connect_console(self)
	self.console = console.connect(self.folder .. "/console.port");
	return self.console;
end

local function disconnect_console(self)
	if self.console then
		self.console:close();
		self.console = nil;
	end
end

-- Starts the process and waits until it is up.
local function launch(self)
	write_config(self);
	os.remove(self.folder .. "/console.port"); -- of the process before this one
	self.process:start();
	local up = loop.wait_until(function ()
		if self.process:exit_status() then return "ended"; end
		return connect_console(self);
	end, start_timeout, poll_interval);
	if up == "ended" then
		error(describe_failure(self, "ended while it started"), 0);
	elseif not up then
		error(describe_failure(self, string.format("was not up after %d s", start_timeout)), 0);
	end
	self.pid = self.process:pid();
	self.component_port, self.component_address = self:admin("return port_of('component')");
	self.c2s_port, self.c2s_address = self:admin("return port_of('c2s')");
	if self.options.http then
		self.http_port, self.http_address = self:admin("return port_of('http')");
	end
	if self.options.s2s then
		srv.add(self);
	end
end

-- Where the modules of the prosody-modules package for a version are.
function prosody.community_modules(version)
	return string.format("%s/.test/modules-%s/usr/lib/prosody/modules", root, version);
end

local function plugin_paths(options)
	local paths = {};
	for _, path in ipairs(options.plugin_paths or {}) do
		table.insert(paths, path);
	end
	table.insert(paths, root);
	table.insert(paths, root .. "/harness/modules");
	if options.community_modules then
		table.insert(paths, prosody.community_modules(options.version));
	end
	return paths;
end

-- options:
--   version            one of prosody.versions
--   components         list of external components, for server:component() and what builds on it
--   muc                options of the MUC component
--   muc_host           its name, "conference.localhost"
--   mucs               further MUC components: name -> options
--   internal           other components inside the server: name -> options, of which `module` is the module
--   hosts              VirtualHosts: name -> options; one "localhost" if not given
--   c2s                true: clients can log in, see server:client()
--   http               true: it can be asked by HTTP
--   s2s                other servers of this process that have it are reached, and known: "dialback", without TLS; or
--                      "certificates", with TLS and SASL EXTERNAL, and stream management if that module is enabled
--   global             global options
--   plugin_paths       searched before the checkout
--   community_modules  true: those of prosody-modules can be loaded
--   log_level          "debug"
function prosody.start(options)
	local program = program_path(options.version, "prosody");
	assert(lfs.attributes(program), program .. " is missing, run tools/provision test");

	local folder = process.make_folder();
	local self = setmetatable({
		clients = {};
		components = {};
		data_dir = folder .. "/data";
		folder = folder;
		log_path = folder .. "/prosody.log";
		muc_host = options.muc_host or "conference.localhost";
		options = merge({}, options);
		plugin_paths = plugin_paths(options);
		srv_path = folder .. "/srv";
		version = options.version;
	}, server_mt);
	self.options.muc = merge({}, options.muc);
	self.options.global = merge({}, options.global);
	assert(lfs.mkdir(self.data_dir));
	assert(lfs.mkdir(folder .. "/certificates"));
	self.process = process.new(folder, command_line.lua { program, "-F", "--config", self:config_path() });
	open_servers[self] = true;

	local ok, err = pcall(launch, self);
	if not ok then
		self:close();
		error(err, 2);
	end
	return self;
end

-- The servers that are not closed, in the order of their versions and names.
function prosody.all_open()
	local list = {};
	for self in pairs(open_servers) do table.insert(list, self); end
	table.sort(list, function (a, b) return a.version .. " " .. a.muc_host < b.version .. " " .. b.muc_host; end);
	return list;
end

-- Ends all servers that are still there, for the end of a process or of a spec, however it went.
function prosody.close_all()
	for self in pairs(open_servers) do
		self:close();
	end
end

function server_methods:config_path()
	return self.folder .. "/prosody.cfg.lua";
end

-- The log so far; from, if given, is how much of it to leave out.
function server_methods:log(from)
	return (files.read(self.log_path) or ""):sub((from or 0) + 1);
end

-- Waits until the log has a text, taken as it is or as a pattern, after its first `from` bytes.
function server_methods:wait_for_log(text, timeout, from)
	local found = loop.wait_until(function ()
		local log = self:log(from);
		if log:find(text, 1, true) then return true; end
		local ok, at = pcall(string.find, log, text);
		return ok and at;
	end, timeout, poll_interval);
	if not found then
		error(describe_failure(self, string.format("did not log %q", text)), 2);
	end
end

function server_methods:is_running()
	return self.process ~= nil and self.pid ~= nil and self.process:exit_status() == nil;
end

-- Runs Lua inside the server, in the context of the MUC component, and returns what it returns: plain values and
-- tables of such (other values come as text). The chunk gets the arguments as `...`, and in its environment
-- module, prosody, muc, muc_of(host), room(room_jid), settle(turns), is_filled(host), st, jid, timer and async; it may wait
-- as util.async does. An error inside becomes an error here.
function server_methods:admin(code, ...)
	if not (self.console and not self.console.closed) and not connect_console(self) then
		error(describe_failure(self, "does not let itself be administrated"), 2);
	end
	local result = self.console:run(code, ...);
	if not result then
		error(describe_failure(self, "did not answer the console"), 2);
	elseif not result[1] then
		error("inside the server: " .. tostring(result[2]), 2);
	end
	return table.unpack(result, 2, result.n);
end

-- Lets the server's event loop turn some times.
function server_methods:settle(turns)
	self:admin("settle(...)", turns or 5);
end

local function ended(self)
	disconnect_console(self);
	connections.close(self);
	self.pid = nil;
end

-- What prosodyctl has the server do, by version: for that it needs the global modules "admin_socket" and "admin_shell".
local is_asked_of_server = { ["0.12"] = { shell = true }, ["13.0"] = { deluser = true, shell = true } };

local run_command = [[
	local pipe = assert(io.popen((...), "r"));
	local output = pipe:read("*a");
	return output, pipe:close();
]];

-- Runs prosodyctl with this server's configuration, and returns what it says. It is a process of its own. What it does by itself to
-- what is stored, the server waits for: SQLite refuses what one of them writes while the other does.
function server_methods:prosodyctl(name, ...)
	local arguments = command_line.lua { program_path(self.version, "prosodyctl"), "--config", self:config_path(), name, ... };
	local command = command_line.quote(arguments) .. " 2>&1 </dev/null";
	local output, ok;
	if self:is_running() and not is_asked_of_server[self.version][name] then
		output, ok = self:admin(run_command, command);
	else
		output, ok = assert(load(run_command))(command);
	end
	if not ok then
		error(string.format("prosodyctl %s failed:\n%s", table.concat({ name, ... }, " "), output), 2);
	end
	return output;
end

-- Sends a signal to the process, such as "STOP", "CONT" or "HUP".
function server_methods:signal(name)
	self.process:signal(name);
end

-- Halts the process: its connections stay, and nothing is read from them. signal("CONT") lets it go on.
function server_methods:freeze()
	self:signal("STOP");
	assert(loop.wait_until(function ()
		return files.read(string.format("/proc/%d/stat", self.pid)):match("%) T");
	end, stop_timeout, poll_interval), "the process does not halt");
end

-- Stops the server as its operator would, which takes it no longer than so many seconds. Its folder stays, for start_again(); see close().
function server_methods:stop(timeout)
	timeout = timeout or stop_timeout;
	self.process:signal("TERM");
	local status = self.process:wait(timeout);
	if not status then
		local text = describe_failure(self, string.format("did not stop within %d s", timeout));
		self:kill();
		error(text, 2);
	end
	ended(self);
	if status ~= 0 then
		error(describe_failure(self, string.format("ended with status %d", status)), 2);
	end
end

-- Ends the server as a crash would.
function server_methods:kill()
	self.process:signal("KILL");
	self.process:wait(stop_timeout);
	ended(self);
end

-- Starts the stopped server again, with the same data. Connections have to be made anew: see component().
function server_methods:start_again()
	launch(self);
end

-- Writes the configuration anew, with further options of the MUC component, and global ones if given. The
-- next start_again() or reload_config() reads it.
function server_methods:reconfigure(muc, global)
	merge(self.options.muc, muc);
	merge(self.options.global, global);
	write_config(self);
end

-- Makes the running server read its configuration again.
function server_methods:reload_config()
	local ok, err = self:admin("return prosody.reload_config()");
	if ok == false then error(err, 2); end
end

-- Reloads a module, of the MUC component or another host.
function server_methods:reload_module(name, host)
	self:admin([[
		local host, name = ...;
		assert(require "core.modulemanager".reload(host, name));
	]], host or self.muc_host, name);
end

-- Ends the server if it still runs, and removes its folder unless KEEP is set in the environment.
function server_methods:close()
	if not self.process then return; end
	disconnect_console(self);
	connections.close(self);
	self.process:close();
	self.process, self.pid = nil, nil;
	open_servers[self] = nil;
	srv.remove(self);
	if os.getenv("KEEP") then
		io.stderr:write(string.format("Prosody %s was kept in %s\n", self.version, self.folder));
	end
end

return prosody;
