-- The store fails while registrations are loaded: it is tried again, and whoever was missed meanwhile is told.

local st = require "util.stanza";

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local store_faults = require "spec.support.store_faults";
local versions = require "spec.support.versions";

versions.describe_storages("the registrations", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = muc_service.with_body {
				muc_room_default_persistent = true, muc_push_default = "always", muc_push_interval = 0, push_max_errors = 1;
			};
		});
		store_faults.install(server);
	end);

	after_each(function ()
		store_faults.set(server, {});
		muc.app:start_anew();
	end);

	-- What module:info() shows: the type of the status, and its text.
	local function status()
		return server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.module:get_status()");
	end

	local function wait_for_status(kind)
		loop.wait_until(function () return status() == kind; end);
	end

	-- Loads the module anew, with an engine that knows nobody, from a store that behaves in that way.
	local function load_anew(faults)
		muc:manage "unload";
		store_faults.set(server, faults);
		muc:manage "load";
	end

	-- A new room with so many members who have a device each: a node that is named like them. Returns the room.
	local function room_of(number)
		local members = {};
		for i = 1, number do members[i] = ("m%d-%d@users.localhost"):format(muc.member_count, i); end
		local room = muc:new_room(members);
		for _, member in ipairs(members) do
			assert.equal("result", muc:enable(server:user(member.."/phone"), member));
		end
		return room, members;
	end

	-- All pushes for what was sent so far: "count text", by node. seconds: until the next one at most, where it is not to be what is tried
	-- again by itself, after five seconds
	local function pushes(number, seconds)
		local by_node = {};
		for _ = 1, number do
			local push = muc.app:expect_push(seconds);
			assert.is_nil(by_node[push.node], push.node);
			by_node[push.node] = push.count.." "..push.summary["last-message-body"];
		end
		muc.app:expect_no_push();
		return by_node;
	end

	local function all(members, text)
		local by_node = {};
		for _, member in ipairs(members) do by_node[member] = text; end
		return by_node;
	end

	it("of a user that cannot be read are there once they can, and what was said meanwhile is told", function ()
		local room, members = room_of(3);
		local broken = members[2];
		local mend;
		muc:say(room, "before");
		assert.same(all(members, "1 before"), pushes(3));
		muc:restart("stop", function () mend = storage.garble(server, broken); end);
		store_faults.install(server);
		muc:say(room, "meanwhile");
		assert.same({ [members[1]] = "2 meanwhile", [members[3]] = "2 meanwhile" }, pushes(2));
		local kind, text = status();
		assert.equal("error", kind);
		assert.truthy(text:find("the records of 1 user(s) cannot be read", 1, true), text);
		local user = server:user(broken.."/phone");
		assert.same({ "error", "wait", "internal-server-error" }, { table.unpack({ muc:enable(user, "other") }, 1, 3) });
		server:reload_module "muc_cloud_notify";
		muc:say(room, "once more");
		assert.same({ [members[1]] = "3 once more", [members[3]] = "3 once more" }, pushes(2));
		mend();
		server:admin "prosody.hosts[module.host].modules.muc_cloud_notify.read_records()";
		assert.same({ [broken] = "3 once more" }, pushes(1, 4));
		assert.equal("info", (status()));
	end);

	-- Where the store fails above of what Prosody stores in, that makes no difference.
	if storage.name == "internal" then
		it("are all there after a while in which the store could not be read", function ()
			local room, members = room_of(30);
			load_anew { fail_after = 10, seconds = 3600 };
			muc:say(room, "early");
			muc.app:expect_no_push();
			assert.equal("error", (status()));
			store_faults.set(server, {});
			assert.same(all(members, "1 early"), pushes(30));
			assert.equal("info", (status()));
			muc:say(room, "late");
			assert.same(all(members, "2 late"), pushes(30));
		end);

		it("that could not be read are read once more where that is asked for while they are", function ()
			local room, members = room_of(2);
			local mend = storage.garble(server, members[1]);
			load_anew {};
			muc:say(room, "early");
			assert.same({ [members[2]] = "1 early" }, pushes(1));
			mend();
			store_faults.set(server, { is_down = true, delay = 0.02 });
			server:admin [[
				local faults, read_records = prosody.store_faults, prosody.hosts[module.host].modules.muc_cloud_notify.read_records;
				read_records();
				while faults.reads == 0 do
					local wait, done = async.waiter();
					timer.add_task(0, done);
					wait();
				end
				faults.is_down = false;
				read_records();
			]];
			assert.same({ [members[1]] = "1 early" }, pushes(1, 4));
		end);

		for _, when in ipairs { "at once", "in the middle" } do
			it("are all there after the store could not be listed, which failed "..when, function ()
				local room, members = room_of(3);
				load_anew { list_fails = when };
				muc:say(room, "early");
				local user, new_room, bare_jid = muc:new_member();
				assert.equal("result", muc:enable(user, bare_jid));
				muc:say(new_room, "new");
				muc.app:expect_no_push();
				local kind, text = status();
				assert.equal("error", kind);
				assert.truthy(text:find("cannot be listed", 1, true), text);
				store_faults.set(server, {});
				local expected = all(members, "1 early");
				expected[bare_jid] = "1 new";
				assert.same(expected, pushes(4));
				assert.equal("info", (status()));
			end);
		end

		it("are read once for several requests in a row, and written for each", function ()
			local function enable(user, node)
				return tostring(st.stanza("iq", { type = "set", from = user.jid, to = server.muc_host, id = node })
					:tag("enable", { xmlns = "urn:xmpp:push:0", jid = muc.app.jid, node = node }));
			end
			-- A user who sends so many in a row. Returns how often is read.
			local function count_reads(number)
				local user, room = muc:new_member();
				store_faults.set(server, { delay = 0.02 });
				local xml, nodes = {}, {};
				for i = 1, number do
					nodes[i] = "n"..i;
					xml[i] = enable(user, nodes[i]);
				end
				user.component:send(table.concat(xml));
				for _, node in ipairs(nodes) do assert.equal("result", user:expect({ name = "iq", id = node }).attr.type); end
				local reads, writes = store_faults.counts(server);
				assert.equal(number, writes);
				muc:say(room, "hello");
				assert.same(all(nodes, "1 hello"), pushes(number));
				store_faults.set(server, {});
				loop.pause(0.02); -- what was read just now is not read again
				assert.equal("result", muc:disable(user, "n1"));
				assert.same({ 1, 1 }, { table.unpack({ store_faults.counts(server) }, 1, 2) });
				return reads;
			end
			assert.equal(1, count_reads(1));
			-- On a machine that is busy with something else, what was read may not be from just now any more.
			local fewest = math.huge;
			for _ = 1, 10 do
				if fewest > 1 then fewest = math.min(fewest, count_reads(4)); end
			end
			assert.equal(1, fewest);
		end);

		it("leave the store one after the other when many devices are given up at once", function ()
			local room, members = room_of(20);
			local user = server:user(members[1].."/phone");
			for count = 1, 2 do -- until as many may be on their way
				muc:say(room, "hello");
				assert.same(all(members, count.." hello"), pushes(20));
			end
			store_faults.set(server, { delay = 0.01 });
			muc.app.answer = { type = "cancel", condition = "item-not-found" };
			muc:say(room);
			for _ = 1, 20 do muc.app:expect_push(); end
			-- One of them is registered again, maybe while it is still to be removed.
			assert.equal("result", muc:enable(user, members[1]));
			muc.app.answer = "result";
			local function are_gone()
				for i = 2, #members do
					if storage.read(server, members[i]) then return false; end
				end
				return true;
			end
			assert.truthy(loop.wait_until(are_gone, nil, 0.05));
			local _, writes, most_writes = store_faults.counts(server);
			assert.truthy(writes == 20 or writes == 21, writes);
			assert.truthy(most_writes < 6, most_writes); -- by the devices of two or three users, and the request
			muc:say(room, "late");
			assert.truthy(pushes(1)[members[1]]);
			load_anew {};
			wait_for_status "info";
			muc:say(room, "later");
			assert.truthy(pushes(1)[members[1]]);
		end);

		it("are waited for with more messages than can be held, which count", function ()
			local room, members = room_of(2);
			local present = server:user(members[1].."/phone");
			present:join(room, "present");
			load_anew { list_fails = "at once" };
			-- Each with something that is no message to be told, and neither is sent to anybody.
			server:admin([[
				local room_jid, number = ...;
				local room, text = room(room_jid), ("words "):rep(10000);
				room.broadcast = function () end;
				local function new(id)
					return st.message({ type = "groupchat", from = room_jid.."/bob", to = room_jid, id = id });
				end
				for i = 1, number do
					room:broadcast_message(new("m"..i):body(text));
					room:broadcast_message(new("s"..i):tag("active", { xmlns = "http://jabber.org/protocol/chatstates" }):up():tag("x"):text(text));
				end
				room.broadcast = nil;
			]], room, 200);
			muc:say(room, "the last one");
			present:leave(room);
			muc:say(room, "without one who left");
			store_faults.set(server, {});
			local last = {};
			repeat -- it may take several
				local push = muc.app:expect_push();
				last[push.node] = push.count.." "..push.summary["last-message-body"];
			until last[members[1]] and (last[members[2]] or ""):find("^202 ");
			muc.app:expect_no_push();
			assert.same({ [members[1]] = "1 New Message!", [members[2]] = "202 New Message!" }, last);
		end);
	end

	if storage.write_raw then
		for title, text in pairs { ["is empty"] = "", ["is cut off"] = "return { [", ["is no table"] = "return 5;\n" } do
			it("are not replaced where the record "..title.." after a crash", function ()
				local room, members = room_of(1);
				local user = server:user(members[1].."/phone");
				local before = storage.read_raw(server, members[1]);
				muc:restart("stop", function () storage.write_raw(server, members[1], text); end);
				store_faults.install(server);
				wait_for_status "error";
				server:wait_for_log("The registrations of "..members[1].." cannot be read", nil, 1);
				muc:say(room, "meanwhile");
				user = server:user(user.jid);
				for _, request in ipairs { "enable", "disable" } do
					assert.same({ "error", "wait", "internal-server-error" }, { table.unpack({ muc[request](muc, user, "other") }, 1, 3) });
				end
				muc.app:expect_no_push();
				assert.equal(text, storage.read_raw(server, members[1]));
				-- What an operator may do: restore it, or remove it.
				if title == "is empty" then
					storage.remove(server, members[1]);
					server:admin "prosody.hosts[module.host].modules.muc_cloud_notify.read_records()";
					wait_for_status "info";
					assert.equal("result", muc:enable(user, "other"));
					muc:say(room, "after");
					assert.same({ other = "1 after" }, pushes(1));
				else
					storage.write_raw(server, members[1], before);
					assert.equal("result", muc:enable(user, "other"));
					assert.same({ [members[1]] = "1 meanwhile", other = "1 meanwhile" }, pushes(2));
				end
			end);
		end
	end

	it("have logged nobody's node above the level of debug", function ()
		assert.logs_no_secret(server, { "<m%d", "<other" });
	end);
end);
