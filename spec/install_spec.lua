-- `make install` makes modules that a packaged Prosody finds by itself.

local prosody = require "harness.prosody";
local shell = require "spec.support.shell";
local versions = require "spec.support.versions";

local run = shell.run;

versions.describe("make install", function (version)
	local folder;

	setup(function ()
		folder = run("mktemp -d");
		run(("make install DESTDIR=%s PREFIX=/usr"):format(folder));
	end);

	teardown(function ()
		prosody.close_all();
		run("rm -r "..folder);
	end);

	it("puts everything into the modules' own folders", function ()
		local files = run(("cd %s && find . -type f | sort"):format(folder));
		for file in files:gmatch("%S+") do
			assert.matches(file:find("keep_database") and "^%./usr/lib/prosody/modules/mod_keep_database_connections%.lua$"
				or "^%./usr/lib/prosody/modules/mod_[%a_]+/", file);
		end
		for _, name in ipairs {
			"mod_muc_cloud_notify/mod_muc_cloud_notify.lua", "mod_muc_cloud_notify/muc_cloud_notify.so",
			"mod_muc_cloud_notify/lua/muc_cloud_notify/engine.lua", "mod_muc_cloud_notify/lua/shared/guard.lua",
			"mod_muc_undelivered/mod_muc_undelivered.lua", "mod_muc_undelivered/lua/muc_undelivered/visits.lua",
			"mod_muc_undelivered/lua/shared/guard.lua", "mod_keep_database_connections.lua",
			"mod_web_push_app_server/mod_web_push_app_server.lua", "mod_web_push_app_server/web_push_app_server.so",
			"mod_web_push_app_server/web_push/worker.js", "mod_web_push_app_server/lua/web_push_app_server/publishes.lua",
			"mod_web_push_app_server/lua/shared/guard.lua",
		} do
			assert.matches("./usr/lib/prosody/modules/" .. name, files, 1, true);
		end
	end);

	it("works without the checkout", function ()
		-- A copy of the module that is not the checkout's: it is found first.
		local plugins = folder.."/usr/lib/prosody/modules";
		local server = prosody.start {
			version = version; components = { "users.localhost", "push.localhost" };
			plugin_paths = { plugins }; muc = { modules_enabled = { "muc_cloud_notify" } };
		};
		local path = server:admin [[ return prosody.hosts[module.host].modules.muc_cloud_notify.module.path ]];
		assert.equal(plugins.."/mod_muc_cloud_notify/mod_muc_cloud_notify.lua", path);
		local maps = assert(io.open(("/proc/%d/maps"):format(server.pid)));
		assert.matches(plugins.."/mod_muc_cloud_notify/muc_cloud_notify.so", maps:read("a"), 1, true);
		maps:close();
		local reply = server:user("alice@users.localhost/phone"):enable { jid = "push.localhost", node = "n1" };
		assert.equal("result", reply.attr.type);
		server:stop();
	end);

	-- From a folder that has nothing else. The checkout is searched too, but after it.
	local function start_alone(name, options)
		local alone = folder.."/alone_"..name;
		run(("mkdir %s && cp -r %s/usr/lib/prosody/modules/mod_%s %s"):format(alone, folder, name, alone));
		options.version, options.plugin_paths = version, { alone };
		return prosody.start(options), ("%s/mod_%s/mod_%s.lua"):format(alone, name, name);
	end

	it("installs mod_muc_undelivered as a module of its own", function ()
		local server, path = start_alone("muc_undelivered", { muc = { modules_enabled = { "muc_undelivered" } } });
		assert.equal(path, server:admin [[ return prosody.hosts[module.host].modules.muc_undelivered.module.path ]]);
		assert.log_is_clean(server);
		server:stop();
	end);

	it("installs mod_web_push_app_server as a module of its own", function ()
		local component = { module = "web_push_app_server" };
		local server, path = start_alone("web_push_app_server", { http = true, internal = { ["web.localhost"] = component } });
		assert.equal(path, server:admin [[ return prosody.hosts["web.localhost"].modules.web_push_app_server.module.path ]]);
		assert.equal(87, server:admin [[ return #prosody.hosts["web.localhost"].modules.web_push_app_server.vapid_public_key() ]]);
		assert.log_is_clean(server);
		server:stop();
	end);
end);
