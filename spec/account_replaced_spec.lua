-- Accounts that another process deletes, and gives to somebody else: nobody in the server hears of it.

local support = require "spec.support.accounts";

support.describe_local("an account", function (accounts, version)
	local is_old = version == "0.12"; -- which does not know when accounts were made

	it("that is given to somebody else by prosodyctl has no devices", function ()
		local bare_jid, room = accounts:new_device();
		assert.same({ "old" }, accounts:pushed(room));
		accounts.server:prosodyctl("deluser", bare_jid);
		accounts.server:prosodyctl("register", bare_jid:match("^[^@]+"), "localhost", "harness");
		accounts:let_time_pass();
		assert.same({}, accounts:pushed(room));
		assert.same({}, accounts:stored(bare_jid));
	end);

	it("that is given to somebody else has no devices within a while", function ()
		local bare_jid, room = accounts:new_device();
		local other, other_room = accounts:new_device((bare_jid:gsub("ann", "eve")));
		accounts:replace_account(bare_jid);
		accounts:let_time_pass();
		assert.same({}, accounts:pushed(room));
		assert.same({}, accounts:stored(bare_jid));
		assert.same({ "old" }, accounts:pushed(other_room));
		assert.same({ "old" }, accounts:stored(other));
	end);

	it("that is given to somebody else has the devices that they add alone", function ()
		local bare_jid, room = accounts:new_device();
		accounts:replace_account(bare_jid);
		accounts:new_device(bare_jid, "new");
		assert.same({ "new" }, accounts:stored(bare_jid));
		assert.same({ "new" }, accounts:pushed(room));
	end);

	it("that is given to somebody else has no devices at other services either, whichever they use first", function ()
		local bare_jid, room = accounts:new_device();
		accounts:replace_account(bare_jid);
		local client = accounts.server:client(bare_jid .. "/phone", { stream_management = false });
		assert.equal("result", (accounts.muc:enable(client, "new", nil, "other-muc.localhost")));
		client:close();
		accounts:let_time_pass();
		assert.same({}, accounts:pushed(room));
		assert.same({}, accounts:stored(bare_jid));
		assert.same({ "new" }, accounts.muc:pushed(accounts.muc:new_room({ bare_jid }, "other-muc.localhost")));
	end);

	it("that is given to somebody else while the server is down has no devices", function ()
		local bare_jid, room = accounts:new_device();
		accounts:replace_account(bare_jid);
		accounts:restart "stop";
		assert.same({}, accounts:stored(bare_jid));
		assert.same({}, accounts:pushed(room));
		accounts:restart "kill";
		assert.same({}, accounts:stored(bare_jid));
		assert.same({}, accounts:pushed(room));
	end);

	-- Makes the server look like one that has been upgraded, or the store of markers like one that was left behind.
	local function lose_markers(users, fields_too)
		accounts.server:admin([[
			local users, fields_too = ...;
			local storagemanager = require "core.storagemanager";
			local markers = storagemanager.open("localhost", "muc_cloud_notify_accounts");
			local registrations = storagemanager.open(module.host, "muc_cloud_notify");
			local usernames = {};
			for username in markers:users() do table.insert(usernames, username); end
			for _, username in ipairs(usernames) do markers:set(username, nil); end
			markers:set(nil, nil);
			for _, user in ipairs(users) do
				local record = registrations:get(user);
				for _, registration in pairs(record) do
					assert(type(registration.account) == "string");
					if fields_too then registration.account = nil; end
				end
				registrations:set(user, record);
			end
		]], users, fields_too);
	end

	for title, fields_too in pairs {
		["that has registered before there were markers"] = true, ["whose marker is lost with those of all others"] = false } do
		it(title .. " keeps its devices, and is watched from then on", function ()
			local bare_jid, room = accounts:new_device();
			local other, other_room = accounts:new_device((bare_jid:gsub("ann", "eve")));
			lose_markers({ bare_jid, other }, fields_too);
			accounts:restart "stop";
			assert.same({ "old" }, accounts:pushed(room));
			accounts:replace_account(bare_jid);
			accounts:restart "stop";
			assert.same({}, accounts:pushed(room));
			assert.same({}, accounts:stored(bare_jid));
			assert.same({ "old" }, accounts:pushed(other_room));
			assert.same({ "old" }, accounts:stored(other));
		end);
	end

	it("that another process deletes is found gone within a while", function ()
		local bare_jid, room = accounts:new_device();
		assert.same({ "old" }, accounts:pushed(room));
		accounts:store_account(bare_jid, nil);
		accounts:let_time_pass();
		assert.same({}, accounts:pushed(room));
		assert.same({}, accounts:stored(bare_jid));
	end);

	it("that another process deletes is found gone at the next start", function ()
		local bare_jid, room = accounts:new_device();
		local other, other_room = accounts:new_device((bare_jid:gsub("ann", "eve")));
		accounts:store_account(bare_jid, nil);
		accounts:restart "stop";
		assert.same({}, accounts:stored(bare_jid));
		assert.same({ "old" }, accounts:stored(other));
		accounts:manage("create_user", bare_jid, "harness");
		assert.same({}, accounts:pushed(room));
		assert.same({ "old" }, accounts:pushed(other_room));
	end);

	it("that is registered anew does not get the pushes of the one before, which another process has deleted", function ()
		local bare_jid, room = accounts:new_device();
		assert.same({ "old" }, accounts:pushed(room));
		accounts:store_account(bare_jid, nil);
		local username = bare_jid:match("^[^@]+");
		accounts.server:admin([[
			local username = ...;
			local usermanager = require "core.usermanager";
			assert(usermanager.create_user(username, "harness", "localhost"));
			prosody.hosts.localhost.events.fire_event("user-registered", { username = username, host = "localhost", source = "mod_register_ibr" });
		]], username);
		assert.same({}, accounts:pushed(room));
		assert.same({}, accounts:stored(bare_jid));
	end);

	if not is_old then
		it("that another process gives to somebody else does not get the pushes of the one before", function ()
			local bare_jid, room = accounts:new_device();
			accounts:store_account(bare_jid, { password = "harness", created = os.time() + 1 });
			accounts.server:admin("local wait, done = async.waiter(); timer.add_task(2.1, done); wait()");
			accounts:let_time_pass();
			assert.same({}, accounts:pushed(room));
			assert.same({}, accounts:stored(bare_jid));
		end);

		it("that another process gives to somebody else has the devices that they add alone", function ()
			local bare_jid, room = accounts:new_device();
			accounts:store_account(bare_jid, { password = "harness", created = os.time() + 1 });
			accounts.server:admin("local wait, done = async.waiter(); timer.add_task(2.1, done); wait()");
			accounts:new_device(bare_jid, "new");
			assert.same({ "new" }, accounts:stored(bare_jid));
			assert.same({ "new" }, accounts:pushed(room));
		end);

		it("that another process gives to somebody else loses the devices of the one before at the next start", function ()
			local bare_jid, room = accounts:new_device();
			accounts:store_account(bare_jid, { password = "harness", created = os.time() + 1 });
			accounts.server:admin("local wait, done = async.waiter(); timer.add_task(2.1, done); wait()");
			accounts:restart "stop";
			assert.same({}, accounts:stored(bare_jid));
			assert.same({}, accounts:pushed(room));
		end);
	end
end);
