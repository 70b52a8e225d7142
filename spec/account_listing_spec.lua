-- How long a start waits for accounts with devices that cannot be listed: not for ever, as everybody else waits with them.

local prosody = require "harness.prosody";

local host = "localhost";

describe("a start", function ()
	local store, timers, log, added, account_devices;

	before_each(function ()
		store, timers, log, added = {}, {}, {}, {};
		local environment;
		local loaded = {};
		local function part(name)
			loaded[name] = loaded[name] or assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
			return loaded[name];
		end
		local context = { open_store = function () return store; end };
		environment = setmetatable({
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
			engine = { set_account = function (_, user) table.insert(added, user); end };
			standby = {}, blocklists = {}, is_wanted = true;
			tasks = { later = function (_, func) func(function () end); end };
			accounts = { look = function () end, is_disabled = function () end };
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
		assert.same({}, log);
		assert.same({}, timers);
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
	end);

	it("goes on after a minute, and tries it again later", function ()
		store.users = fail;
		local waited, seconds = 0, load();
		while seconds do
			waited, seconds = waited + seconds, load();
		end
		assert.is_true(waited >= 30 and waited <= 70, waited);
		assert.same({ 1, 1, {} }, { #log, #timers, added });
		assert.equal(30, timers[1].seconds);
		timers[1].func();
		assert.equal(2, #timers);
		store.users = succeed;
		timers[2].func();
		assert.same({ "juliet@localhost" }, added);
		assert.equal(2, #timers);
	end);

	it("does not wait for a storage that can list nobody", function ()
		assert.is_nil(load());
		assert.same({ 1, 1 }, { #log, #timers });
	end);
end);
