-- App servers that refuse pushes: after so many errors in a row a device is disabled, and gone from the store.

local st = require "util.stanza";

local prosody = require "harness.prosody";
local logs = require "spec.support.logs";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local patient_service = "patient.localhost";
-- Nothing is sent to other servers: no module for that is loaded.
local unrouted = "beyond.example";
local persistent = { type = "cancel", condition = "item-not-found" };

versions.describe_local_storages("rejections", function (version, storage)
	local server, muc, app;

	lazy_setup(function ()
		local options = {
			modules_enabled = { "muc_cloud_notify" };
			-- Named by the operator, so that they are not spared before they have taken a push: see first_contact_spec.
			muc_push_app_servers = { "push.localhost", "elsewhere.example", unrouted };
			muc_push_default = "always";
			muc_push_retry_delay = 0.1;
			muc_room_default_persistent = true;
		};
		local impatient_options = { push_max_errors = 3 };
		for name, value in pairs(options) do
			impatient_options[name] = value;
		end
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost", "elsewhere.example" };
			global = storage.global;
			muc = impatient_options;
			mucs = { [patient_service] = options };
		};
		muc = muc_service.new(server);
		app = muc.app;
		server:component("elsewhere.example"); -- it never answers
	end);

	after_each(function ()
		app:start_anew();
	end);

	-- Says something and answers the one push that comes of it.
	local function refuse(room, answer)
		app.answer = answer or persistent;
		assert.same({ "n1" }, muc:pushed(room));
		app:clear();
	end

	local function warnings()
		return logs.entries(server:log()).warn;
	end

	it("count even when they do not say what is wrong", function ()
		local _, room, bare_jid = muc:new_device("n1");
		for _ = 1, 3 do
			assert.truthy(storage.read(server, bare_jid));
			refuse(room, function (push)
				return st.stanza("iq", { type = "error", to = push.from, from = push.to, id = push.id });
			end);
		end
		assert.is_nil(storage.read(server, bare_jid));
	end);

	it("end a device when they are push_max_errors in a row", function ()
		local user, room, bare_jid = muc:new_device("n1");
		assert.equal("result", user:enable({ jid = "elsewhere.example", node = "n2" }).attr.type);
		local before = #warnings();
		for _, answer in ipairs { persistent, persistent, "result", persistent, { type = "auth", condition = "forbidden" } } do
			refuse(room, answer);
		end
		assert.truthy(storage.read(server, bare_jid)["push.localhost<n1"]);
		assert.equal(before, #warnings());
		refuse(room, { type = "modify", condition = "bad-request" });
		assert.is_nil(storage.read(server, bare_jid)["push.localhost<n1"]);
		assert.truthy(storage.read(server, bare_jid)["elsewhere.example<n2"]);
		local warned = warnings();
		assert.equal(before + 1, #warned);
		for _, text in ipairs { bare_jid, app.jid, "3 errors" } do
			assert.truthy(warned[#warned]:find(text, 1, true), warned[#warned]);
		end
		app.answer = "result";
		assert.same({}, muc:pushed(room));
	end);

	it("are counted anew when the client enables the device again", function ()
		local user, room, bare_jid = muc:new_device("n1");
		refuse(room);
		refuse(room);
		assert.equal("result", user:enable({ jid = app.jid, node = "n1" }).attr.type);
		refuse(room);
		refuse(room);
		assert.truthy(storage.read(server, bare_jid));
		refuse(room);
		assert.is_nil(storage.read(server, bare_jid));
	end);

	it("end a device after 16 by default, of which transient errors are none", function ()
		local user, room, bare_jid = muc:new_device("n1", patient_service);
		local other, other_room = muc:new_member { service = patient_service };
		assert.equal("result", other:enable({ jid = app.jid, node = "n2", to = patient_service }).attr.type);
		local before = #warnings();
		for _ = 1, 15 do
			refuse(room);
		end
		app.answer = { type = "wait", condition = "resource-constraint" };
		muc:say(room);
		app:expect_push();
		app:expect_push();
		assert.equal(before, #warnings());
		assert.equal("n1", app:expect_push().node);
		app.answer = persistent;
		assert.equal("n1", app:expect_push().node); -- it is pushed again, and that was one too many
		app.component:sync();
		assert.equal(before + 1, #warnings());
		assert.truthy(warnings()[before + 1]:find("16 errors", 1, true));
		app.answer = "result";
		app:clear();
		assert.same({}, muc:pushed(room));
		assert.same({ "n2" }, muc:pushed(other_room));
		assert.equal("result", user:enable({ jid = app.jid, node = "n1", to = patient_service }).attr.type);
		assert.same({ "n1" }, muc:pushed(room), bare_jid);
	end);

	it("are none where this server sends nothing to others", function ()
		local user, room, bare_jid = muc:new_device("n1");
		assert.equal("result", user:enable({ jid = unrouted, node = "n2" }).attr.type);
		local before, unsent = #warnings(), 0;
		repeat
			unsent = unsent + 1;
			assert.same({ "n1" }, muc:pushed(room));
			app:clear();
			server:wait_for_log("App server " .. unrouted .. " answered with an error: wait/", nil, unsent);
		until unsent == 4; -- one more than makes an app server lose a device that it refuses
		local stored = storage.read(server, bare_jid);
		assert.truthy(stored["push.localhost<n1"]);
		assert.truthy(stored[unrouted .. "<n2"]);
		assert.equal(before, #warnings());
	end);

	it("are final, also after a restart", function ()
		local _, room, bare_jid = muc:new_device("n1");
		local _, other_room, other_jid = muc:new_device("n1");
		for _ = 1, 3 do
			refuse(room);
		end
		refuse(other_room);
		assert.is_nil(storage.read(server, bare_jid));
		assert.truthy(storage.read(server, other_jid));
		muc:restart("kill");
		app = muc.app;
		assert.same({}, muc:pushed(room));
		assert.same({ "n1" }, muc:pushed(other_room));
	end);

	it("are no errors of the server", function ()
		assert.log_is_clean(server);
	end);
end);
