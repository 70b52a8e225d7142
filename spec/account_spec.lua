-- Accounts that are gone, or disabled: nothing is pushed to what was registered for them.

local st = require "util.stanza";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

versions.describe_storages("an account", function (version, storage)
	local is_old = version == "0.12"; -- which neither disables accounts nor knows when they were made
	local server, muc, count;

	lazy_setup(function ()
		count = 0;
		server, muc = muc_service.start(version, {
			c2s = true;
			hosts = {
				localhost = {};
				["open.localhost"] = { authentication = "insecure", insecure_open_authentication = "Yes please, I know what I'm doing!" };
			};
			global = { modules_enabled = { "admin_socket", "admin_shell" }, authentication = "internal_hashed",
				storage = storage.global and storage.global.storage, sql = storage.global and storage.global.sql };
			muc = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true, muc_push_retry_delay = 0.1 };
			mucs = { ["other-muc.localhost"] = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true } };
		});
	end);

	before_each(function ()
		count = count + 1;
		muc.app:start_anew();
	end);

	local function new_account()
		return ("ann-%d@localhost"):format(count);
	end

	-- A client of an account, which is made where there is none; it has a device, and is a member of a new room, in which it is
	-- not. Returns its bare JID and the room.
	local function new_device(bare_jid, node)
		bare_jid = bare_jid or new_account();
		local client = server:client(bare_jid .. "/phone", { stream_management = false });
		assert.equal("result", (muc:enable(client, node or "old")));
		client:close();
		return bare_jid, muc:new_room { bare_jid };
	end

	local function pushed(room)
		muc:say(room, "hello");
		local nodes = {};
		for i, push in ipairs(muc:take_pushes()) do nodes[i] = push:match("^%S+"); end
		table.sort(nodes);
		return nodes;
	end

	local function stored(bare_jid)
		local nodes = {};
		for _, registration in pairs(storage.read(server, bare_jid) or {}) do table.insert(nodes, registration.node); end
		table.sort(nodes);
		return nodes;
	end

	-- What the running server does to an account: "create_user", "delete_user", "disable_user", "enable_user".
	local function manage(action, bare_jid, password)
		server:admin([[
			local action, bare_jid, password = ...;
			local usermanager = require "core.usermanager";
			local username, host = jid.split(bare_jid);
			if action == "create_user" then
				assert(usermanager.create_user(username, password, host));
			else
				assert(usermanager[action](username, host));
			end
		]], action, bare_jid, password);
	end

	-- What another process does to an account: nobody in the server hears of it. account: what is stored, nil for nothing
	local function store_account(bare_jid, account)
		server:admin([[
			local bare_jid, account = ...;
			local username, host = jid.split(bare_jid);
			assert(require "core.storagemanager".open(host, "accounts"):set(username, account));
		]], bare_jid, account);
	end

	-- Restarts the server, until all that is stored is loaded.
	local function restart(finish)
		local length = #server:log();
		muc:restart(finish);
		server:wait_for_log(server.muc_host:gsub("%p", "%%%0") .. ":muc_cloud_notify[^\n]*are registered", nil, length);
	end

	-- The next push is looked at, as it is once a while.
	local function let_time_pass()
		muc:manage "reload";
	end

	it("that is there gets its pushes", function ()
		local bare_jid, room = new_device();
		assert.same({ "old" }, pushed(room));
		let_time_pass();
		assert.same({ "old" }, pushed(room));
		assert.same({ "old" }, stored(bare_jid));
	end);

	it("that is deleted gets no push, nor does somebody else of that name", function ()
		local bare_jid, room = new_device();
		assert.same({ "old" }, pushed(room));
		manage("delete_user", bare_jid);
		assert.same({}, stored(bare_jid));
		assert.same({}, pushed(room));
		manage("create_user", bare_jid, "harness");
		assert.same({}, pushed(room));
		new_device(bare_jid, "new");
		assert.same({ "new" }, stored(bare_jid));
		assert.same({ "new" }, pushed(room));
	end);

	it("that is deleted takes with it what waits for a retry", function ()
		local bare_jid, room = new_device();
		muc.app.answer = { type = "wait", condition = "resource-constraint" };
		muc:say(room, "hello");
		muc.app:expect_push();
		manage("delete_user", bare_jid);
		manage("create_user", bare_jid, "harness");
		muc.app:start_anew();
		assert.same({}, pushed(room));
	end);

	it("that is deleted while its push is in flight is left alone by the answer", function ()
		local bare_jid, room = new_device();
		muc.app.answer = "silence";
		muc:say(room, "hello");
		local push = muc.app:expect_push();
		muc:say(room, "hello again");
		manage("delete_user", bare_jid);
		muc.app:reply(push, "result");
		muc.app:expect_no_push();
	end);

	it("that prosodyctl deletes gets no push", function ()
		local bare_jid, room = new_device();
		server:prosodyctl("deluser", bare_jid);
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
		assert.equal("result", (muc:enable(server:user("other@users.localhost/phone"), "other")));
	end);

	-- Another process deletes an account and makes it again, for somebody else, in the way of prosodyctl of 0.12: what Prosody
	-- stores of a user is removed, and nobody in the server hears of it.
	local function replace_account(bare_jid)
		server:admin([[
			local username, host = jid.split(...);
			local storagemanager = require "core.storagemanager";
			assert(storagemanager.open(host, "accounts"):set(username, nil));
			storagemanager.purge(username, host);
			assert(storagemanager.open(host, "accounts"):set(username, { password = "harness" }));
		]], bare_jid);
	end

	it("that is given to somebody else by prosodyctl has no devices", function ()
		local bare_jid, room = new_device();
		assert.same({ "old" }, pushed(room));
		server:prosodyctl("deluser", bare_jid);
		server:prosodyctl("register", bare_jid:match("^[^@]+"), "localhost", "harness");
		let_time_pass();
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
	end);

	it("that is given to somebody else has no devices within a while", function ()
		local bare_jid, room = new_device();
		local other, other_room = new_device((bare_jid:gsub("ann", "eve")));
		replace_account(bare_jid);
		let_time_pass();
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
		assert.same({ "old" }, pushed(other_room));
		assert.same({ "old" }, stored(other));
	end);

	it("that is given to somebody else has the devices that they add alone", function ()
		local bare_jid, room = new_device();
		replace_account(bare_jid);
		new_device(bare_jid, "new");
		assert.same({ "new" }, stored(bare_jid));
		assert.same({ "new" }, pushed(room));
	end);

	it("that is given to somebody else has no devices at other services either, whichever they use first", function ()
		local bare_jid, room = new_device();
		replace_account(bare_jid);
		local client = server:client(bare_jid .. "/phone", { stream_management = false });
		assert.equal("result", (muc:enable(client, "new", nil, "other-muc.localhost")));
		client:close();
		let_time_pass();
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
		assert.same({ "new" }, muc:pushed(muc:new_room({ bare_jid }, "other-muc.localhost")));
	end);

	it("that is given to somebody else while the server is down has no devices", function ()
		local bare_jid, room = new_device();
		replace_account(bare_jid);
		restart "stop";
		assert.same({}, stored(bare_jid));
		assert.same({}, pushed(room));
		restart "kill";
		assert.same({}, stored(bare_jid));
		assert.same({}, pushed(room));
	end);

	-- Makes the server look like one that has been upgraded, or the store of markers like one that was left behind.
	local function lose_markers(users, fields_too)
		server:admin([[
			local users, fields_too = ...;
			local storagemanager = require "core.storagemanager";
			local markers = storagemanager.open("localhost", "muc_cloud_notify_accounts");
			local registrations = storagemanager.open(module.host, "muc_cloud_notify");
			markers:set(nil, nil);
			for _, user in ipairs(users) do
				markers:set(jid.node(user), nil);
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
			local bare_jid, room = new_device();
			local other, other_room = new_device((bare_jid:gsub("ann", "eve")));
			lose_markers({ bare_jid, other }, fields_too);
			restart "stop";
			assert.same({ "old" }, pushed(room));
			replace_account(bare_jid);
			restart "stop";
			assert.same({}, pushed(room));
			assert.same({}, stored(bare_jid));
			assert.same({ "old" }, pushed(other_room));
			assert.same({ "old" }, stored(other));
		end);
	end

	-- Replaces what a store of the host of accounts does with markers by an error: "get" or "set". Returns how to mend it.
	local function break_markers(name)
		server:admin([[
			local methods = getmetatable(require "core.storagemanager".open("localhost", "muc_cloud_notify_accounts")).__index;
			local name = ...;
			local original = methods[name];
			module.mend_markers = function () methods[name] = original; end
			methods[name] = function (self, ...)
				if (self.datastore or self.store) == "muc_cloud_notify_accounts" then return nil, "on purpose"; end
				return original(self, ...);
			end;
		]], name);
		return function () server:admin "module.mend_markers()"; end
	end

	it("whose marker cannot be written has no device that is confirmed", function ()
		local client = server:client(new_account() .. "/phone", { stream_management = false });
		for _, name in ipairs { "get", "set" } do
			local mend = break_markers(name);
			assert.same({ "error", "wait", "internal-server-error" }, { table.unpack({ muc:enable(client, "old") }, 1, 3) });
			mend();
			assert.same({}, stored(new_account()));
		end
		assert.equal("result", (muc:enable(client, "old")));
		client:close();
		assert.same({ "old" }, stored(new_account()));
	end);

	it("whose marker cannot be read keeps its devices", function ()
		local bare_jid, room = new_device();
		let_time_pass();
		local mend = break_markers "get";
		assert.same({ "old" }, pushed(room));
		muc:manage "reload";
		assert.same({ "old" }, pushed(room));
		mend();
		assert.same({ "old" }, stored(bare_jid));
		let_time_pass();
		assert.same({ "old" }, pushed(room));
	end);

	it("that another process deletes is found gone within a while", function ()
		local bare_jid, room = new_device();
		assert.same({ "old" }, pushed(room));
		store_account(bare_jid, nil);
		let_time_pass();
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
	end);

	it("that another process deletes is found gone at the next start", function ()
		local bare_jid, room = new_device();
		local other, other_room = new_device((bare_jid:gsub("ann", "eve")));
		store_account(bare_jid, nil);
		restart "stop";
		assert.same({}, stored(bare_jid));
		assert.same({ "old" }, stored(other));
		manage("create_user", bare_jid, "harness");
		assert.same({}, pushed(room));
		assert.same({ "old" }, pushed(other_room));
	end);

	it("that is registered anew does not get the pushes of the one before, which another process has deleted", function ()
		local bare_jid, room = new_device();
		assert.same({ "old" }, pushed(room));
		store_account(bare_jid, nil);
		local username = bare_jid:match("^[^@]+");
		server:admin([[
			local username = ...;
			local usermanager = require "core.usermanager";
			assert(usermanager.create_user(username, "harness", "localhost"));
			prosody.hosts.localhost.events.fire_event("user-registered", { username = username, host = "localhost", source = "mod_register_ibr" });
		]], username);
		assert.same({}, pushed(room));
		assert.same({}, stored(bare_jid));
	end);

	if not is_old then
		it("that another process gives to somebody else does not get the pushes of the one before", function ()
			local bare_jid, room = new_device();
			store_account(bare_jid, { password = "harness", created = os.time() + 1 });
			server:admin("local wait, done = async.waiter(); timer.add_task(2.1, done); wait()");
			let_time_pass();
			assert.same({}, pushed(room));
			assert.same({}, stored(bare_jid));
		end);

		it("that another process gives to somebody else has the devices that they add alone", function ()
			local bare_jid, room = new_device();
			store_account(bare_jid, { password = "harness", created = os.time() + 1 });
			server:admin("local wait, done = async.waiter(); timer.add_task(2.1, done); wait()");
			new_device(bare_jid, "new");
			assert.same({ "new" }, stored(bare_jid));
			assert.same({ "new" }, pushed(room));
		end);

		it("that another process gives to somebody else loses the devices of the one before at the next start", function ()
			local bare_jid, room = new_device();
			store_account(bare_jid, { password = "harness", created = os.time() + 1 });
			server:admin("local wait, done = async.waiter(); timer.add_task(2.1, done); wait()");
			restart "stop";
			assert.same({}, stored(bare_jid));
			assert.same({}, pushed(room));
		end);

		it("that is disabled gets its pushes once it is enabled", function ()
			local bare_jid, room = new_device();
			assert.same({ "old" }, pushed(room));
			manage("disable_user", bare_jid);
			assert.same({}, pushed(room));
			assert.same({ "old" }, stored(bare_jid));
			manage("enable_user", bare_jid);
			assert.same({ "old 2 hello" }, muc:take_pushes());
			assert.same({ "old" }, pushed(room));
		end);

		it("that is disabled is so after a restart and a reload", function ()
			local bare_jid, room = new_device();
			local _, other_room = new_device((bare_jid:gsub("ann", "eve")), "other");
			manage("disable_user", bare_jid);
			let_time_pass();
			assert.same({}, pushed(room));
			restart "stop";
			assert.same({}, pushed(room));
			assert.same({ "other" }, pushed(other_room));
			manage("enable_user", bare_jid);
			assert.same({ "old 2 hello" }, muc:take_pushes());
		end);

		it("that is disabled and then deleted does not keep somebody else of that name from getting pushes", function ()
			local bare_jid, room = new_device();
			manage("disable_user", bare_jid);
			manage("delete_user", bare_jid);
			new_device(bare_jid, "new");
			assert.same({ "new" }, pushed(room));
		end);
	end

	it("that is looked at is read from the store once in a while only", function ()
		local _, room = new_device();
		server:admin([[
			module.reads = {};
			local methods = getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index;
			local get = methods.get;
			module.get = module.get or get;
			methods.get = function (self, ...)
				local name = self.datastore or self.store;
				if name:find("accounts", 1, true) then module.reads[name] = (module.reads[name] or 0) + 1; end
				return get(self, ...);
			end;
		]]);
		for _ = 1, 10 do assert.same({ "old" }, pushed(room)); end
		-- The account, its marker and the id of the store of markers.
		assert.same({ accounts = 1, muc_cloud_notify_accounts = 2 }, server:admin("return module.reads"));
	end);

	-- Members of a new room who are not in it, each with an account and a device. Returns the room.
	local function members_with_accounts(number)
		local members = {};
		for i = 1, number do
			members[i] = ("member-%d-%d@localhost"):format(count, i);
			manage("create_user", members[i], "harness");
		end
		local room = muc:new_room(members);
		server:admin([[
			local members, app_server = ...;
			for _, member in ipairs(members) do
				local origin = { type = "c2s", send = function () end };
				local iq = st.iq({ type = "set", from = member .. "/phone", to = module.host, id = "enable" })
					:tag("enable", { xmlns = "urn:xmpp:push:0", jid = app_server, node = member });
				prosody.hosts[module.host].events.fire_event("iq-set/host/urn:xmpp:push:0:enable", { origin = origin, stanza = iq });
			end
		]], members, muc.app.jid);
		return room;
	end

	-- Replaces the store of accounts' get() until the module is reloaded: body is that of a function of the original one, the
	-- store and the rest.
	local function replace_get(body)
		server:admin([[
			local methods = getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index;
			module.original_get = module.original_get or methods.get;
			module.reads_by_turn = {};
			local original = module.original_get;
			local get = assert(load("local original, self = ...; " .. ..., "=(store)", "t",
				setmetatable({ module = module, monotonic = require "util.time".monotonic }, { __index = _G })));
			methods.get = function (self, ...)
				if (self.datastore or self.store) ~= "accounts" then return original(self, ...); end
				-- Each turn of the outbox has an end of its own.
				for level = 2, 30 do
					if not debug.getinfo(level, "f") then break; end
					for i = 1, 20 do
						local name, value = debug.getlocal(level, i);
						if not name then break; end
						if name == "end_of_turn" then module.reads_by_turn[value] = (module.reads_by_turn[value] or 0) + 1; end
					end
				end
				return get(original, self, ...);
			end;
		]], body);
	end

	local function restore_get()
		server:admin([[getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index.get = module.original_get]]);
	end

	-- The greatest number of accounts that were read in one turn of the outbox, and how many were read in all.
	local function reads_in_a_turn()
		return server:admin([[
			local most, all = 0, 0;
			for _, reads in pairs(module.reads_by_turn) do most, all = math.max(most, reads), all + reads; end
			return most, all;
		]]);
	end

	for title, case in pairs {
		["that is read from a slow store takes the turn of no other"] = {
			get = [[local till = monotonic() + 0.003; while monotonic() < till do end return original(self, select(3, ...))]], is_slow = true };
		["that is read from a quick store leaves the turn to others"] = { get = [[return { password = "harness" }]] };
	} do
		it(title, function ()
			local room = members_with_accounts(12);
			let_time_pass();
			assert.equal(12, #pushed(room));
			let_time_pass();
			replace_get(case.get);
			assert.equal(12, #pushed(room));
			restore_get();
			local most, all = reads_in_a_turn();
			assert.equal(12, all);
			assert.equal(case.is_slow, most == 1 or nil);
		end);
	end

	it("whose store cannot be read is told of once, and not for each user", function ()
		local room = members_with_accounts(4);
		let_time_pass();
		local log_length = #server:log();
		replace_get [[return nil, "on purpose"]];
		assert.equal(4, #pushed(room));
		restore_get();
		local _, errors = server:log(log_length):gsub("\terror\t", "");
		assert.equal(1, errors);
		assert.falsy(server:log(log_length):find("traceback", 1, true));
		assert.equal(4, #pushed(room));
	end);

	it("whose store cannot be read keeps its devices", function ()
		local bare_jid, room = new_device();
		server:admin([[
			local methods = getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index;
			local get = methods.get;
			methods.get = function (self, ...)
				if (self.datastore or self.store) == "accounts" then methods.get = get; return nil, "on purpose"; end
				return get(self, ...);
			end;
		]]);
		assert.same({ "old" }, pushed(room));
		assert.same({ "old" }, stored(bare_jid));
	end);

	it("that nobody needs, as any login is let in, gets its pushes", function ()
		local bare_jid, room = new_device(("ann-%d@open.localhost"):format(count));
		assert.same({ "old" }, pushed(room));
		restart "stop";
		assert.same({ "old" }, pushed(room));
		assert.same({ "old" }, stored(bare_jid));
	end);

	it("of another server is none of ours", function ()
		local user, room, bare_jid = muc:new_device "n1";
		assert.same({ "n1" }, pushed(room));
		assert.same({ "n1" }, stored(bare_jid));
		user:send(st.presence { to = room .. "/x", type = "unavailable" });
	end);
end);
