-- A store in which each look takes its time: the server waits for one look at a time, and what changes from one to the next counts.

local st = require "util.stanza";

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

-- Each read of what this module looks at takes so long: longer than a turn of its work.
local seconds = 0.02;

-- `reads` are the most from one look of a timer to the next, and `longest` is how long that took; `on_read`, if set, is called with the
-- store and the user.
local slow_down = [[
	local seconds, hosts = ...;
	local monotonic = require "util.time".monotonic;
	local is_slow = { accounts = true, muc_cloud_notify_accounts = true, muc_cloud_notify = true, blocklist = true, cloud_notify = true };
	local slow, names = { reads = 0, longest = 0, names = "" }, "";
	prosody.slow = slow;
	local reads, last = 0, monotonic();
	for _, host in ipairs(hosts) do
		local methods = getmetatable(require "core.storagemanager".open(host, "accounts")).__index;
		local get = methods.get;
		function methods:get(key)
			local name = self.datastore or self.store;
			if is_slow[name] and slow.seconds then
				reads, names = reads + 1, names.." "..name;
				local till = monotonic() + slow.seconds;
				while monotonic() < till do end
				if slow.on_read then slow.on_read(name, key); end
			end
			return get(self, key);
		end
	end
	require "net.server".add_task(0.001, function () -- util.timer now and then leaves a timer out that is due
		if reads > slow.reads then slow.reads, slow.names = reads, names; end
		slow.longest = math.max(slow.longest, monotonic() - last);
		reads, names, last = 0, "", monotonic();
		return slow.seconds and 0 or 0.001; -- before any timer that is added in this turn
	end);
]];

