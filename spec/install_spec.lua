-- `make install` makes a module that a packaged Prosody finds by itself.

local prosody = require "spec.support.prosody";

local function run(command)
	local pipe = io.popen(command.." 2>&1");
	local output = pipe:read("a");
	assert(pipe:close(), output);
	return (output:gsub("%s+$", ""));
end

for _, version in ipairs(prosody.versions) do
	describe("make install on Prosody "..version, function ()
		local folder;

		setup(function ()
			folder = run("mktemp -d");
			run(("make install DESTDIR=%s PREFIX=/usr"):format(folder));
		end);

		teardown(function ()
			prosody.close_all();
			run("rm -r "..folder);
		end);

		it("puts everything into the module's own folder", function ()
			local files = run(("cd %s && find . -type f | sort"):format(folder));
			local own = "./usr/lib/prosody/modules/mod_muc_cloud_notify/";
			for file in files:gmatch("%S+") do
				assert.equal(own, file:sub(1, #own));
			end
			for _, name in ipairs { "mod_muc_cloud_notify.lua", "muc_cloud_notify.so", "lua/native.lua" } do
				assert.matches(own..name, files, 1, true);
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
	end);
end
