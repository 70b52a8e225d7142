-- The stores of accounts and of their markers: how often they are read, and what happens where they fail.

local support = require "spec.support.accounts";

support.describe("an account", function (accounts)
	-- Replaces what a store of the host of accounts does with markers by an error: "get" or "set". Returns how to mend it.
	local function break_markers(name)
		accounts.server:admin([[
			local methods = getmetatable(require "core.storagemanager".open("localhost", "muc_cloud_notify_accounts")).__index;
			local name = ...;
			local original = methods[name];
			module.mend_markers = function () methods[name] = original; end
			methods[name] = function (self, ...)
				if (self.datastore or self.store) == "muc_cloud_notify_accounts" then return nil, "on purpose"; end
				return original(self, ...);
			end;
		]], name);
		return function () accounts.server:admin "module.mend_markers()"; end
	end

	it("whose marker cannot be written has no device that is confirmed", function ()
		local client = accounts.server:client(accounts:new_account() .. "/phone", { stream_management = false });
		for _, name in ipairs { "get", "set" } do
			local mend = break_markers(name);
			assert.same({ "error", "wait", "internal-server-error" }, { table.unpack({ accounts.muc:enable(client, "old") }, 1, 3) });
			mend();
			assert.same({}, accounts:stored(accounts:new_account()));
		end
		assert.equal("result", (accounts.muc:enable(client, "old")));
		client:close();
		assert.same({ "old" }, accounts:stored(accounts:new_account()));
	end);

	it("whose marker cannot be read keeps its devices", function ()
		local bare_jid, room = accounts:new_device();
		accounts:let_time_pass();
		local mend = break_markers "get";
		assert.same({ "old" }, accounts:pushed(room));
		accounts.muc:manage "reload";
		assert.same({ "old" }, accounts:pushed(room));
		mend();
		assert.same({ "old" }, accounts:stored(bare_jid));
		accounts:let_time_pass();
		assert.same({ "old" }, accounts:pushed(room));
	end);

	it("that is looked at is read from the store once in a while only", function ()
		local _, room = accounts:new_device();
		accounts.server:admin([[
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
		for _ = 1, 10 do assert.same({ "old" }, accounts:pushed(room)); end
		-- The account and its marker, which says all there is to know.
		assert.same({ accounts = 1, muc_cloud_notify_accounts = 1 }, accounts.server:admin("return module.reads"));
	end);

	-- Members of a new room who are not in it, each with an account and a device. Returns the room.
	local function members_with_accounts(number)
		local members = {};
		for i = 1, number do
			members[i] = ("member-%d-%d@localhost"):format(accounts.count, i);
			accounts:manage("create_user", members[i], "harness");
		end
		local room = accounts.muc:new_room(members);
		accounts.server:admin([[
			local members, app_server = ...;
			for _, member in ipairs(members) do
				local origin = { type = "c2s", send = function () end };
				local iq = st.iq({ type = "set", from = member .. "/phone", to = module.host, id = "enable" })
					:tag("enable", { xmlns = "urn:xmpp:push:0", jid = app_server, node = member });
				prosody.hosts[module.host].events.fire_event("iq-set/host/urn:xmpp:push:0:enable", { origin = origin, stanza = iq });
			end
		]], members, accounts.muc.app.jid);
		return room;
	end

	-- Replaces the store of accounts' get() until the module is reloaded: body is that of a function of the original one, the
	-- store and the rest.
	local function replace_get(body)
		accounts.server:admin([[
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
		accounts.server:admin([[getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index.get = module.original_get]]);
	end

	-- The greatest number of accounts that were read in one turn of the outbox, and how many were read in all.
	local function reads_in_a_turn()
		return accounts.server:admin([[
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
			accounts:let_time_pass();
			assert.equal(12, #accounts:pushed(room));
			accounts:let_time_pass();
			replace_get(case.get);
			assert.equal(12, #accounts:pushed(room));
			restore_get();
			local most, all = reads_in_a_turn();
			assert.equal(12, all);
			assert.equal(case.is_slow, most == 1 or nil);
		end);
	end

	it("whose store cannot be read is told of once, and not for each user", function ()
		local room = members_with_accounts(4);
		accounts:let_time_pass();
		local log_length = #accounts.server:log();
		replace_get [[return nil, "on purpose"]];
		assert.equal(4, #accounts:pushed(room));
		restore_get();
		local _, errors = accounts.server:log(log_length):gsub("\terror\t", "");
		assert.equal(1, errors);
		assert.falsy(accounts.server:log(log_length):find("traceback", 1, true));
		assert.equal(4, #accounts:pushed(room));
	end);

	it("whose store cannot be read keeps its devices", function ()
		local bare_jid, room = accounts:new_device();
		accounts.server:admin([[
			local methods = getmetatable(require "core.storagemanager".open("localhost", "accounts")).__index;
			local get = methods.get;
			methods.get = function (self, ...)
				if (self.datastore or self.store) == "accounts" then methods.get = get; return nil, "on purpose"; end
				return get(self, ...);
			end;
		]]);
		assert.same({ "old" }, accounts:pushed(room));
		assert.same({ "old" }, accounts:stored(bare_jid));
	end);
end);
