-- Accounts that are gone, or disabled: nothing is pushed to what was registered for them.

local st = require "util.stanza";

local support = require "spec.support.accounts";

support.describe_local("an account", function (accounts, version)
	local is_old = version == "0.12"; -- which does not disable accounts

	it("that is there gets its pushes", function ()
		local bare_jid, room = accounts:new_device();
		assert.same({ "old" }, accounts:pushed(room));
		accounts:let_time_pass();
		assert.same({ "old" }, accounts:pushed(room));
		assert.same({ "old" }, accounts:stored(bare_jid));
	end);

	it("that is deleted gets no push, nor does somebody else of that name", function ()
		local bare_jid, room = accounts:new_device();
		assert.same({ "old" }, accounts:pushed(room));
		accounts:manage("delete_user", bare_jid);
		assert.same({}, accounts:stored(bare_jid));
		assert.same({}, accounts:pushed(room));
		accounts:manage("create_user", bare_jid, "harness");
		assert.same({}, accounts:pushed(room));
		accounts:new_device(bare_jid, "new");
		assert.same({ "new" }, accounts:stored(bare_jid));
		assert.same({ "new" }, accounts:pushed(room));
	end);

	it("that is deleted takes with it what waits for a retry", function ()
		local bare_jid, room = accounts:new_device();
		accounts.muc.app.answer = { type = "wait", condition = "resource-constraint" };
		accounts.muc:say(room, "hello");
		accounts.muc.app:expect_push();
		accounts:manage("delete_user", bare_jid);
		accounts:manage("create_user", bare_jid, "harness");
		accounts.muc.app:start_anew();
		assert.same({}, accounts:pushed(room));
	end);

	it("that is deleted while its push is in flight is left alone by the answer", function ()
		local bare_jid, room = accounts:new_device();
		accounts.muc.app.answer = "silence";
		accounts.muc:say(room, "hello");
		local push = accounts.muc.app:expect_push();
		accounts.muc:say(room, "hello again");
		accounts:manage("delete_user", bare_jid);
		accounts.muc.app:reply(push, "result");
		accounts.muc.app:expect_no_push();
	end);

	it("that prosodyctl deletes gets no push", function ()
		local bare_jid, room = accounts:new_device();
		accounts.server:prosodyctl("deluser", bare_jid);
		assert.same({}, accounts:pushed(room));
		assert.same({}, accounts:stored(bare_jid));
		assert.equal("result", (accounts.muc:enable(accounts.server:user("other@users.localhost/phone"), "other")));
	end);

	if not is_old then
		it("that is disabled gets its pushes once it is enabled", function ()
			local bare_jid, room = accounts:new_device();
			assert.same({ "old" }, accounts:pushed(room));
			accounts:manage("disable_user", bare_jid);
			assert.same({}, accounts:pushed(room));
			assert.same({ "old" }, accounts:stored(bare_jid));
			accounts:manage("enable_user", bare_jid);
			assert.same({ "old 2 hello" }, accounts.muc:take_pushes());
			assert.same({ "old" }, accounts:pushed(room));
		end);

		it("that is disabled is so after a restart and a reload", function ()
			local bare_jid, room = accounts:new_device();
			local _, other_room = accounts:new_device((bare_jid:gsub("ann", "eve")), "other");
			accounts:manage("disable_user", bare_jid);
			accounts:let_time_pass();
			assert.same({}, accounts:pushed(room));
			accounts:restart "stop";
			assert.same({}, accounts:pushed(room));
			assert.same({ "other" }, accounts:pushed(other_room));
			accounts:manage("enable_user", bare_jid);
			assert.same({ "old 2 hello" }, accounts.muc:take_pushes());
		end);

		it("that is disabled and then deleted does not keep somebody else of that name from getting pushes", function ()
			local bare_jid, room = accounts:new_device();
			accounts:manage("disable_user", bare_jid);
			accounts:manage("delete_user", bare_jid);
			accounts:new_device(bare_jid, "new");
			assert.same({ "new" }, accounts:pushed(room));
		end);
	end

	it("that nobody needs, as any login is let in, gets its pushes", function ()
		local bare_jid, room = accounts:new_device(("ann-%d@open.localhost"):format(accounts.count));
		assert.same({ "old" }, accounts:pushed(room));
		accounts:restart "stop";
		assert.same({ "old" }, accounts:pushed(room));
		assert.same({ "old" }, accounts:stored(bare_jid));
	end);

	it("of another server is none of ours", function ()
		local user, room, bare_jid = accounts.muc:new_device "n1";
		assert.same({ "n1" }, accounts:pushed(room));
		assert.same({ "n1" }, accounts:stored(bare_jid));
		user:send(st.presence { to = room .. "/x", type = "unavailable" });
	end);
end);
