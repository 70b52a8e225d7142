-- A kill, and a start at which the accounts with devices can be neither listed nor read: what the last run has left for them is told once
-- they can be.

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

versions.describe("an account with devices", function (version)
	local server, muc, app, connect;
	local service = "held.localhost"; -- nothing is told twice before a restart

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			components = { "users.localhost", "push.localhost", "phones.localhost" };
			c2s = true;
			community_modules = true;
			hosts = {
				localhost = {
					modules_enabled = { "cloud_notify" }, push_notification_with_body = true;
					storage = { cloud_notify = "harness" }, harness_storage = "internal";
				};
			};
			global = { modules_enabled = { "smacks" }, authentication = "internal_hashed" };
			mucs = {
				[service] = muc_service.with_body {
					muc_push_default = "always", muc_room_default_persistent = true, muc_push_account_interval = 3600, muc_push_journal = true;
				};
			};
		});
		function connect()
			app = server:app_server("phones.localhost");
		end
		connect();
	end);

	-- A client with a device of the account, the node of which is its name; and the bare JID.
	local function new_account(name)
		local bare_jid = name .. "@localhost";
		local client = server:client(bare_jid .. "/phone");
		assert.equal("result", client:enable({ to = bare_jid, jid = app.jid, node = name }).attr.type);
		return bare_jid, client;
	end

	local function remove_devices(name)
		server:admin([[require "core.storagemanager".open("localhost", "cloud_notify"):set(..., nil)]], name);
	end

	local function stats()
		return server:admin("return prosody.hosts[...].modules.muc_cloud_notify.stats()", service);
	end

	local function wait_until(what, is_so)
		assert(loop.wait_until(is_so, nil, 0.02), what);
	end

	local function wait_until_stored()
		wait_until("not everything is stored", function () return stats().unstored == 0; end);
	end

	-- Ends the server, and starts it again. can_tell: whether the accounts can be listed and read then
	local function restart(finish, can_tell)
		server[finish](server);
		server:reconfigure({}, { harness_storage_lists = can_tell, harness_storage_hides = can_tell and "" or "on purpose" });
		server:start_again();
		muc:connect();
		connect();
	end

	local function control(name, value)
		server:admin([[
			local name, value = ...;
			prosody.hosts.localhost.modules.storage_harness.control[name] = value;
		]], name, value);
	end

	-- Loads mod_cloud_notify anew, which then has nothing in its cache of what its store says.
	local function load_anew()
		server:admin([[
			local manager = require "core.modulemanager";
			assert(manager.unload("localhost", "cloud_notify") and manager.load("localhost", "cloud_notify"));
		]]);
		server:settle();
	end

	-- What the devices are told: "node text", in alphabetical order.
	local function told(number)
		local pushes = {};
		for place = 1, number do
			local push = app:expect_push();
			pushes[place] = push.node .. " " .. push.summary["last-message-body"];
		end
		table.sort(pushes);
		app:expect_no_push();
		return pushes;
	end

	it("is told what it has yet to hear of, after kills and a stop at which nothing can be said of it", function ()
		local names = { "ann", "bea", "cyd" };
		local members = {};
		for place, name in ipairs(names) do members[place] = new_account(name); end
		local quiet_jid = new_account "quiet";
		table.insert(members, quiet_jid);
		server:settle();
		local room = muc:new_room(members, service);
		muc:say(room, "one");
		assert.same({ "ann one", "bea one", "cyd one", "quiet one" }, told(4));
		local quiet = server:client(quiet_jid .. "/desk");
		quiet:join(room, "quiet"); -- who has read everything
		muc:say(room, "two");
		quiet:leave(room);
		local new_jid = new_account "new"; -- of whom the last run has nothing to say
		muc.bob:affiliate(room, new_jid, "member");
		wait_until_stored();
		remove_devices "cyd";
		for _, finish in ipairs { "kill", "kill", "stop" } do
			restart(finish, false);
			wait_until("they are not presumed to have devices", function () return stats().accounts == 4; end);
			app:expect_no_push();
		end
		server:reload_module("muc_cloud_notify", service);
		app:expect_no_push();
		control("hides", nil);
		assert.same({ "ann two", "bea two" }, told(2));
		wait_until("one without devices is presumed to have some still", function () return stats().accounts == 3; end);
		muc:say(room, "three");
		assert.same({ "quiet three" }, told(1));
		control("lists", true);
		load_anew();
		wait_until("they are not listed", function () return stats().accounts == 4; end);
		muc:say(room, "four");
		assert.same({ "new four" }, told(1));
		wait_until_stored();
		remove_devices "ann";
		local length = #server:log();
		restart("kill", true);
		-- By then the app server may not be connected yet, and mod_cloud_notify does not try again.
		server:wait_for_log("Pushing to bea@localhost through the devices of the account", nil, length);
		server:settle();
		assert.is_nil(server:log(length):find("Pushing to ann@localhost", 1, true), "it has no devices any more, as can be said at once");
		assert.equal(3, stats().accounts);
	end);

	it("is told once its devices can be read again, and not once they turn out to be gone", function ()
		app:start_anew();
		local there, gone = new_account "there", new_account "gone";
		server:settle();
		local room = muc:new_room({ there, gone }, service);
		load_anew();
		control("hides", "on purpose");
		muc:say(room, "one");
		app:expect_no_push();
		local accounts = stats().accounts;
		remove_devices "gone";
		control("hides", nil);
		assert.same({ "there one" }, told(1));
		wait_until("one has no devices", function () return stats().accounts == accounts - 1; end);
	end);
end);
