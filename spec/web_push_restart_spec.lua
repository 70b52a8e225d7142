-- What outlives a restart of an app server for browsers: everything. Nothing is kept of a subscription, and the keys are stored.

local json = require "util.json";

local files = require "harness.files";

local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

versions.describe("an app server for browsers", function (version)
	local app, user;

	local function connect()
		user = app.server:user("muc@users.localhost/x");
	end

	before_each(function ()
		app = web_push.start(version, { global = { modules_enabled = { "admin_socket", "admin_shell" } } });
		connect();
	end);

	after_each(function () app:close(); end);

	local function public_key()
		return json.decode((select(3, app:http("GET")))).vapid_public_key;
	end

	local function keys_path()
		return app.server.data_dir.."/push%2elocalhost/web_push_keys.dat";
	end

	local function errors()
		local found = {};
		for line in app.server:log():gmatch("push%.localhost:web_push_app_server\terror\t([^\n]*)") do table.insert(found, line); end
		return found;
	end

	it("loses nothing by a restart, a kill or a reload", function ()
		local key, subscribed = public_key(), app:subscribe();
		local function is_pushed_to()
			assert.equal(key, public_key());
			assert.same(subscribed, app:subscribe());
			assert.equal("result", app:publish(user, subscribed));
			app.service:expect_request();
		end
		is_pushed_to();
		for _, finish in ipairs { "stop", "kill" } do
			app.server[finish](app.server);
			app.server:start_again();
			connect();
			is_pushed_to();
		end
		app.server:reload_module("web_push_app_server", web_push.host);
		is_pushed_to();
		assert.log_is_clean(app.server);
	end);

	it("has no store but for its keys", function ()
		app:subscribe();
		local listing = require "spec.support.shell".run(("cd '%s' && find . -path '*push%%2elocalhost*' -type f"):format(app.server.data_dir));
		assert.equal("./push%2elocalhost/web_push_keys.dat", listing);
	end);

	it("shows its public key in the shell", function ()
		local code = [[> prosody.hosts["push.localhost"].modules.web_push_app_server.vapid_public_key()]];
		assert.matches(public_key(), app.server:prosodyctl("shell", code), 1, true);
	end);

	it("makes no new keys where the old ones cannot be read", function ()
		local key, stored = public_key(), files.read(keys_path());
		for _, broken in ipairs { "return { vapid = \"x\" };", "this is no table" } do
			app.server:stop();
			files.write(keys_path(), broken);
			app.server:start_again();
			connect();
			assert.equal(broken, files.read(keys_path()));
			assert.equal(1, #errors());
			assert.matches("Nobody is pushed to", errors()[1]);
			assert.equal("cancel", (app:publish(user, { node = "x", secret = "x" })));
			files.write(app.server.log_path, "");
		end
		-- The honest twin.
		app.server:stop();
		files.write(keys_path(), stored);
		app.server:start_again();
		assert.equal(key, public_key());
	end);

	it("makes no keys that it could not store", function ()
		app.server:stop();
		os.remove(keys_path());
		assert(os.execute(("mkdir '%s'"):format(keys_path())));
		app.server:start_again();
		connect();
		assert.equal(1, #errors());
		assert.matches("Nobody is pushed to: the keys cannot be", errors()[1]);
		assert.equal("cancel", (app:publish(user, { node = "x", secret = "x" })));
	end);

	it("is nothing for a host", function ()
		app.server:close();
		app.server = require "harness.prosody".start {
			version = version, components = { "users.localhost" }, hosts = { localhost = { modules_enabled = { "web_push_app_server" } } };
		};
		local log = app.server:log();
		assert.matches("localhost:web_push_app_server\terror\tmod_web_push_app_server is a component of its own", log, 1, true);
	end);
end);
