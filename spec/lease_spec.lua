-- A registration lasts for a time without a sign of life of its user or its app server.

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local day = 86400;

versions.describe_storages("the lease of a device", function (version, storage)
	local server, muc;

	before_each(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			components = { "users.localhost", "push.localhost" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
		});
	end);

	after_each(function ()
		assert.log_is_clean(server);
		require "harness.prosody".close_all();
	end);

	-- Restarts the server as if that many days had passed since anything was stored; looked: since the last look at the leases
	local function age(users, days, looked)
		server:admin([[
			local users, seconds, looked = ...;
			local storagemanager = require "core.storagemanager";
			local store = storagemanager.open("conference.localhost", "muc_cloud_notify");
			for _, user in ipairs(users) do
				local record = store:get(user);
				for _, registration in pairs(record) do
					registration.timestamp = registration.timestamp - seconds;
					registration.last_sign = registration.last_sign and registration.last_sign - seconds;
				end
				assert(store:set(user, record));
			end
			local now = require "util.time".now();
			assert(storagemanager.open("conference.localhost", "muc_cloud_notify_leases"):set(nil, { since = now - 1000 * 86400, looked = now - looked }));
		]], users, days * day, looked or day / 2);
		muc:restart("kill");
		server:settle(20);
	end

	local function look()
		server:admin("prosody.hosts['conference.localhost'].modules.muc_cloud_notify.look_at_leases(); settle(40);");
	end

	local function stored(user)
		return storage.read(server, user);
	end

	local function sign_of(user)
		local _, registration = next(stored(user));
		return registration.last_sign;
	end

	it("is over after 90 days for who is a member of no room, and new for who is", function ()
		local stranger, stranger_jid = server:user("stranger@users.localhost/phone"), "stranger@users.localhost";
		assert.equal("result", muc:enable(stranger, "n1"));
		local user, room, member = muc:new_member();
		assert.equal("result", muc:enable(user, "n2"));
		local fresh = server:user("fresh@users.localhost/phone");
		assert.equal("result", muc:enable(fresh, "n3"));
		age({ stranger_jid, member }, 91);
		muc.bob:join(room, "bob"); -- a room that is live
		look();
		server:wait_for_log("info\tstranger@users.localhost is not pushed to through push.localhost any more: there was no sign of life for 90 days");
		assert.is_nil(stored(stranger_jid));
		assert.is_number(sign_of(member));
		assert.truthy(stored("fresh@users.localhost"));
		assert.is_nil(sign_of("fresh@users.localhost"));
		assert.same({ "n2" }, (muc:pushed(room)));

		-- The member is none any more: the lease goes on from when they were.
		muc.bob:affiliate(room, member, "none");
		age({ member }, 89);
		look();
		assert.truthy(stored(member));
		age({ member }, 2);
		look();
		assert.is_nil(stored(member));

		stranger = server:user("stranger@users.localhost/phone");
		assert.equal("result", muc:enable(stranger, "n1"));
	end);

	it("is new after a result, of which one in nine days is stored, also before the next look", function ()
		local user, room, bare_jid = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
		assert.same({ "n1" }, (muc:pushed(room)));
		server:settle(10);
		assert.is_nil(sign_of(bare_jid));
		age({ bare_jid }, 80);
		for _ = 1, 3 do
			assert.same({ "n1" }, (muc:pushed(room)));
		end
		server:settle(10);
		local sign = sign_of(bare_jid);
		assert.is_true(math.abs(sign - os.time()) < 60);
		muc.bob:affiliate(room, bare_jid, "none");
		age({ bare_jid }, 20);
		look();
		assert.truthy(stored(bare_jid));
		muc.app.answer = { type = "cancel", condition = "item-not-found" };
		muc.bob:affiliate(room, bare_jid, "member");
		age({ bare_jid }, 20);
		muc.app.answer = { type = "cancel", condition = "item-not-found" };
		local before = sign_of(bare_jid);
		assert.same({ "n1" }, (muc:pushed(room)));
		server:settle(10);
		assert.equal(before, sign_of(bare_jid)); -- an error is no sign
	end);

	it("begins anew where nobody has looked for a while, and with this version", function ()
		local stranger, bare_jid = server:user("stranger@users.localhost/phone"), "stranger@users.localhost";
		assert.equal("result", muc:enable(stranger, "n1"));
		for _, looked in ipairs { 100 * day, -100 * day } do
			age({ bare_jid }, 100, looked);
			look();
			assert.truthy(stored(bare_jid));
		end
		server:admin("assert(require 'core.storagemanager'.open('conference.localhost', 'muc_cloud_notify_leases'):set(nil, nil));");
		muc:restart("stop");
		server:settle(20);
		look();
		assert.truthy(stored(bare_jid));
		age({ bare_jid }, 0);
		look();
		assert.is_nil(stored(bare_jid));
	end);
end);
