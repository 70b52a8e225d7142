-- Registrations in the store: they outlive the server, and are in the format of other modules.

local st = require "util.stanza";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local service = "conference.localhost";
local publish_options = "http://jabber.org/protocol/pubsub#publish-options";

local function form(attr, ...)
	local x = st.stanza("x", attr);
	for _, field in ipairs { ... } do
		x:tag("field", { var = field[1], xmlns = attr.xmlns }):text_tag("value", field[2], { xmlns = attr.xmlns }):up();
	end
	return st.preserialize(x:reset());
end

versions.describe_storages("registrations in the store", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always" };
		});
	end);

	for _, finish in ipairs { "stop", "kill" } do
		it("has what was confirmed before a " .. finish, function ()
			local user, room, bare_jid = muc:new_member();
			for i = 1, 3 do
				assert.equal("result", muc:enable(user, "n" .. i, "private-" .. i));
			end
			assert.equal("result", muc:enable(user, "n2", "private-new"));
			assert.equal("result", muc:disable(user, "n1"));
			muc:restart(finish);
			local nodes, pushes = muc:pushed(room);
			assert.same({ "n2", "n3" }, nodes);
			assert.same({ "FORM_TYPE=" .. publish_options, "secret=private-new" }, muc_service.options(pushes.n2));
			assert.same({ "FORM_TYPE=" .. publish_options, "secret=private-3" }, muc_service.options(pushes.n3));

			user = server:user(bare_jid .. "/phone");
			assert.equal("result", muc:disable(user));
			muc:restart(finish);
			assert.same({}, muc:pushed(room));
			assert.is_nil(storage.read(server, bare_jid));
		end);
	end

	it("has records as mod_cloud_notify writes them, by bare JID, with the order of arrival", function ()
		local user, _, bare_jid = muc:new_member();
		local started = os.time();
		local iq = st.stanza("iq", { type = "set", to = service })
			:tag("enable", { xmlns = "urn:xmpp:push:0", jid = muc.app.jid, node = "n1", include_payload = "true" })
				:add_child(st.deserialize(form({ xmlns = "jabber:x:data", type = "submit" }, { "FORM_TYPE", publish_options }, { "secret", "s<1>" })));
		assert.equal("result", user:iq(iq:reset()).attr.type);
		assert.equal("result", muc:enable(user));

		local record = storage.read(server, bare_jid);
		for key, registration in pairs(record) do
			-- Seconds since 1970, and now; the clock may be set while the test runs.
			local off = math.abs(registration.timestamp - started);
			assert.is_true(off < 60, ("%s: %.6f, but it is %d"):format(key, registration.timestamp, started));
			registration.timestamp = nil;
		end
		local options = st.deserialize(record["push.localhost<n1"].options);
		assert.same({ "submit", "secret", "s<1>" }, { options.attr.type, options.tags[2].attr.var, options.tags[2]:get_child_text("value") });
		record["push.localhost<n1"].options = nil;
		assert.same({
			["push.localhost<n1"] = { jid = "push.localhost", node = "n1", include_payload = "true", arrival = 1 };
			["push.localhost<"] = { jid = "push.localhost", arrival = 2 };
		}, record);
		assert.is_nil(storage.read(server, bare_jid:match("^[^@]+")));
	end);

	it("reads what earlier modules have written, and keeps what it cannot read", function ()
		local user, room, bare_jid = muc:new_member();
		local xmlns = "jabber:x:data";
		local written = {
			["push.localhost<plain"] = { jid = "push.localhost", node = "plain", timestamp = 1500000003 };
			["push.localhost<form"] = {
				jid = "push.localhost", node = "form", include_payload = "true", timestamp = 1500000002;
				options = form({ xmlns = xmlns, type = "submit" }, { "FORM_TYPE", publish_options }, { "secret", "private-form" });
				encryption = { algorithm = "aes-128-gcm", key_base64 = "a2V5", max_size = 3000 };
			};
			["push.localhost<untyped"] = {
				jid = "push.localhost", node = "untyped", options = form({ xmlns = xmlns }, { "secret", "private-untyped" });
			};
			["push.localhost<"] = { jid = "push.localhost", timestamp = 1500000001 };
			["other key"] = { jid = "push.localhost", node = "other", timestamp = 1500000004 };
			["push.localhost<nowhere"] = { node = "nowhere", timestamp = 1500000000 };
			["__orderedIndex"] = { "push.localhost<plain", "push.localhost<form" };
			["text"] = "not a table";
		};
		muc:restart("stop", function ()
			storage.write(server, bare_jid, written);
			-- The earlier module's <disable/> made such records.
			storage.write(server, bare_jid:match("^[^@]+"), { ["push.localhost<junk"] = { jid = "push.localhost", node = "junk" } });
			storage.write(server, "nothing@users.localhost", { ["text"] = "nothing of ours" });
		end);
		assert.same(written, storage.read(server, bare_jid));
		local function check()
			local nodes, pushes = muc:pushed(room);
			assert.same({ "-", "form", "other", "plain", "untyped" }, nodes);
			assert.same({ "FORM_TYPE=" .. publish_options, "secret=private-form" }, muc_service.options(pushes.form));
			assert.same({ "secret=private-untyped" }, muc_service.options(pushes.untyped));
			assert.is_nil(pushes.untyped.options.tags[1].attr.type);
			assert.is_nil(pushes.plain.options);
		end
		check();

		user = server:user(user.jid);
		assert.equal("result", muc:disable(user, "unknown"));
		assert.same(written, storage.read(server, bare_jid));
		assert.equal("result", muc:disable(user, "other"));
		assert.equal("result", muc:enable(user, "other"));
		local rewritten = storage.read(server, bare_jid);
		assert.equal("other", rewritten["push.localhost<other"].node);
		rewritten["push.localhost<other"], written["other key"] = nil, nil;
		rewritten["push.localhost<untyped"].timestamp = nil;
		assert.same(written, rewritten);
		check();
		muc:restart("kill");
		check();
		assert.same({ ["push.localhost<junk"] = { jid = "push.localhost", node = "junk" } },
			storage.read(server, bare_jid:match("^[^@]+")));
	end);

	it("has logged nobody's node or secret above the level of debug", function ()
		assert.logs_no_secret(server, { "private%-", "<n%d", "untyped" });
	end);
end);
