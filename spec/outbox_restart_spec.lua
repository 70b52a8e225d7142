-- The outbox over a clean stop: pushes that could not be sent before are sent after the next start.

local files = require "harness.files";
local loop = require "harness.loop";
local prosody = require "harness.prosody";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local transient = { type = "wait", condition = "resource-constraint" };
local persistent = { type = "cancel", condition = "item-not-found" };

versions.describe_storages("outbox over a restart", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = {
				modules_enabled = { "muc_cloud_notify" };
				muc_push_default = "always";
				muc_push_retry_delay = 0.1;
				muc_push_max_retry_delay = 1;
				muc_room_default_persistent = true;
				push_max_errors = 3;
			};
		});
	end);

	after_each(function ()
		muc.app:start_anew();
	end);

	local function enable(user, node)
		assert.equal("result", user:enable({ jid = "push.localhost", node = node }).attr.type);
	end

	local function nodes_pushed()
		muc.app.component:sync();
		local nodes = {};
		for _, push in ipairs(muc.app.pushes) do
			table.insert(nodes, push.node);
		end
		table.sort(nodes);
		return nodes;
	end

	-- Without a journal: waits until nothing is in the store any more of what the last run has left, as all of it is told.
	local function wait_until_cleared()
		if prosody.has_journal then return; end
		assert(loop.wait_until(function ()
			return server:admin [[
				local store = module:open_store("muc_cloud_notify_outbox");
				for _ in store:users() do return false; end
				return store:get(nil) == nil;
			]];
		end), "it is not removed");
	end

	it("sends one push, which counts all that is unread", function ()
		local user, room = muc:new_member();
		local other = server:user("other-" .. user.jid);
		muc.bob:affiliate(room, other.jid:match("^[^/]+"), "member");
		enable(user, "late");
		enable(other, "back");
		muc.app.answer = transient;
		muc:say(room);
		muc:say(room);
		muc.app:expect_push_for("late");
		muc.app:expect_push_for("back");
		other:join(room, "other");
		muc:restart("stop");
		assert.equal("2", muc.app:expect_push_for("late").count);
		assert.same({}, nodes_pushed());
		muc:say(room);
		assert.equal("3", muc.app:expect_push_for("late").count);
		muc.app:clear();
		muc:wait_until_stored();
		wait_until_cleared();
		muc:restart("kill"); -- what was pushed is not in the store any more
		assert.same({}, nodes_pushed());
	end);

	it("sends a push again when its answer was not there yet", function ()
		local user, room = muc:new_member();
		enable(user, "in flight");
		muc.app.answer = "silence";
		muc:say(room);
		local before = muc.app:expect_push_for("in flight");
		muc:say(room);
		muc:restart("stop");
		local after = muc.app:expect_push_for("in flight");
		assert.equal("2", after.count);
		assert.is_not.equal(before.id, after.id);
		assert.same({}, nodes_pushed());
		muc.app:reply(before, "result"); -- an answer to the server before this one
		assert.same({}, nodes_pushed());
	end);

	it("remembers the count of a device that has nothing due", function ()
		local user, room = muc:new_member();
		enable(user, "counted");
		muc:say(room);
		assert.equal("1", muc.app:expect_push_for("counted").count);
		muc:restart("stop");
		assert.same({}, nodes_pushed());
		muc:say(room);
		assert.equal("2", muc.app:expect_push_for("counted").count);
	end);

	it("remembers errors", function ()
		local user, room, bare_jid = muc:new_member();
		enable(user, "refused");
		muc.app.answer = persistent;
		muc:say(room);
		muc:say(room);
		muc:restart("stop");
		assert.truthy(storage.read(server, bare_jid));
		muc.app.answer = persistent;
		muc:say(room);
		assert.truthy(loop.wait_until(function () return not storage.read(server, bare_jid); end), "it is still registered");
	end);

	it("sends no push to members that have returned, to former members, nor to devices that are gone", function ()
		local users, nodes = {}, { "affected", "back", "device gone", "no member", "room gone" };
		local absent, room = muc:new_member();
		for i, node in ipairs(nodes) do
			users[node] = i == 1 and absent or server:user(node:gsub(" ", "-") .. "@users.localhost/phone");
			enable(users[node], node);
		end
		for i = 2, #nodes - 1 do
			muc.bob:affiliate(room, users[nodes[i]].jid:match("^[^/]+"), "member");
		end
		local other_room = muc:new_room { "room-gone@users.localhost" };
		muc.app.answer = transient;
		muc:say(room);
		muc:say(other_room);
		for _, node in ipairs(nodes) do
			muc.app:expect_push_for(node);
		end
		muc.app.answer = "silence";
		muc:manage("unload");
		users.back:join(room, "back");
		muc.bob:affiliate(room, "no-member@users.localhost", "none");
		muc.bob:destroy_room(other_room);
		server:admin("assert(module:open_store('muc_cloud_notify'):set('device-gone@users.localhost', nil))");
		muc:say(room); -- nobody sees this one
		muc.app.component:sync();
		muc.app:clear();
		muc:manage("load");
		assert.equal("1", muc.app:expect_push_for("affected").count);
		assert.same({}, nodes_pushed());
		users.back:leave(room);
		muc.bob:affiliate(room, "no-member@users.localhost", "member");
		muc:say(room);
		assert.same({ "back", "no member" }, nodes_pushed());
		for _, push in ipairs(muc.app.pushes) do
			assert.equal("1", push.count);
		end
	end);

	if storage.name == "internal" then
		-- What waits is of a room for each of these nodes, which cannot be told as the app server refuses it for now. Returns the rooms.
		local function leave_waiting(nodes)
			local rooms = {};
			muc.app.answer = transient;
			for place, node in ipairs(nodes) do
				local user;
				user, rooms[place] = muc:new_member();
				enable(user, node);
				muc:say(rooms[place]);
				muc.app:expect_push_for(node);
			end
			return rooms;
		end

		it("waits for rooms until they can be read", function ()
			leave_waiting { "n1", "n2" };
			local folder, length = storage.record_path(server, "config"):gsub("%.dat$", ""), #server:log();
			muc:restart("stop", function ()
				assert(os.rename(folder, folder .. ".elsewhere"));
				files.write(folder, "");
			end);
			server:wait_for_log("Rooms cannot be read in which something waits", nil, length);
			muc.app:expect_no_push();
			assert(os.remove(folder));
			assert(os.rename(folder .. ".elsewhere", folder));
			for _, node in ipairs { "n1", "n2" } do assert.equal("1", muc.app:expect_push_for(node).count); end
		end);

		it("does not wait for a room that cannot be read though others can", function ()
			local rooms = leave_waiting { "n1", "n2" };
			local path = storage.record_path(server, "config", (rooms[1]:match("^[^@]+")));
			muc:restart("stop", function () files.write(path, "return nothing {"); end);
			assert.equal("1", muc.app:expect_push_for("n2").count);
			muc.app:expect_no_push();
		end);
	end

	it("does no harm when it cannot be read", function ()
		local user, room = muc:new_member();
		enable(user, "n1");
		muc:manage("unload");
		server:admin([[
			local store, names = module:open_store("muc_cloud_notify_outbox"), {};
			for name in store:users() do table.insert(names, name); end
			for _, name in ipairs(names) do assert(store:set(name, nil)); end
			assert(store:set(nil, { devices = 7 }));
		]]);
		local length = #server:log();
		muc:manage("load");
		server:wait_for_log("The record without a name of the outbox makes no sense: it is kept aside", nil, length);
		assert.same({ "n1" }, (muc:pushed(room)));
	end);
end);
