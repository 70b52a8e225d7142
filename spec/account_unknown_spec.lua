-- Accounts of which it cannot be said whether they are gone or disabled: no device is lost, and none is pushed to that may be somebody
-- else's, or is not to be pushed to.

local loop = require "harness.loop";

local support = require "spec.support.accounts";

support.describe_local("an account", function (accounts, version)
	local is_old = version == "0.12"; -- which does not disable accounts

	-- All accounts of a host cannot be read until the function that this returns is called.
	local function break_accounts()
		accounts.server:admin [[
			prosody.hides_accounts = true;
			local methods = getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index;
			local get = methods.get;
			function methods:get(...)
				if prosody.hides_accounts and (self.datastore or self.store) == "accounts" then return nil, "on purpose"; end
				return get(self, ...);
			end
		]];
		return function () accounts.server:admin "prosody.hides_accounts = false"; end
	end

	-- Loads the module anew, with an engine that knows nobody.
	local function load_anew(before)
		accounts.muc:manage "unload";
		local result = before();
		local length = #accounts.server:log();
		accounts.muc:manage "load";
		accounts.server:wait_for_log("are registered", nil, length);
		return result;
	end

	local function status()
		return accounts.server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.module:get_status()");
	end

	-- At once: otherwise it is done after a second, and then with growing pauses.
	local function look_again()
		accounts.server:admin "prosody.hosts[module.host].modules.muc_cloud_notify.read_records()";
	end

	local function expect_pushed(node, count)
		local push = accounts.muc.app:expect_push();
		assert.same({ node, tostring(count) }, { push.node, push.count });
		accounts.muc.app:clear();
	end

	local function eve_of(bare_jid)
		return (bare_jid:gsub("ann", "eve"));
	end

	-- What a power cut leaves of a file that was just written: nothing is in it.
	for store, is_pushed_to in pairs { accounts = false, muc_cloud_notify_accounts = true } do
		it("whose record in the store "..store.." is damaged loses nothing", function ()
			local bare_jid, room = accounts:new_device();
			local _, other_room = accounts:new_device(eve_of(bare_jid), "other");
			local log_length = #accounts.server:log();
			local mend = load_anew(function ()
				return accounts.storage.damage(accounts.server, store, bare_jid:match("^[^@]+"), "localhost");
			end);
			for _ = 1, 2 do
				assert.same(is_pushed_to and { "old" } or {}, accounts:pushed(room));
				assert.same({ "other" }, accounts:pushed(other_room));
			end
			assert.equal(is_pushed_to and "info" or "error", (status()));
			if is_pushed_to then
				local client = accounts.server:client(bare_jid .. "/phone", { stream_management = false });
				assert.same({ "error", "wait", "internal-server-error" }, { table.unpack({ accounts.muc:enable(client, "new") }, 1, 3) });
				client:close();
			end
			assert.same({ "old" }, accounts:stored(bare_jid));
			local log = accounts.server:log(log_length);
			assert.falsy(log:find("the account is gone", 1, true));
			local _, errors = log:gsub("muc_cloud_notify\terror\t", "");
			assert.is_true(errors >= 1 and errors <= 4, errors);
			mend(); -- it is as it was
			look_again();
			if not is_pushed_to then expect_pushed("old", 2); end
			assert.equal("info", (status()));
			assert.same({ "old" }, accounts:pushed(room));
			assert.same({ "old" }, accounts:stored(bare_jid));
		end);
	end

	if accounts.storage.name == "internal" then
		it("is found gone though the record that names the store of markers was empty", function ()
			local bare_jid, room = accounts:new_device();
			accounts.storage.damage(accounts.server, "muc_cloud_notify_accounts", nil, "localhost");
			local other, other_room = accounts:new_device(eve_of(bare_jid), "other");
			accounts:replace_account(bare_jid);
			accounts:let_time_pass();
			assert.same({}, accounts:pushed(room));
			assert.same({}, accounts:stored(bare_jid));
			assert.same({ "other" }, accounts:pushed(other_room));
			assert.same({ "other" }, accounts:stored(other));
		end);
	end

	it("that cannot be looked at when its devices are loaded waits for that, and nobody else does", function ()
		local bare_jid, room = accounts:new_device();
		local _, other_room = accounts:new_device(("eve-%d@open.localhost"):format(accounts.count), "other");
		local mend = load_anew(break_accounts);
		assert.same({}, accounts:pushed(room));
		assert.same({ "other" }, accounts:pushed(other_room));
		local kind, text = status();
		assert.equal("error", kind);
		assert.truthy(text:find("the accounts of 1 user(s) cannot be looked at", 1, true) or accounts.count > 1, text);
		accounts:let_time_pass();
		assert.same({}, accounts:pushed(room));
		assert.equal("error", (status()));
		mend();
		expect_pushed("old", 2);
		assert.truthy(loop.wait_until(function () return status() == "info"; end, nil, 0.05));
		assert.same({ "old" }, accounts:pushed(room));
		assert.same({ "old" }, accounts:stored(bare_jid));
	end);

	it("that turns out to be gone has no devices, once it can be looked at", function ()
		local bare_jid, room = accounts:new_device();
		accounts:store_account(bare_jid, nil);
		local mend = load_anew(break_accounts);
		assert.same({}, accounts:pushed(room));
		assert.same({ "old" }, accounts:stored(bare_jid));
		mend();
		look_again();
		assert.truthy(loop.wait_until(function () return not accounts:stored(bare_jid)[1]; end, nil, 0.05));
		accounts:manage("create_user", bare_jid, "harness");
		assert.same({}, accounts:pushed(room));
	end);

	if not is_old then
		it("that turns out to be disabled gets its pushes once it is enabled", function ()
			local bare_jid, room = accounts:new_device();
			accounts:manage("disable_user", bare_jid);
			local mend = load_anew(break_accounts);
			assert.same({}, accounts:pushed(room));
			mend();
			look_again();
			assert.truthy(loop.wait_until(function () return status() == "info"; end, nil, 0.05));
			assert.same({}, accounts:pushed(room));
			accounts:manage("enable_user", bare_jid);
			expect_pushed("old", 2);
			assert.same({ "old" }, accounts:pushed(room));
		end);

		it("that another process disables gets its pushes once that enables it", function ()
			local bare_jid, room = accounts:new_device();
			assert.same({ "old" }, accounts:pushed(room));
			accounts:store_account(bare_jid, { password = "harness", disabled = true });
			accounts:let_time_pass();
			assert.same({}, accounts:pushed(room));
			assert.same({}, accounts:pushed(room));
			assert.not_equal("error", (status()));
			accounts:store_account(bare_jid, { password = "harness" });
			look_again();
			expect_pushed("old", 3);
			assert.same({ "old" }, accounts:pushed(room));
		end);
	end
end);
