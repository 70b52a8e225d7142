-- Accounts of which something comes to be known late: they are gone while a session of theirs is there, their host is activated
-- after this module, or their markers could not be stored at first.

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local store_faults = require "spec.support.store_faults";
local versions = require "spec.support.versions";

versions.describe_local_storages("an account that is looked at late", function (version, storage)
	local is_old = version == "0.12"; -- which does not disable accounts
	local server, muc, count;

	lazy_setup(function ()
		count = 0;
		server, muc = muc_service.start(version, {
			c2s = true;
			global = { modules_enabled = { "admin_socket", "admin_shell" }, authentication = "internal_hashed",
				storage = storage.global and storage.global.storage, sql = storage.global and storage.global.sql };
			muc = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true };
		});
	end);

	before_each(function ()
		count = count + 1;
		muc.app:start_anew();
	end);

	-- A client of a new account of a host, which has a device and is a member of a new room. Returns its bare JID, the room and it.
	local function new_device(host)
		local bare_jid = ("ann-%d@%s"):format(count, host);
		local client = server:client(bare_jid .. "/phone", { stream_management = false });
		assert.equal("result", (muc:enable(client, "old")));
		return bare_jid, muc:new_room { bare_jid }, client;
	end

	local function pushed(room)
		return (muc:pushed(room));
	end

	local function stored(bare_jid)
		local nodes = {};
		for _, registration in pairs(storage.read(server, bare_jid) or {}) do table.insert(nodes, registration.node); end
		return nodes;
	end

	-- Its accounts are looked at in turns of the event loop that follow.
	local function activate_late_host()
		server:admin [[
			if not prosody.hosts["late.localhost"] then assert(require "core.hostmanager".activate("late.localhost", {})); end
			settle(200);
		]];
	end

	-- Another process deletes an account. is_made_again: for somebody else, as prosodyctl of 0.12 does
	local function delete_account(bare_jid, is_made_again)
		server:admin([[
			local bare_jid, is_made_again = ...;
			local username, host = jid.split(bare_jid);
			local storagemanager = require "core.storagemanager";
			assert(storagemanager.open(host, "accounts"):set(username, nil));
			storagemanager.purge(username, host);
			if is_made_again then assert(storagemanager.open(host, "accounts"):set(username, { password = "harness" })); end
			-- What was found out just now may be kept for a moment.
			local wait, done = async.waiter();
			timer.add_task(0.02, done);
			wait();
		]], bare_jid, is_made_again);
	end

	-- What is stored of a user says of no account any more, as where it was registered with an earlier version.
	local function forget_account(bare_jid)
		server:admin([[
			local store = require "core.storagemanager".open(module.host, "muc_cloud_notify");
			local record = store:get((...));
			for _, registration in pairs(record) do registration.account = nil; end
			assert(store:set((...), record));
		]], bare_jid);
	end

	it("is refused a device when it is gone, and so leaves none to somebody else", function ()
		local bare_jid, room, client = new_device "localhost";
		delete_account(bare_jid);
		assert.same({ "error", "auth", "registration-required" }, { table.unpack({ muc:enable(client, "new") }, 1, 3) });
		assert.same({}, stored(bare_jid));
		client:close();
		delete_account(bare_jid, true);
		assert.same({}, pushed(room));
		local next_client = server:client(bare_jid .. "/phone", { stream_management = false });
		assert.equal("result", (muc:enable(next_client, "next")));
		next_client:close();
		assert.same({ "next" }, pushed(room));
	end);

	it("is watched though its host is activated after the registrations were loaded", function ()
		activate_late_host();
		local bare_jid, room, client = new_device "late.localhost";
		client:close();
		forget_account(bare_jid);
		muc:restart "stop";
		assert.same({ "old" }, pushed(room));
		muc:restart "stop";
		activate_late_host();
		delete_account(bare_jid, true);
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
	end);

	it("is found gone when its host is activated", function ()
		activate_late_host();
		local bare_jid, _, client = new_device "late.localhost";
		client:close();
		delete_account(bare_jid);
		muc:restart "stop";
		assert.same({ "old" }, stored(bare_jid));
		activate_late_host();
		assert.same({}, stored(bare_jid));
	end);

	-- Where the store fails above of what Prosody stores in, that makes no difference.
	if storage.name == "internal" then
		for title, fault in pairs { ["could not be listed"] = { list_fails = "at once" }, ["could not be read"] = { is_down = true } } do
			it("is found gone though the registrations "..title.." when its host was activated", function ()
				activate_late_host();
				local bare_jid, _, client = new_device "late.localhost";
				client:close();
				delete_account(bare_jid);
				muc:restart "stop";
				store_faults.install(server);
				store_faults.set(server, fault);
				activate_late_host();
				assert.same({ "old" }, stored(bare_jid));
				store_faults.set(server, {});
				if fault.is_down then server:admin "prosody.hosts[module.host].modules.muc_cloud_notify.read_records()"; end
				assert.truthy(loop.wait_until(function () return not stored(bare_jid)[1]; end, nil, 0.05));
			end);
		end
	end

	it("keeps its devices when its host is activated", function ()
		activate_late_host();
		local bare_jid, room, client = new_device "late.localhost";
		client:close();
		muc:restart "stop";
		activate_late_host();
		assert.same({ "old" }, stored(bare_jid));
		assert.same({ "old" }, pushed(room));
	end);

	if not is_old then
		it("gets no push where it is disabled on a host that is activated later", function ()
			activate_late_host();
			local bare_jid, room, client = new_device "late.localhost";
			client:close();
			server:admin([[assert(require "core.usermanager".disable_user(jid.split((...))))]], bare_jid);
			muc:restart "stop";
			activate_late_host();
			assert.same({}, pushed(room));
			server:admin([[assert(require "core.usermanager".enable_user(jid.split((...))))]], bare_jid);
			assert.same({ "old 1 hello" }, muc:take_pushes());
		end);
	end

	it("is watched once its marker can be stored", function ()
		local bare_jid, room, client = new_device "localhost";
		client:close();
		forget_account(bare_jid);
		server:admin([[require "core.storagemanager".open("localhost", "muc_cloud_notify_accounts"):set(jid.node((...)), nil)]], bare_jid);
		server:admin [[
			local methods = getmetatable(require "core.storagemanager".open("localhost", "muc_cloud_notify_accounts")).__index;
			local set = methods.set;
			module.mend_markers = function () methods.set = set; end
			methods.set = function (self, ...)
				if (self.datastore or self.store) == "muc_cloud_notify_accounts" then return nil, "on purpose"; end
				return set(self, ...);
			end;
		]];
		muc:manage "unload";
		muc:manage "load";
		muc:wait_until_loaded();
		assert.same({ "old" }, pushed(room));
		server:admin "module.mend_markers()";
		muc:manage "reload"; -- so that it is looked at
		assert.same({ "old" }, pushed(room));
		delete_account(bare_jid, true);
		muc:manage "reload";
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
	end);
end);
