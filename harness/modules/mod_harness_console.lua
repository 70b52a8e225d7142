-- Lets the harness run Lua inside the server. Never for a server that others can reach: the port gives full control of it.
--
-- A request is the length of its payload in decimal, a line feed, and the payload: { code, arguments… } with
-- their number as n, serialised. The answer has the same shape: { true, results… } or { false, error text }.

local async = require "util.async";
local jid = require "util.jid";
local serialization = require "util.serialization";
local server = require "net.server";
local st = require "util.stanza";
local timer = require "util.timer";
local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

-- In seconds. Batches follow each other four times a second, where the store is fast.
local longest_wait_for_batch = 0.4;
local longest_wait_for_journal = 2; -- which may be one that cannot be written

local unpack = table.unpack or unpack; -- luacheck: ignore 113 143

local serialize = serialization.new {
	preset = "compact";
	multiref = true;
	fallback = function (value)
		return string.format("%q", tostring(value));
	end;
};

-- The port of a service that was left to the system to choose, and its address; nil when nothing uses the service.
local function port_of(service)
	local _, by_port = next(require "core.portmanager".get_active_services():get(service) or {});
	local listening = by_port and by_port[0];
	if not listening then return nil; end
	local address, port = listening[1].server:socket():getsockname();
	return tonumber(port), address;
end

local function muc_of(host)
	return prosody.hosts[host] and prosody.hosts[host].modules.muc;
end

-- Looks a room up in whichever MUC component it belongs to.
local function room(room_jid)
	local muc = muc_of(jid.host(room_jid));
	return muc and muc.get_room_from_jid(room_jid);
end

-- To be called in a runner of util.async.
local function sleep(seconds)
	local wait, done = async.waiter();
	timer.add_task(seconds, function ()
		done();
	end);
	wait();
end

-- What a function knows under a name; nil where there is no such function.
local function known_to(func, wanted)
	for i = 1, func and math.huge or 0 do
		local name, value = debug.getupvalue(func, i);
		if not name or name == wanted then return value; end
	end
end

-- The engine of mod_muc_cloud_notify, of which that shows a part alone; nil when the module is not loaded there.
local function engine_of(host)
	local loaded = prosody.hosts[host].modules.muc_cloud_notify;
	return known_to(loaded and loaded.stats, "engine");
end

-- Whether mod_muc_cloud_notify has loaded all that was stored, and what the last run has left; and whether all rooms are read in which
-- something waits since then. Also true where it is not loaded itself, or has nothing to load.
local function is_filled(host)
	host = host or module.host;
	local loaded, engine = prosody.hosts[host].modules.muc_cloud_notify, engine_of(host);
	local is_known, awaited = pcall(function () return engine and engine:awaited_room(); end); -- some specs make it fail
	return known_to(loaded and loaded.module.save, "is_filled") ~= false, is_known and not awaited;
end

-- Whether a batch of a journal is so near that a push waits for it, rather than only a count that has become less.
local function is_push_at_journal()
	for host in pairs(prosody.hosts) do
		local engine = engine_of(host);
		local is_known, due, reason = false, nil, nil;
		if engine then
			is_known, due, reason = pcall(engine.next_deadline, engine); -- some specs make it fail
		end
		if is_known and reason == "batch due" and due - monotonic() < longest_wait_for_batch then return true; end
	end
	return false;
end

-- Lets the event loop turn, so that what was put off to a later turn has been done, and what waits for a journal is stored.
local function settle(turns)
	local give_up_at = monotonic() + longest_wait_for_journal;
	repeat
		for _ = 1, turns do sleep(0); end
		local has_waited = false;
		while is_push_at_journal() and monotonic() < give_up_at do
			has_waited = true;
			sleep(0.01);
		end
	until not has_waited or monotonic() >= give_up_at;
end

local function run(payload)
	local request = assert(serialization.deserialize(payload));
	local env = setmetatable({
		async = async;
		is_filled = is_filled;
		jid = jid;
		module = module;
		muc = muc_of(module.host);
		muc_of = muc_of;
		port_of = port_of;
		prosody = prosody;
		room = room;
		settle = settle;
		st = st;
		timer = timer;
	}, { __index = _G });
	local chunk = assert(load(request[1], "=(harness)", "t", env));
	return chunk(unpack(request, 2, request.n));
end

local function answer(conn, ...)
	local payload = serialize({ n = select("#", ...), ... });
	conn:write(string.format("%d\n%s", #payload, payload));
end

local buffers, runners = {}, {};

local listener = {};

function listener.onconnect(conn)
	buffers[conn] = "";
	runners[conn] = async.runner(function (payload)
		answer(conn, xpcall(run, function (err)
			return debug.traceback(tostring(err), 2);
		end, payload));
	end);
end

function listener.onincoming(conn, data)
	local buffer = buffers[conn] .. data;
	while true do
		local length, start = buffer:match("^(%d+)\n()");
		local finish = length and start + tonumber(length) - 1;
		if not finish or #buffer < finish then break; end
		local payload = buffer:sub(start, finish);
		buffer = buffer:sub(finish + 1);
		runners[conn]:run(payload);
	end
	buffers[conn] = buffer;
end

function listener.ondisconnect(conn)
	buffers[conn], runners[conn] = nil, nil;
end

local handle;

-- The system chooses the port, so that it is never one that another process was faster to take. The harness takes
-- the file with its number as the sign that everything is up.
local function listen()
	local err;
	handle, err = server.addserver("127.0.0.1", 0, listener, "*a");
	if not handle then
		module:log("error", "Cannot listen: %s", err);
		return;
	end
	local _, port = handle:socket():getsockname();
	local path = module:get_option_string("harness_console_port_file");
	local file = assert(io.open(path .. ".new", "w"));
	file:write(port);
	file:close();
	assert(os.rename(path .. ".new", path));
end

function module.unload()
	if handle then handle:close(); end
end

if prosody.start_time then
	listen();
else
	module:hook_global("server-started", listen);
end
