-- A real PostgreSQL: a cluster of its own on loopback, in a temporary folder, on a port that the system chooses.
--
-- PostgreSQL does not run as root, as a test may in a container: there it is started as another user, for whom its programs
-- are copied, as that user may not be able to enter the folder of the checkout.

local dbi = require "DBI";
local lfs = require "lfs";
local socket = require "socket";

local command_line = require "harness.command_line";
local files = require "harness.files";
local loop = require "harness.loop";
local process = require "harness.process";
local prosody = require "harness.prosody";
local sql = require "harness.sql";

local address = "127.0.0.6"; -- of nobody else: it comes back to its port
local user = "prosody";
local user_of_root = { name = "nobody", group = "nogroup" };

local start_timeout = 60;
local stop_timeout = 60;
local poll_interval = 0.01;

-- Another process may be faster to take a port that was free.
local attempts = 5;

local postgresql = {};

local cluster_methods = {};
local cluster_mt = { __index = cluster_methods };

local open_clusters = {};
local shared; -- see postgresql.shared()

-- Nothing of a test is to outlive the machine; what was committed outlives PostgreSQL.
local settings = {
	autovacuum = "off", fsync = "off", full_page_writes = "off", jit = "off";
	listen_addresses = address, unix_socket_directories = "", log_min_messages = "warning", max_connections = "50";
};

local function run(arguments)
	local pipe = assert(io.popen(command_line.quote(arguments) .. " 2>&1 </dev/null", "r"));
	local output = pipe:read("a");
	if not pipe:close() then
		error(string.format("%s failed:\n%s", arguments[1], output), 0);
	end
	return output;
end

local function is_root()
	return run { "id", "-u" } == "0\n";
end

local function as_user(arguments)
	if not is_root() then return arguments; end
	local all = { "setpriv", "--reuid=" .. user_of_root.name, "--regid=" .. user_of_root.group, "--clear-groups" };
	return table.move(arguments, 1, #arguments, #all + 1, all);
end

local function free_port()
	local conn = assert(socket.bind(address, 0));
	local _, port = conn:getsockname();
	conn:close();
	return tonumber(port);
end

-- Where the programs are that the cluster's user can run.
local function programs(folder)
	local unpacked = prosody.root .. "/.test/postgresql-15/usr";
	assert(lfs.attributes(unpacked), unpacked .. " is missing, run tools/provision test");
	if is_root() then
		run { "cp", "-R", unpacked, folder .. "/usr" };
		run { "chmod", "-R", "a+rX", folder .. "/usr" };
		unpacked = folder .. "/usr";
	end
	return unpacked .. "/lib/postgresql/15/bin/";
end

local function describe_failure(self, what)
	return string.format("PostgreSQL %s. Its output:\n%s", what, files.read(self.folder .. "/output") or "");
end

local function write_config(self)
	local lines = { "port = " .. self.port };
	for name, value in pairs(settings) do
		table.insert(lines, string.format("%s = '%s'", name, value));
	end
	files.write(self.data_dir .. "/postgresql.conf", table.concat(lines, "\n") .. "\n");
end

-- Starts the process. Returns whether it takes connections; otherwise it has ended.
local function launch(self)
	self.process:start();
	local up = loop.wait_until(function ()
		if self.process:exit_status() then return "ended"; end
		local connection = self:connect("postgres");
		if connection then connection:close(); end
		return connection;
	end, start_timeout, poll_interval);
	if not up then
		error(describe_failure(self, string.format("was not up after %d s", start_timeout)), 0);
	end
	return up ~= "ended";
end

local function make_cluster(self)
	local bin = programs(self.folder);
	self.process = process.new(self.folder, as_user { bin .. "postgres", "-D", self.data_dir }, "QUIT");
	assert(lfs.mkdir(self.data_dir));
	if is_root() then
		run { "chmod", "711", self.folder };
		run { "chown", user_of_root.name, self.data_dir };
	end
	run(as_user { bin .. "initdb", "-D", self.data_dir, "-U", user, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync" });
	for _ = 1, attempts do
		self.port = free_port();
		write_config(self);
		if launch(self) then return; end
	end
	error(describe_failure(self, "ended while it started"), 0);
end

-- Starts a cluster.
function postgresql.start()
	local folder = process.make_folder();
	local self = setmetatable({ folder = folder, data_dir = folder .. "/data", database_count = 0 }, cluster_mt);
	open_clusters[self] = true;
	local ok, err = pcall(make_cluster, self);
	if not ok then
		self:close();
		error(err, 2);
	end
	return self;
end

-- A cluster for tests that have nothing else in mind with it than to store something; it is there until the end of this process.
function postgresql.shared()
	shared = shared or postgresql.start();
	return shared;
end

-- Ends all clusters that are still there but for the shared one, for the end of a spec.
function postgresql.close_all()
	for self in pairs(open_clusters) do
		if self ~= shared then self:close(); end
	end
end

-- A connection of this process to a database, see LuaDBI; nil and why where there is none.
function cluster_methods:connect(database)
	return dbi.Connect("PostgreSQL", database, user, nil, address, self.port);
end

-- Runs a statement of SQL, and returns the rows of a SELECT.
function cluster_methods:execute(database, statement, ...)
	return sql.execute(assert(self:connect(database)), statement, ...);
end

-- Makes a new, empty database. Returns the global options of a Prosody that stores everything in it.
function cluster_methods:new_database()
	self.database_count = self.database_count + 1;
	local name = "prosody_" .. self.database_count;
	self:execute("postgres", "CREATE DATABASE " .. name);
	return { storage = "sql", sql = { driver = "PostgreSQL", database = name, username = user, host = address, port = self.port } };
end

local function finish(self, signal)
	self.process:signal(signal);
	if not self.process:wait(stop_timeout) then
		error(describe_failure(self, string.format("did not end within %d s of the signal %s", stop_timeout, signal)), 3);
	end
end

-- Ends it as its operator would: connections are cut.
function cluster_methods:stop()
	finish(self, "INT");
end

-- Ends it as a crash would, all its processes.
function cluster_methods:kill()
	finish(self, "QUIT");
end

-- Starts it again after stop() or kill(), with the same data.
function cluster_methods:start_again()
	if not launch(self) then
		error(describe_failure(self, "ended while it started"), 2);
	end
end

function cluster_methods:restart()
	self:stop();
	self:start_again();
end

function cluster_methods:close()
	if not open_clusters[self] then return; end
	open_clusters[self] = nil;
	if self.process then
		self.process:close();
	else
		run { "rm", "-rf", self.folder };
	end
end

return postgresql;
