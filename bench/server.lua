-- A real Prosody that is measured: started with or without the module, with a store that was written beforehand.

local lfs = require "lfs";
local socket = require "socket";

local files = require "harness.files";
local loop = require "harness.loop";
local prosody = require "harness.prosody";

local peers = require "bench.peers";
local process = require "bench.process";
local raw_component = require "bench.raw_component";

local service = "conference.localhost";
local users_host = "users.localhost";
local plain_service = "plain.localhost";
local app_host = "push.localhost";
local start_timeout = 180;
local room_cache_size = 100000; -- what is put out is to be said

-- As long as the bar asks for.
local node_length, secret_length = 64, 32;

local server = { users_host = users_host };

local server_methods = {};
local server_mt = { __index = server_methods };

local function encode(text)
	return (text:gsub("%W", function (c) return string.format("%%%02x", c:byte()); end));
end

local function free_port()
	local conn = assert(socket.bind("127.0.0.1", 0));
	local _, port = conn:getsockname();
	conn:close();
	return tonumber(port);
end

local function padded(name, length)
	return name .. ("x"):rep(length - #name);
end

local function store_folder(self, data)
	return string.format("%s/%s/%s/muc_cloud_notify", self.prosody.folder, data, encode(service));
end

local function record_path(self, data, user)
	return string.format("%s/%s.dat", store_folder(self, data), encode(user .. "@" .. users_host));
end

-- Letters only, as they are looked for with patterns.
local template_node, template_secret = padded("templatenode", node_length), padded("templatesecret", secret_length);

-- What the module itself writes for a device, so that what we write for others is in its format.
local function read_template(self)
	self:connect();
	local form = {};
	for _, field in ipairs {
		{ "FORM_TYPE", "http://jabber.org/protocol/pubsub#publish-options", " type='hidden'" };
		{ "secret", template_secret, "" };
	} do
		table.insert(form, string.format("<field var='%s'%s><value>%s</value></field>", field[1], field[3], field[2]));
	end
	self.users:request("template", service, string.format("<enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'>"
		.. "<x xmlns='jabber:x:data' type='submit'>%s</x></enable>", app_host, template_node, table.concat(form)));
	local path = record_path(self, "data", "template");
	self.template = assert(files.read(path), "there is no record of a registered device");
	assert(self.template:find(template_node, 1, true) and self.template:find(template_secret, 1, true), "the record lacks node or secret");
	return path;
end

-- version: of Prosody; rooms: those that are there from the start, node -> groups as make_room() takes them;
-- timeout: for whatever is to come from the server
function server.open(version, rooms, timeout)
	local port = free_port();
	local self = setmetatable({
		port = port;
		problem_count = 0;
		problems = {}; -- what is not as it has to be, in words
		plain_service = plain_service; -- without the module
		service = service;
		timeout = timeout;
		users_host = users_host;
		version = version;
	}, server_mt);
	self.prosody = prosody.start {
		version = version;
		log_level = "info";
		components = { app_host, users_host };
		c2s = true;
		plugin_paths = { prosody.root .. "/bench/modules" };
		global = {
			component_ports = { port };
			modules_enabled = { "smacks" };
			network_settings = { nagle = false }; -- CPU is what is measured; nothing should wait for time-outs of TCP
		};
		muc = {
			modules_enabled = { "muc_cloud_notify", "push_bench", "harness_lateness" }, muc_push_default = "always", muc_push_journal = true;
			muc_room_cache_size = room_cache_size;
		};
		mucs = { [plain_service] = {} };
	};
	local path = read_template(self);
	self.full_version = self.prosody:admin("return prosody.version");
	self.lua_version = self.prosody:admin("return _VERSION");
	for node, groups in pairs(rooms) do
		self:make_room(node, groups, true);
	end
	self:disconnect();
	self.prosody:stop();
	os.remove(path);
	return self;
end

-- Puts a data folder next to the first one, with the same rooms and some devices. groups: list of { prefix, count }
function server_methods:new_data(data, groups)
	assert(os.execute(string.format("cp -R '%s/data' '%s/%s'", self.prosody.folder, self.prosody.folder, data)));
	lfs.mkdir(store_folder(self, data));
	for _, group in ipairs(groups) do
		for i = 1, group.count do
			local name = group.prefix .. i;
			local record = self.template:gsub(template_node, padded(name .. "z", node_length))
				:gsub(template_secret, padded("secret" .. name .. "z", secret_length));
			files.write(record_path(self, data, name), record);
		end
	end
	-- What the kernel has to write now would be taken for the server's slowness later.
	os.execute("sync -f '" .. self.prosody.folder .. "'");
end

function server_methods:problem(text, ...)
	local problem = string.format("Prosody %s: " .. text, self.version, ...);
	self.problem_count = self.problem_count + 1;
	if not self.problems[problem] then
		self.problems[problem] = true;
		table.insert(self.problems, problem);
	end
end

function server_methods:admin(code, ...)
	return self.prosody:admin(code, ...);
end

local function call(self, module, name, ...)
	return self.prosody:admin([[
		local module_name, name = ...;
		return prosody.hosts[module.host].modules[module_name][name](select(3, ...));
	]], module, name, ...);
end

-- Calls a function of bench/modules/mod_push_bench.lua.
function server_methods:call(name, ...)
	return call(self, "push_bench", name, ...);
end

-- How late a timer is from here on, see harness/modules/mod_harness_lateness.lua.
function server_methods:probe_start()
	call(self, "harness_lateness", "begin");
end

function server_methods:probe_stop()
	return call(self, "harness_lateness", "finish");
end

function server_methods:make_room(node, groups, is_persistent)
	return self:call("make_room", node, groups, is_persistent);
end

function server_methods:connect_app(is_over)
	self.app = peers.app_server { jid = app_host, port = self.port, service = service, timeout = start_timeout, is_over = is_over };
end

function server_methods:connect_users()
	self.users = peers.users { jid = users_host, port = self.port };
end

function server_methods:connect()
	self:connect_app();
	self:connect_users();
end

function server_methods:disconnect()
	raw_component.close_all();
	self.app, self.users = nil, nil;
end

-- Starts the server. options: data, the data folder; module, whether with the module; probe, whether with a timer from
-- the start. Returns the seconds until the app server was let in.
function server_methods:start(options)
	local child = self.prosody;
	child:reconfigure({
		modules_enabled = { "push_bench", "harness_lateness", options.module and "muc_cloud_notify" or nil };
		harness_lateness_from_start = options.probe or false;
	}, { data_path = child.folder .. "/" .. options.data });
	for _, name in ipairs { "pid", "exit", "console.port", "prosody.log" } do
		os.remove(child.folder .. "/" .. name);
	end
	child.process:start();
	self.started = loop.now();
	self:connect_app(function ()
		return files.read(child.folder .. "/exit");
	end);
	child.pid = tonumber(files.read(child.folder .. "/pid"));
	return self.app.accepted - self.started;
end

-- Waits until all registrations are loaded. Returns the seconds since the start.
function server_methods:wait_until_loaded()
	local log = assert(io.open(self.prosody.log_path, "r"));
	local text = "";
	local devices = raw_component.wait(function ()
		text = text .. (log:read("*a") or "");
		return text:match("(%d+) device%(s%) of %d+ user%(s%) are registered");
	end, start_timeout);
	log:close();
	assert(devices, "the module does not say that it has loaded the registrations");
	return loop.now() - self.started, tonumber(devices);
end

-- A client of the server itself, which can lose its connection.
function server_methods:client(jid)
	local child = self.prosody;
	child.c2s_port, child.c2s_address = child:admin("return port_of('c2s')");
	return child:client(jid);
end

-- Stops the server as its operator would. Returns the seconds that the module took for it.
function server_methods:stop()
	self:disconnect();
	self.prosody:stop(self.timeout); -- Prosody itself writes a list of all rooms for each of them
	return assert(tonumber(self.prosody:log():match("The stop took ([%d.]+) s")), "the server does not say how long its stop took");
end

-- Ends the server as a crash would: nothing is saved, so that every start is from the same data.
function server_methods:kill()
	self:disconnect();
	self.prosody:kill();
end

function server_methods:close()
	self:disconnect();
	self.prosody:close();
end

-- Bytes in memory once all that is garbage was given back.
function server_methods:memory()
	self:call("trim");
	self.prosody:settle();
	self:call("trim");
	return process.rss(self.prosody.pid);
end

function server_methods:cpu()
	return process.cpu(self.prosody.pid);
end

-- Returns when the server has handled all that we have sent, and sleeps.
function server_methods:wait_until_idle()
	self.app:ping();
	raw_component.pause(0.015);
end

-- A message of Bob in a room that leads to `count` pushes to as many devices; returns when all answers were taken in.
function server_methods:fan_out(room, count)
	local app = self.app;
	app:reset();
	local id = self.users:say("bob", room);
	raw_component.wait(function () return app.pushes >= count; end, self.timeout);
	if not self.users:wait_for_echo(id) then
		self:problem("a message in %s was not passed on", room);
	end
	app:ping();
	if app.nodes ~= count then
		self:problem("a message in %s reached %d of %d devices", room, app.nodes, count);
	elseif app.pushes ~= count then
		self:problem("a message in %s led to %d pushes to %d devices", room, app.pushes, count);
	end
	for what, times in pairs(app.problems) do
		self:problem("in %s, %s (%d times)", room, what, times);
	end
end

-- Gives the server some of the pushes that came, for it to send `count` such IQs from a bare loop.
function server_methods:load_floor(captured, count)
	local burst = self:admin([[return prosody.hosts[module.host].modules.push_bench.burst]]);
	self:call("load_floor", table.move(captured, 1, math.min(burst, #captured), 1, {}), count);
end

-- The same number of IQs from a bare loop, see bench/modules/mod_push_bench.lua.
function server_methods:floor(count)
	local app = self.app;
	app:reset();
	self:call("floor", count);
	raw_component.wait(function () return app.floor >= count; end, self.timeout);
	app:ping();
	if app.floor ~= count then
		self:problem("%d of %d prebuilt IQs came", app.floor, count);
	end
end

function server.close_all()
	raw_component.close_all();
	prosody.close_all();
end

return server;
