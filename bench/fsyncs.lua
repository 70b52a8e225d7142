-- Counts what a server makes sure of that it is on the disk: how often it calls fsync() or the like while 20 devices are registered,
-- and while 20 batches of the journal are written: lua5.4 bench/fsyncs.lua
--
-- Not with PostgreSQL: what waits for the disk there is another process.

local files = require "harness.files";
local loop = require "harness.loop";
local prosody = require "harness.prosody";

local crowds = require "spec.support.crowd";
local storages = require "spec.support.storages";

local count = 20;

-- Calls action() while the system calls of a process are looked at. Returns how many there were of those that wait for a disk.
local function count_fsyncs(server, action)
	local path = server.folder .. "/strace";
	os.remove(path);
	assert(os.execute(string.format("strace -f -p %d -e trace=fsync,fdatasync,sync_file_range,msync -o '%s' 2>'%s.errors' & echo $! >'%s.pid'",
		server.pid, path, path, path)));
	local attached = loop.wait_until(function () return (files.read(path .. ".errors") or ""):find("attached", 1, true); end, 5, 0.01);
	assert(attached, "strace does not attach: " .. (files.read(path .. ".errors") or ""));
	action();
	os.execute(string.format("kill -INT $(cat '%s.pid')", path));
	loop.wait_until(function () return (files.read(path .. ".errors") or ""):find("detached", 1, true); end, 5, 0.01);
	return select(2, (files.read(path) or ""):gsub("sync[%w_]*%(", ""));
end

local function measure(version, storage)
	local crowd = crowds.start(version, { storage = storage, members = 5 });
	local server = crowd.server;
	crowd:wait_until_loaded();
	crowd:watch("silence");
	local user = server:user("somebody@users.localhost/phone");
	local of_enables = count_fsyncs(server, function ()
		for i = 1, count do
			assert(user:enable({ jid = "push.localhost", node = "node" .. i }).attr.type == "result");
		end
	end);
	crowd:wait_until_stored();
	local length = #server:log();
	local of_batches = count_fsyncs(server, function ()
		for _ = 1, count do
			crowd:say();
			crowd:wait_until_stored();
		end
	end);
	local batches = select(2, server:log(length):gsub("byte%(s%) is stored", ""));
	server:close();
	return of_enables, of_batches, batches;
end

for _, version in ipairs(prosody.versions) do
	for _, storage in ipairs(storages) do
		if not storage.prepare then
			local of_enables, of_batches, batches = measure(version, storage);
			print(string.format("Prosody %s, %s storage: %d for %d enables, %d for %d batches", version, storage.name, of_enables, count,
				of_batches, batches));
		end
	end
end
prosody.close_all();