versions.describe("a slow store", function (version)
	local server, muc;
	local count = 0;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			c2s = true;
			community_modules = true;
			hosts = { localhost = { modules_enabled = { "blocklist", "cloud_notify" } } };
			global = { authentication = "internal_hashed" };
			muc = muc_service.with_body { muc_room_default_persistent = true, muc_push_default = "always" };
		});
		-- The first marker of a host gives its store an id, once and for all, for which the store is looked into twice.
		assert.equal("result", (muc:enable(server:client("first@localhost/phone", { stream_management = false }), "first")));
		server:admin(slow_down, seconds, { "localhost", server.muc_host });
	end);

	before_each(function ()
		count = count + 1;
		muc.app:start_anew();
	end);

	after_each(function () server:admin "prosody.slow.seconds, prosody.slow.on_read = nil, nil"; end);

	local function set_slow()
		server:admin("prosody.slow.reads, prosody.slow.longest, prosody.slow.seconds = 0, 0, ...", seconds);
	end

	-- Is called as soon as that was read of that user: its code, in the turn after that.
	local function after_reading(store, key, code)
		server:admin(([[
			local store, key = ...;
			prosody.slow.on_read = function (name, read)
				if name ~= store or read ~= key then return; end
				prosody.slow.on_read = nil;
				module:add_timer(0, function () %s end);
			end
		]]):format(code), store, key);
	end

	-- Accounts, each of which has a record that does not say for which account it is, or a device of the account. Returns their bare JIDs.
	local function new_accounts(kind, usernames)
		return server:admin([[
			local kind, usernames, app_server = ...;
			local storagemanager = require "core.storagemanager";
			local users = {};
			for i, username in ipairs(usernames) do
				assert(require "core.usermanager".create_user(username, "harness", "localhost"));
				users[i] = username.."@localhost";
				local registrations = { [app_server.."<"..username] = { jid = app_server, node = username, timestamp = os.time() + 1 } };
				if kind == "account" then
					assert(storagemanager.open("localhost", "cloud_notify"):set(username, registrations));
				else
					assert(storagemanager.open(module.host, "muc_cloud_notify"):set(users[i], registrations));
				end
			end
			return users;
		]], kind, usernames, muc.app.jid);
	end

	local function names(number)
		local list = {};
		for i = 1, number do list[i] = ("u%d-%d"):format(count, i); end
		return list;
	end

	-- Loads the module anew, with an engine that knows nobody, from a store that is slow.
	local function load_anew()
		muc:manage "unload";
		server:admin "prosody.slow.is_told = nil";
		set_slow();
		muc:manage "load";
	end

	local function stats()
		return server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats()");
	end

	local function wait_for(users)
		local now;
		assert(loop.wait_until(function ()
			now = stats();
			return now.devices + now.accounts > users; -- and the first one
		end, nil, 0.02), ("%d, %d"):format(now.devices, now.accounts));
	end

	local function assert_no_turn_is_long()
		local reads, longest, read = server:admin "return prosody.slow.reads, prosody.slow.longest, prosody.slow.names";
		if os.getenv "SLOW_FIGURES" then print(version, "reads", reads, ("longest turn %.3f s"):format(longest)); end
		assert.equal(1, reads, read);
	end

	it("is looked into once in a turn, when registrations and accounts are loaded", function ()
		local members = new_accounts("record", names(4));
		table.move(new_accounts("account", { "a", "b", "c" }), 1, 3, #members + 1, members);
		local room = muc:new_room(members);
		load_anew();
		wait_for(#members);
		loop.pause(0.2); -- what comes after that
		assert_no_turn_is_long();
		server:admin "prosody.slow.seconds = nil";
		local nodes = muc:pushed(room);
		assert.equal(#members, #nodes);
		-- By now each record says for which account it is.
		load_anew();
		wait_for(#members);
		assert_no_turn_is_long();
	end);

	it("is looked into once in a turn, when an account has its first device", function ()
		local client = server:client(("u%d@localhost/phone"):format(count), { stream_management = false });
		muc:say(muc:new_room { client.bare_jid });
		-- mod_cloud_notify reads what it has of the user in the turn of a first request.
		local device = { to = client.bare_jid, jid = muc.app.jid, node = "phone" };
		assert.equal("result", client:enable(device).attr.type);
		assert.equal("result", client:disable(device).attr.type);
		server:settle();
		local before = stats().accounts;
		set_slow();
		client:send(st.iq({ type = "set", to = client.bare_jid, id = "enable" })
			:tag("enable", { xmlns = "urn:xmpp:push:0", jid = muc.app.jid, node = "phone" }));
		assert(loop.wait_until(function () return stats().accounts > before; end, nil, 0.02));
		server:settle();
		assert_no_turn_is_long();
	end);

	it("has what somebody registers while the account is looked at", function ()
		local name = names(1)[1];
		local bare_jid = new_accounts("record", { name })[1];
		local room = muc:new_room { bare_jid };
		after_reading("accounts", name, ([[
			local origin = { type = "c2s", send = function () end };
			local iq = st.iq({ type = "set", from = "%s/phone", to = module.host, id = "enable" })
				:tag("enable", { xmlns = "urn:xmpp:push:0", jid = "%s", node = "new" });
			prosody.hosts[module.host].events.fire_event("iq-set/host/urn:xmpp:push:0:enable", { origin = origin, stanza = iq });
		]]):format(bare_jid, muc.app.jid));
		local length = #server:log();
		load_anew();
		assert(loop.wait_until(function () return not server:admin "return prosody.slow.on_read ~= nil"; end, nil, 0.02));
		server:wait_for_log("device%(s%) of %d+ user%(s%) are registered", nil, length);
		server:admin "prosody.slow.seconds = nil";
		assert.same({ "new", name }, (muc:pushed(room)));
	end);

	for _, kind in ipairs { "record", "account" } do
		if version ~= "0.12" then -- where accounts cannot be disabled
			it("has what becomes of an account while it is looked at, because of its "..(kind == "record" and "record" or "devices"), function ()
				local name = names(1)[1];
				local bare_jid = new_accounts(kind, { name })[1];
				local room = muc:new_room { bare_jid };
				after_reading("accounts", name, ([[require "core.usermanager".disable_user(%q, "localhost");]]):format(name));
				load_anew();
				assert(loop.wait_until(function () return not server:admin "return prosody.slow.on_read ~= nil"; end, nil, 0.02));
				server:admin "prosody.slow.seconds = nil";
				assert.same({}, (muc:pushed(room)));
				server:admin([[require "core.usermanager".enable_user(..., "localhost")]], name);
				muc.app.component:sync();
				assert.equal(name, muc.app:expect_push().node);
			end);
		end
	end
end);
