-- A journal whose store fails, is full, is slow, is damaged, or cannot have one: what is said, and what is not lost.

local lfs = require "lfs";

local loop = require "harness.loop";
local small_disk = require "harness.small_disk";
local crowds = require "spec.support.crowd";
local storages = require "spec.support.storages";
local versions = require "spec.support.versions";

local members = 60;

-- The driver that fails on demand, in front of another one.
local function in_front_of(storage, options)
	local driver = storage.name == "internal" and "internal" or "sql";
	local all = { storage = { muc_cloud_notify_outbox = "harness" }, default_storage = driver, harness_storage = driver };
	for name, value in pairs(options or {}) do all[name] = value; end
	return all;
end

local control = [[
	local name, value = ...;
	local control = prosody.hosts[module.host].modules.storage_harness.control;
	if name then control[name] = value; end
	return control.writes;
]];

versions.describe("a journal on a disk", function (version)
	it("that is full loses nothing, says so with a number, and goes on once there is space", function ()
		local crowd = crowds.start(version, { storage = storages[1], members = members });
		local server = crowd.server;
		crowd:wait_until_loaded();
		server:stop();
		local folder = server.data_dir .. "/conference%2elocalhost/muc_cloud_notify_outbox";
		assert(os.execute(string.format("rm -rf '%s' && mkdir '%s/disk'", folder, server.folder)));
		local disk = small_disk.new(server.folder .. "/disk", 256);
		if not disk then return pending("this system lets nobody have a small file system"); end
		assert(lfs.link(disk.path, folder, true));
		crowd:start_again();
		crowd:wait_until_loaded();
		local function say()
			crowd:say();
			assert.equal(members, crowd:wait_until_told(members, crowd.said));
			assert.same({ members, 0, 0 }, { crowd:summary() });
			crowd:forget();
		end
		say();
		crowd:wait_until_stored();
		disk:fill();
		local length = #server:log();
		say();
		say();
		local log = server:log(length);
		assert.equal(1, select(2, log:gsub("error\tThe outbox cannot be stored: " .. members .. " change%(s%)", "")));
		disk:empty();
		server:wait_for_log("The outbox can be stored again", nil, length);
		crowd:wait_until_stored();
		crowd:kill();
		crowd:start_again();
		say();
		server:close();
		disk:close();
	end);
end);

