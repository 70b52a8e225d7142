-- The address of an app server is what Prosody takes it for: when it is registered, when it is compared, when it answers.

local st = require "util.stanza";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local service = "conference.localhost";

-- An address as a client writes it, and as Prosody prepares it, nil where it is none.
local addresses = {
	{ "push.localhost", "push.localhost" };
	{ "PUSH.localhost", "push.localhost" };
	{ "push.localhost.", "push.localhost" };
	{ "Pusher@Push.Localhost./Some Where", "pusher@push.localhost/Some Where" };
	{ "ab--cd.localhost", "ab--cd.localhost" };
	{ "-ab.localhost", "-ab.localhost" };
	{ "under_score.localhost", "under_score.localhost" };
	{ "xn--a.localhost", "xn--a.localhost" };
	{ "p\195\188sh.localhost", "p\195\188sh.localhost" };
	{ "", nil };
	{ "@push.localhost", nil };
	{ "push.localhost/", nil };
	{ "a b@push.localhost", nil };
	{ "pus\"her@push.localhost", nil };
};

local function error_of(reply)
	local error_type, condition = reply:get_error();
	return { error_type, condition };
end

versions.describe("the address of an app server", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			components = { "users.localhost", "push.localhost", "ab--cd.localhost" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
			mucs = {
				["listed.localhost"] = {
					modules_enabled = { "muc_cloud_notify" }, muc_push_app_servers = { "ab--cd.localhost" }, muc_room_default_persistent = true;
				};
			};
		});
	end);

	it("is what util.jid makes of it, or refused where that makes nothing of it", function ()
		for i, address in ipairs(addresses) do
			local user = server:user(string.format("user-%d@users.localhost/phone", i));
			local prepared = server:admin("return (jid.prep(...))", address[1]);
			assert.equal(address[2], prepared);
			local reply = user:enable { jid = address[1], node = "n1" };
			if prepared then
				assert.equal("result", reply.attr.type, address[1]);
				server:wait_for_log(string.format("user-%d@users.localhost is pushed to through %s now", i, prepared), nil, 1);
			else
				assert.same({ "modify", "jid-malformed" }, error_of(reply), address[1]);
			end
		end
	end);

	it("is not that of the service, however it is written", function ()
		local user = server:user("ann@users.localhost/phone");
		for _, address in ipairs {
			"conference.localhost./x", "Conference.LOCALHOST", "room@conference.localhost.", "conference.localhost.", "ANN@users.localhost./x",
		} do
			assert.same({ "cancel", "not-allowed" }, error_of(user:enable { jid = address, node = "n1" }), address);
		end
		for _, address in ipairs { "conference.localhost.example", "push.localhost/conference.localhost", "my-conference.localhost" } do
			assert.equal("result", user:enable({ jid = address, node = "n1" }).attr.type, address);
		end
	end);

	it("may be one that is no name of a host in the Internet, and it answers", function ()
		local app = server:app_server("ab--cd.localhost");
		for _, host in ipairs { service, "listed.localhost" } do
			local user, room = muc:new_member { service = host };
			assert.equal("result", user:enable({ jid = "AB--cd.localhost", node = "n1", to = host }).attr.type);
			for _ = 1, 2 do -- the second follows as the first was answered
				muc.bob:say(room, "hello");
				assert.equal("n1", app:expect_push().node);
			end
			assert.equal("result", user:disable({ jid = "ab--cd.localhost.", node = "n1", to = host }).attr.type);
			muc.bob:say(room, "hello");
			app:expect_no_push();
		end
	end);

	it("is that of a stored registration, whoever has written it, and whoever answers in this process", function ()
		local user, room, bare_jid = muc:new_member();
		assert.equal("result", user:enable({ jid = "push.localhost", node = "n1" }).attr.type);
		local app_server_of = [[
			local muc_host, user, jid = ...;
			local store = require "core.storagemanager".open(muc_host, "muc_cloud_notify");
			local record = store:get(user);
			if jid then
				for _, registration in pairs(record) do registration.jid = jid; end
				assert(store:set(user, record));
			end
			local _, registration = next(record);
			return registration.jid;
		]];
		server:admin(app_server_of, service, bare_jid, "Push.LOCALHOST.");
		muc:restart("stop");
		for _ = 1, 2 do
			assert.same({ "n1" }, (muc:pushed(room)));
		end
		assert.equal("Push.LOCALHOST.", server:admin(app_server_of, service, bare_jid));
		user = server:user(user.jid);
		assert.equal("result", user:enable({ jid = "push.localhost", node = "n1" }).attr.type);
		assert.equal("push.localhost", server:admin(app_server_of, service, bare_jid));

		-- What a module of this process sends, Prosody does not look at.
		muc.app:clear();
		muc.app.answer = "silence";
		muc.bob:say(room, "hello");
		local push = muc.app:expect_push();
		local reply = st.stanza("iq", { type = "result", id = push.stanza.attr.id, from = "Push.LOCALHOST.", to = service });
		server:admin([[
			local id, from, to = ...;
			local iq = st.stanza("iq", { type = "result", id = id, from = from, to = to });
			prosody.hosts[to].events.fire_event("iq/host", { origin = {}, stanza = iq });
		]], reply.attr.id, reply.attr.from, service);
		muc.app.answer = "result";
		assert.same({ "n1" }, (muc:pushed(room)));
	end);

	it("has logged no error", function ()
		assert.log_is_clean(server);
	end);
end);
