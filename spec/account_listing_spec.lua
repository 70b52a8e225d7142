-- What a start does where the accounts with devices cannot be listed: it waits, but not for ever, as everybody else waits with it.

local prosody = require "harness.prosody";

local host = "localhost";

describe("a start", function ()
	local store, timers, log, added, unknown, awaited, presumed, account_devices, is_disabled, accounts;

	before_each(function ()
		store, timers, log, added, unknown, awaited, presumed, is_disabled, accounts = {}, {}, {}, {}, {}, {}, {}, {}, {};
		function store:get(username) -- luacheck: ignore 212/self
			if store.fails then return nil, "on purpose"; end
			return store[username] and { phone = {} } or nil;
		end
		local environment;
		local loaded = {};
		local function part(name)
			loaded[name] = loaded[name] or assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
			return loaded[name];
		end
		local context = { open_store = function () return store; end };
		environment = setmetatable({
			require = function (name)
				return name == "core.storagemanager" and { get_driver = function () return {}; end } or require(name);
			end;
			prosody = { hosts = { [host] = { type = "local", modules = { cloud_notify = {} }, events = {} } } };
			module = {
				log = function (_, level, text, ...) if level == "error" then table.insert(log, text:format(...)); end end;
				context = function () return context; end, hook_global = function () end, hook_object_event = function () end;
				add_timer = function (_, seconds, func)
					local timer = { seconds = seconds, func = func, stop = function () end };
					table.insert(timers, timer);
					return timer;
				end;
			};
		}, { __index = _G });
		account_devices = part "muc_cloud_notify/account_devices".watch {
			engine = {
				set_account = function (_, user, has_devices) table.insert(added, has_devices and user or "not "..user); end;
				await_accounts = function (_, name)
					if awaited.fails then error "on purpose"; end
					table.insert(awaited, name);
				end;
				presumed_account = function () return table.remove(presumed, 1); end;
			};
			awaited_accounts = {
				await = function (user) table.insert(unknown, user); end;
				await_enabled = function (user) table.insert(added, "suspended "..user); end;
			};
			standby = {}, blocklists = {}, is_wanted = true;
			tasks = { later = function (_, func) func(function () end); end };
			accounts = {
				look = function (user)
					if accounts[user] == nil then return nil, true; end
					return accounts[user];
				end;
				is_disabled = function (user) return is_disabled[user] or false; end;
			};
			find_memberships = function () end, when_searchable = function (_, func) func(); end;
		};
	end);

	local function load()
		return account_devices.load(function () end);
	end

	local function fail() error("on purpose", 0); end
	local function succeed() return next, { juliet = true }; end

	it("waits for nothing where they can be listed", function ()
		store.users = succeed;
		assert.is_nil(load());
		assert.same({ "juliet@localhost" }, added);
		assert.same({ "juliet@localhost" }, unknown, "nothing is pushed to an account that cannot be looked at");
		assert.same({}, log);
		assert.same({}, timers);
		assert.same({}, awaited);
	end);

	it("leaves out an account that is gone, and pushes to one that can be looked at", function ()
		store.users = function () return next, { juliet = true, nurse = true }; end;
		accounts["juliet@localhost"], accounts["nurse@localhost"] = {}, false;
		assert.is_nil(load());
		assert.same({ { "juliet@localhost" }, {} }, { added, unknown });
	end);

	it("waits for a moment where they cannot be just then", function ()
		store.users = fail;
		assert.equal(0.25, load());
		assert.equal(0.5, load());
		store.users = succeed;
		assert.is_nil(load());
		assert.same({ "juliet@localhost" }, added);
		assert.equal(1, #log);
		assert.same({}, timers);
		assert.same({}, awaited);
	end);

	-- A start that goes on without them.
	local function go_on()
		local waited, seconds = 0, load();
		while seconds do
			waited, seconds = waited + seconds, load();
		end
		return waited;
	end

	it("goes on after some seconds with what the last run has left, and tries it again later", function ()
		store.users = fail;
		local waited = go_on();
		assert.is_true(waited >= 10 and waited <= 20, waited);
		assert.same({ 1, 1, {}, { host } }, { #log, #timers, added, awaited });
		assert.equal(30, timers[1].seconds);
		timers[1].func();
		assert.equal(2, #timers);
		store.users = succeed;
		timers[2].func();
		assert.same({ "juliet@localhost" }, added);
		assert.equal(2, #timers);
		assert.same({ host }, awaited);
	end);

	it("does not wait for a storage that can list nobody", function ()
		assert.is_nil(load());
		assert.same({ 1, 1, { host } }, { #log, #timers, awaited });
	end);

	it("goes on where the engine fails, too", function ()
		store.users, awaited.fails = fail, true;
		go_on();
		assert.same({ 2, 1 }, { #log, #timers });
	end);

	it("looks at those whom only the last run knows, once all can be listed", function ()
		store.users = fail;
		go_on();
		store.users = succeed;
		presumed = { "juliet@localhost", "nurse@localhost", "paris@localhost" };
		store.juliet, store.paris = true, true;
		timers[1].func();
		assert.same({ "juliet@localhost", "juliet@localhost", "not nurse@localhost", "paris@localhost" }, added);
		presumed, added = { "juliet@localhost", "nurse@localhost" }, {};
		store.fails = true;
		timers[1].func();
		assert.same({ "juliet@localhost" }, added, "who cannot be looked at goes on to count, and is looked at before a push");
		assert.same({ 1, {} }, { #timers, presumed });
	end);

	it("has accounts looked at before each push until they can be listed", function ()
		local juliet = "juliet@localhost";
		store.users = fail;
		go_on();
		assert.is_false(account_devices.may_push(juliet), "it has no devices");
		store.juliet = true;
		assert.is_nil((account_devices.may_push(juliet)), "nothing can be said of the account");
		accounts[juliet] = false;
		assert.is_false(account_devices.may_push(juliet), "it is gone");
		accounts[juliet] = {};
		assert.is_true(account_devices.may_push(juliet));
		assert.same({}, added);
		is_disabled[juliet] = true;
		assert.is_nil((account_devices.may_push(juliet)));
		assert.same({ "suspended "..juliet }, added);
		store.fails = true;
		assert.same({ nil, "the store cloud_notify cannot be read" }, { account_devices.may_push(juliet) });
		store.fails, store.users = nil, succeed;
		timers[1].func();
		assert.is_true(account_devices.may_push(juliet), "it was looked at then");
	end);
end);
