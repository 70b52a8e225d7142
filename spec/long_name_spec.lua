-- Users with long names: their records fit into any storage, and are found again.

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local cjk = "\230\188\162";

-- Names of users; which do not fit into a file name as they are.
local names = {
	{ cjk:rep(30) .. "@users.localhost", true };
	{ ("n"):rep(300) .. "@users.localhost", true };
	{ cjk:rep(340) .. "@users.localhost", true };
	{ cjk:rep(20) .. "@users.localhost", false };
	{ ("n"):rep(225) .. "@users.localhost", false };
	{ ("n"):rep(229) .. "@users.localhost", true };
};

versions.describe_storages("users with long names", function (version, storage)
	local server, muc, rooms;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
		});
		rooms = {};
	end);

	local function keys()
		return server:admin([[
			local keys = {};
			for key in require "core.storagemanager".open("conference.localhost", "muc_cloud_notify"):users() do
				keys[key] = true;
			end
			return keys;
		]]);
	end

	it("can register, and are found again after a restart", function ()
		for i, name in ipairs(names) do
			local user = server:user(name[1] .. "/phone");
			rooms[i] = muc:new_room { name[1] };
			assert.equal("result", muc:enable(user, "n" .. i), name[1]);
			assert.same({ "n" .. i }, (muc:pushed(rooms[i])));
		end
		for name, is_shortened in pairs { [names[1][1]] = true, [names[2][1]] = true, [names[4][1]] = false } do
			assert.equal(not is_shortened, keys()[name] == true);
		end
		for _, finish in ipairs { "stop", "kill" } do
			muc:restart(finish);
			for i in ipairs(names) do
				assert.same({ "n" .. i }, (muc:pushed(rooms[i])));
			end
		end
	end);

	it("can register after a reload of the module", function ()
		server:reload_module("muc_cloud_notify");
		server:settle(); -- the keys are listed anew
		local user = server:user(names[1][1] .. "/desk");
		assert.equal("result", muc:enable(user, "desk"));
		assert.same({ "desk", "n1" }, (muc:pushed(rooms[1])));
		assert.equal("result", muc:disable(user, "desk"));
	end);

	it("can disable, and leave nothing behind", function ()
		for i, name in ipairs(names) do
			local user = server:user(name[1] .. "/phone");
			assert.equal("result", muc:disable(user, "n" .. i));
			assert.same({}, (muc:pushed(rooms[i])));
		end
		muc:restart("stop");
		assert.same({}, (muc:pushed(rooms[1])));
		assert.same({}, keys());
	end);

	if storage.name ~= "internal" then
		it("keep the record that was stored under their name before", function ()
			local long, room = names[1][1], rooms[1];
			muc:restart("stop", function ()
				storage.write(server, long, { ["push.localhost<old"] = { jid = "push.localhost", node = "old", timestamp = 1500000001 } });
			end);
			assert.same({ "old" }, (muc:pushed(room)));
			local user = server:user(long .. "/phone");
			assert.equal("result", muc:enable(user, "new"));
			assert.same({ "new", "old" }, (muc:pushed(room)));
			assert.same({ [long] = true }, keys());
			muc:restart("kill");
			assert.same({ "new", "old" }, (muc:pushed(room)));
		end);
	end

	it("have logged no error", function ()
		assert.log_is_clean(server);
	end);
end);
