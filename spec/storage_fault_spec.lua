-- A store that cannot be read or written: nothing changes, nothing is lost.

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local publish_options = "http://jabber.org/protocol/pubsub#publish-options";

versions.describe_storages("a store that fails", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_room_default_persistent = true, muc_push_default = "always", muc_push_interval = 0 };
		});
	end);

	local function assert_refused(result, error_type, condition, text)
		assert.same({ "error", "wait", "internal-server-error" }, { result, error_type, condition });
		assert.truthy(text and text ~= "");
	end

	-- Nodes of a user whose record could not be read hear of the one message that came in meanwhile.
	local function assert_told_of_missed(nodes)
		local told = {};
		for i = 1, #nodes do
			local push = muc.app:expect_push();
			assert.equal("1", push.count);
			told[i] = push.node;
		end
		table.sort(told);
		assert.same(nodes, told);
	end

	for _, fault in ipairs { "reads", "writes" } do
		it(string.format("changes nothing while %s fail", fault), function ()
			local user, room, bare_jid = muc:new_member();
			assert.equal("result", muc:enable(user, "n0"));
			assert.equal("result", muc:enable(user, "n1", "private-1"));
			local before = storage.read(server, bare_jid);
			local function check()
				local nodes, pushes = muc:pushed(room);
				assert.same({ "n0", "n1" }, nodes);
				assert.same({ "FORM_TYPE=" .. publish_options, "secret=private-1" }, muc_service.options(pushes.n1));
			end

			local mend = storage["break_" .. fault](server, bare_jid);
			assert_refused(muc:enable(user, "n1", "private-2"));
			assert_refused(muc:enable(user, "n2"));
			assert_refused(muc:disable(user, "n1"));
			check();
			mend();
			assert.same(before, storage.read(server, bare_jid));
			check();
			muc:restart("stop");
			check();

			user = server:user(user.jid);
			assert.equal("result", muc:enable(user, "n2"));
			assert.same({ "n0", "n1", "n2" }, muc:pushed(room));
			assert.equal("result", muc:disable(user, "n1"));
			muc:restart("kill");
			assert.same({ "n0", "n2" }, muc:pushed(room));
		end);

		it(string.format("has a first device only when %s do not fail", fault), function ()
			local user, room, bare_jid = muc:new_member();
			local mend = storage["break_" .. fault](server, bare_jid);
			assert_refused(muc:enable(user, "n1"));
			assert.same({}, muc:pushed(room));
			mend();
			storage.recover(function () muc:enable(user, "n1"); end);
			assert.equal("result", muc:enable(user, "n1"));
			assert.same({ "n1" }, muc:pushed(room));
		end);

		-- storage_internal removes a file that it could not empty, and still calls that a failure.
		it(string.format("lets go of the last device at the second try when %s fail at the first", fault), function ()
			local user, room, bare_jid = muc:new_member();
			assert.equal("result", muc:enable(user, "n1"));
			local mend = storage["break_" .. fault](server, bare_jid);
			assert_refused(muc:disable(user, "n1"));
			assert.same({ "n1" }, muc:pushed(room));
			mend();
			storage.recover(function () muc:disable(user, "n1"); end);
			assert.equal("result", muc:disable(user, "n1"));
			assert.same({}, muc:pushed(room));
			muc:restart("kill");
			assert.same({}, muc:pushed(room));
		end);
	end

	it("reads the registrations when they could not be listed at first", function ()
		local user, room, bare_jid = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
		local before, start = storage.read(server, bare_jid), #server:log();
		muc.app.answer = { type = "wait", condition = "resource-constraint" };
		assert.same({ "n1" }, muc:pushed(room));
		muc.app.answer = "result";
		muc:manage("unload");
		local mend = storage.break_lists(server);
		muc:manage("load");
		server:wait_for_log("The store cannot be ", nil, start); -- "listed", or "read" where it is looked at first who serves
		assert.same({}, muc:pushed(room));
		mend();
		-- Of the message that waited, and of the one that was held since.
		assert.equal("2", muc.app:expect_push().count);
		assert.same({ "n1" }, muc:pushed(room));
		assert.same(before, storage.read(server, bare_jid));
	end);

	it("does not take a record that cannot be read at the start for none", function ()
		local user, room, bare_jid = muc:new_member();
		local other_user, other_room = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
		assert.equal("result", muc:enable(other_user, "n2"));
		local mend;
		muc:restart("stop", function ()
			mend = storage.garble(server, bare_jid);
		end);
		assert.same({}, muc:pushed(room));
		assert.same({ "n2" }, muc:pushed(other_room));
		user = server:user(user.jid);
		assert_refused(muc:enable(user, "n3"));
		mend();
		muc.app:clear();
		assert.equal("result", muc:enable(user, "n3"));
		assert_told_of_missed { "n1", "n3" };
		assert.same({ "n1", "n3" }, muc:pushed(room));
	end);

	it("knows the other devices of a user that disables one, when the record can be read again", function ()
		local user, room, bare_jid = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
		assert.equal("result", muc:enable(user, "n2"));
		local mend;
		muc:restart("stop", function ()
			mend = storage.garble(server, bare_jid);
		end);
		assert.same({}, muc:pushed(room));
		mend();
		user = server:user(user.jid);
		muc.app:clear();
		assert.equal("result", muc:disable(user, "n1"));
		assert_told_of_missed { "n2" };
		assert.same({ "n2" }, muc:pushed(room));
	end);

	it("has logged nobody's node or secret above the level of debug", function ()
		assert.logs_no_secret(server, { "private%-", "<n%d" });
	end);
end);