versions.describe_storages("a journal", function (version, storage)
	local crowd, server;

	local function start(options)
		crowd = crowds.start(version, { storage = storage, members = members, muc = in_front_of(storage, options) });
		server = crowd.server;
		crowd:wait_until_loaded();
	end

	local function assert_all_told(count)
		assert.equal(members, crowd:wait_until_told(members, count or crowd.said));
		local told, too_often, wrong = crowd:summary(count);
		assert.same({ members, 0, 0 }, { told, too_often, wrong });
		crowd:forget();
	end

	local function log_count(text, from)
		return select(2, server:log(from):gsub(text:gsub("%p", "%%%0"), ""));
	end

	-- What has nothing to do with the storage.
	local function once(...)
		if storage == storages[1] then it(...); end
	end

	it("that cannot be written keeps nobody from being told, is tried again, and loses nothing in the end", function ()
		start();
		local length = #server:log();
		server:admin(control, "refuses", "the disk is full");
		for _ = 1, 2 do
			crowd:say();
			assert_all_told();
		end
		local text = "error\tThe outbox cannot be stored: " .. members .. " change(s) of what is unread or waits are in memory alone";
		assert.equal(1, log_count(text, length));
		server:admin(control, "refuses", nil);
		crowd:wait_until_stored();
		assert.equal(1, log_count("The outbox can be stored again", length));
		crowd:kill();
		crowd:start_again();
		crowd:say();
		assert_all_told();

		-- At a stop, what is lost is said with its number; what was stored before is not lost.
		crowd:wait_until_stored();
		length = #server:log();
		server:admin(control, "refuses", "it is read-only");
		crowd:say();
		assert_all_told();
		server:stop();
		assert.equal(1, log_count("error\tThe outbox could not be stored: " .. members .. " change(s) of what is unread or waits are lost", length));
		crowd.said = crowd.said - 1;
		crowd:start_again();
		crowd:say();
		assert_all_told();
		assert.is_nil(server:log():find("the disk is full", 1, true) and server:log():match("error\t[^\n]*the disk is full"));
	end);

	once("whose store is slow takes a tenth of the time, and one write of a turn", function ()
		start();
		server:admin(control, "seconds", 0.2);
		server:admin([[
			local control = prosody.hosts[module.host].modules.storage_harness.control;
			local before = #control.writes;
			control.most = 0; -- in a turn of the event loop
			timer.add_task(0.005, function ()
				control.most = math.max(control.most, #control.writes - before);
				before = #control.writes;
				return 0.005;
			end);
		]]);
		local before, all = #server:admin(control), nil;
		assert(loop.wait_until(function ()
			crowd:say();
			all = server:admin(control);
			return #all - before >= 3;
		end), "it is not written");
		-- The last one is after the rest from those before it. Each rests from what it took itself, which is longer on a machine that is busy.
		local took = 0;
		for i = before + 1, #all - 1 do took = took + all[i].finish - all[i].start; end
		local share = took / (all[#all].start - all[before + 1].start);
		assert.is_true(took >= 0.4 and share < 0.13, share);
		assert.equal(1, server:admin("return prosody.hosts[module.host].modules.storage_harness.control.most"));
		server:admin(control, "seconds", 0);
		assert(loop.wait_until(function () return select(3, crowd:summary()) == 0; end));
		crowd:wait_until_stored();
		crowd:forget();
		crowd:say();
		assert_all_told();
	end);

	once("has what happened while the module was not loaded seen to, and tells the others", function ()
		start();
		crowd:watch("silence");
		crowd:say();
		crowd:wait_until_told(1);
		crowd.muc:manage("unload");
		server:user("user1@users.localhost/phone"):join(crowd.room, "one");
		server:admin([[
			local room_jid = ...;
			local room = muc.get_room_from_jid(room_jid);
			assert(room:set_affiliation(true, "user2@users.localhost", "none"));
			assert(module:open_store("muc_cloud_notify"):set("user3@users.localhost", nil));
		]], crowd.room);
		crowd:forget();
		crowd:watch();
		crowd.muc:manage("load");
		assert.equal(members - 3, crowd:wait_until_told(members - 3, crowd.said));
		assert.same({ members - 3, 0, 0 }, { crowd:summary() });
		for i = 1, 3 do assert.is_nil(crowd.told["user" .. i]); end
	end);

	once("goes on over reloads: no batch is lost, and no name is given twice", function ()
		start();
		for i = 1, 4 do
			crowd:say();
			if i < 4 then server:reload_module("muc_cloud_notify"); end
		end
		assert.is_true(loop.wait_until(function ()
			return select(3, crowd:summary()) == 0 and crowd:summary() == members;
		end));
		server:reload_module("muc_cloud_notify");
		crowd:wait_until_stored();
		local given = {};
		for _, write in ipairs(server:admin(control)) do
			if not write.is_removal and write.name then
				assert.is_nil(given[write.name]);
				given[write.name] = true;
			end
		end
		crowd:kill();
		crowd:forget();
		crowd:start_again();
		crowd:say();
		assert_all_told();
	end);

	once("cannot be had where the storage cannot list: that is said once, and a clean stop stores what there is", function ()
		-- The store of registrations can.
		start { harness_storage_lists = false };
		local length = crowd.log_length;
		assert.equal(1, log_count("warn\tThe storage of this host cannot list its records, so there is no journal", length));
		crowd:say();
		assert_all_told();
		server:stop();
		crowd:start_again();
		crowd:say();
		assert_all_told();
		assert.equal(2, log_count("so there is no journal", length), "once a start");
	end);

	it("that is damaged is kept aside, and all else is taken up", function ()
		start();
		crowd:watch("silence");
		crowd:say();
		crowd:wait_until_stored();
		crowd:kill();
		-- All that is there, as it is not said which of them is about the message.
		local names, mend = storage.names(server, "muc_cloud_notify_outbox"), {};
		for i, name in ipairs(names) do mend[i] = storage.damage(server, "muc_cloud_notify_outbox", name); end
		crowd:start_again();
		crowd:wait_until_loaded();
		for _, name in ipairs(names) do server:wait_for_log("error\tThe record " .. name .. " of the outbox", nil, crowd.log_length); end
		crowd:forget();
		crowd:say();
		assert_all_told(1);
		for i, name in ipairs(names) do
			mend[i]();
			assert.is_not_nil(storage.record(server, "muc_cloud_notify_outbox", name), "it is not removed, and nothing was written over it");
		end
	end);
end);
