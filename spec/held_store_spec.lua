-- A server that is killed or stopped while a start loads: what was said meanwhile is told after the next start, to those who were absent.

local files = require "harness.files";
local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local store_faults = require "spec.support.store_faults";
local versions = require "spec.support.versions";

-- How many messages of those that are held are in the store, how many of them are noted there as told, and whether it has a text.
local look = [[
	local text = ...;
	local serialize = require "util.serialization".serialize;
	local store = module:open_store("muc_cloud_notify_held");
	local messages, has_text, upto, records = 0, false, 0, 0;
	for name in store:users() do
		local record = store:get(name);
		records = records + 1;
		upto = math.max(upto, record.upto or 0);
		for _, entry in ipairs(record.entries or {}) do
			messages = messages + #entry.messages;
		end
		has_text = has_text or text and serialize(record):find(text, 1, true) ~= nil;
	end
	return messages, has_text, upto, records;
]];

-- For how many messages that stands which is held of a room in the store, and whether it is known there that somebody has left.
local look_at_room = [[
	local room_jid, bare_jid = ...;
	local store, names = module:open_store("muc_cloud_notify_held"), {};
	for name in store:users() do table.insert(names, name); end
	table.sort(names);
	local times, has_left, count = {}, false, 0;
	for _, name in ipairs(names) do
		for _, entry in ipairs(store:get(name).entries or {}) do
			if entry.room == room_jid then
				for _, list in ipairs { entry.messages, entry.recounted } do
					for _, message in ipairs(list) do times[message.number] = message.times or 1; end
				end
				for _, left in ipairs(entry.left) do has_left = has_left or left[1] == bare_jid; end
			end
		end
	end
	for _, of_message in pairs(times) do count = count + of_message; end
	return count, has_left;
]];

local control = [[
	local name, value = ...;
	prosody.hosts[module.host].modules.storage_harness.control[name] = value;
]];

versions.describe_storages("what is said while a start loads", function (version, storage)
	local server, muc, room, ann, bea, cyd;

	lazy_setup(function ()
		local driver = storage.name == "internal" and "internal" or "sql";
		server, muc = muc_service.start(version, { global = storage.global, muc = muc_service.with_body {
			muc_push_default = "always", muc_push_interval = 0, muc_push_journal = true, muc_room_default_persistent = true;
			muc_push_retry_delay = 0.1, muc_push_max_retry_delay = 1; -- the app server is there a moment after the server
			muc_tombstones = false, default_storage = driver, harness_storage = driver;
			storage = { muc_cloud_notify = "harness", muc_cloud_notify_leases = "harness", muc_cloud_notify_held = "harness" };
			harness_storage_shows = "muc_cloud_notify_held";
		} });
	end);

	-- Ends the server in some way, and starts it again. is_held_up: whether it cannot read who is registered; options: of the MUC service;
	-- in_between: called while there is no server
	local function restart(finish, is_held_up, options, in_between)
		options = options or {};
		options.harness_storage_hides = is_held_up and "on purpose" or "";
		options.harness_storage_refuses = options.harness_storage_refuses or "";
		server[finish](server);
		server:reconfigure(options);
		if in_between then in_between(); end
		server:start_again();
		muc:connect();
		local function user(name) return name and server:user(name.jid); end
		ann, bea, cyd = user(ann), user(bea), user(cyd);
	end

	local function go_on()
		server:admin(control, "hides", nil);
	end

	local function wait_until_stored(messages)
		assert(loop.wait_until(function () return server:admin(look) >= messages; end, nil, 0.02), "it is not stored");
	end

	-- Until nothing is in the store any more of what was held.
	local function wait_until_over()
		assert(loop.wait_until(function () return select(4, server:admin(look)) == 0; end, nil, 0.02), "it is not removed");
		muc:wait_until_stored();
	end

	-- All that is pushed: "count text", by node; of what is pushed twice the last.
	local function pushes(number)
		local by_node, count = {}, 0;
		while count < number do
			local push = muc.app:expect_push();
			if not by_node[push.node] then count = count + 1; end
			by_node[push.node] = push.count .. " " .. (push.summary["last-message-body"] or "-");
		end
		muc.app:expect_no_push();
		return by_node;
	end

	before_each(function ()
		local ann_jid;
		ann, room, ann_jid = muc:new_member();
		bea, cyd = server:user("bea-" .. ann_jid .. "/phone"), server:user("cyd-" .. ann_jid .. "/phone");
		for node, user in pairs { bea = bea, cyd = cyd } do
			muc.bob:affiliate(room, user.jid:match("^[^/]+"), "member");
			assert.equal("result", muc:enable(user, node));
		end
		assert.equal("result", muc:enable(ann, "ann"));
	end);

	after_each(function ()
		go_on();
		if server:admin("return muc.get_room_from_jid(...) ~= nil", room) then muc.bob:destroy_room(room); end
		for _, user in ipairs { ann, bea, cyd } do user:disable { jid = muc.app.jid }; end
		ann, bea, cyd = nil, nil, nil;
	end);

	-- Two messages, in the store: Ann is told of both, Cyd of the second, and Bea of none.
	local function say_while_loading()
		restart("kill", true);
		bea:join(room, "Bea");
		cyd:join(room, "Cyd");
		muc:say(room, "one");
		cyd:leave(room);
		muc:say(room, "two");
		wait_until_stored(2);
	end

	it("is told once, with exact counts, where each kill comes before the store has taken note of what is told", function ()
		restart("kill", true);
		muc:say(room, "one");
		wait_until_stored(1);
		server:admin(control, "refuses", "on purpose");
		go_on();
		assert.same({ ann = "1 one", bea = "1 one", cyd = "1 one" }, pushes(3));
		muc:wait_until_stored();
		if storage.name == "internal" then
			restart("kill", false, { harness_storage_refuses = "on purpose" });
			muc.app:expect_no_push();
		end
		restart("kill", true);
		muc:say(room, "two");
		wait_until_stored(2);
		go_on();
		assert.same({ ann = "2 two", bea = "2 two", cyd = "2 two" }, pushes(3));
		wait_until_over();
	end);

	-- What has nothing to do with the storage.
	local function once(...)
		if storage.name == "internal" then it(...); end
	end

	it("is told after a kill to who was absent, and to nobody who was there, with exact counts", function ()
		say_while_loading();
		restart("kill", false);
		assert.same({ ann = "2 two", cyd = "1 two" }, pushes(2));
		wait_until_over();
		muc:say(room, "three");
		assert.same({ ann = "3 three", bea = "1 three", cyd = "2 three" }, pushes(3));
		muc:wait_until_stored();
		restart("kill", false);
		muc.app:expect_no_push();
		muc:say(room, "four");
		assert.same({ ann = "4 four", bea = "2 four", cyd = "3 four" }, pushes(3));
	end);

	once("is told as if nothing had happened where nothing has", function ()
		say_while_loading();
		go_on();
		assert.same({ ann = "2 two", cyd = "1 two" }, pushes(2));
		wait_until_over();
	end);

	once("is told once rooms can be read, where they cannot be just after a kill", function ()
		say_while_loading();
		local folder, length = storage.record_path(server, "config"):gsub("%.dat$", ""), #server:log();
		restart("kill", false, nil, function ()
			assert(os.rename(folder, folder .. ".elsewhere"));
			files.write(folder, "");
		end);
		server:wait_for_log("The store cannot be read", nil, length);
		muc.app:expect_no_push();
		assert(os.remove(folder));
		assert(os.rename(folder .. ".elsewhere", folder));
		assert.same({ ann = "2 two", cyd = "1 two" }, pushes(2));
		wait_until_over();
	end);

	once("is told after a second kill, and not to who was there in between", function ()
		restart("kill", true);
		muc:say(room, "one");
		wait_until_stored(1);
		restart("kill", true);
		bea:join(room, "Bea");
		bea:leave(room);
		cyd:join(room, "Cyd");
		muc:say(room, "two");
		wait_until_stored(2);
		restart("kill", true);
		restart("kill", false);
		assert.same({ ann = "2 two", bea = "1 two" }, pushes(2));
		wait_until_over();
		restart("kill", false);
		muc.app:expect_no_push();
		muc:say(room, "three");
		assert.same({ ann = "3 three", bea = "2 three", cyd = "1 three" }, pushes(3));
	end);

	once("is told after a clean stop, and a reload in between", function ()
		restart("kill", true);
		muc:say(room, "one");
		wait_until_stored(1);
		server:reload_module "muc_cloud_notify";
		local length = #server:log();
		muc:say(room, "two");
		restart("stop", false);
		assert.is_nil(server:log(length):find("are not told", 1, true));
		assert.same({ ann = "2 two", bea = "2 two", cyd = "2 two" }, pushes(3));
		wait_until_over();
	end);

	once("is not told where the room was destroyed, and another one has its name", function ()
		restart("kill", true);
		bea:join(room, "Bea");
		muc:say(room, "one");
		wait_until_stored(1);
		restart("kill", true);
		muc.bob:destroy_room(room);
		muc.bob:create_room(room, "bob");
		muc.bob:affiliate(room, bea.jid:match("^[^/]+"), "member");
		muc:say(room, "anew");
		wait_until_stored(2);
		restart("kill", false);
		assert.same({ bea = "1 anew" }, pushes(1));
		wait_until_over();
	end);

	once("is not told once it is taken back, and told as it was corrected", function ()
		restart("kill", true);
		muc.bob:join(room, "bob");
		for i, text in ipairs { "mistake", "typo" } do
			muc.bob.component:send(("<message type='groupchat' from='%s' to='%s' id='m%d'><body>%s</body></message>"):format(muc.bob.jid, room, i, text));
		end
		wait_until_stored(2);
		restart("kill", true);
		muc.bob:join(room, "bob");
		for _, xml in ipairs {
			"<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>", "<replace xmlns='urn:xmpp:message-correct:0' id='m2'/><body>right</body>";
		} do
			muc.bob.component:send(("<message type='groupchat' from='%s' to='%s' id='r%d'>%s</message>"):format(muc.bob.jid, room, #xml, xml));
		end
		wait_until_stored(4);
		restart("kill", false);
		assert.same({ ann = "1 right", bea = "1 right", cyd = "1 right" }, pushes(3));
		wait_until_over();
	end);

	once("is in the store without its text where app servers may not know that, and counts", function ()
		restart("kill", true);
		muc:say(room, "a secret");
		wait_until_stored(1);
		assert.is_true(select(2, server:admin(look, "a secret")), "this would find it");
		restart("kill", true, { push_notification_with_body = false, muc_push_default = "on-mention" });
		go_on();
		muc.app:expect_no_push();
		wait_until_over();
		restart("kill", true);
		muc:say(room, "another secret");
		muc.bob:join(room, "bob");
		muc.bob.component:send(([[<message type='groupchat' from='%s' to='%s'><body>Ann: a secret</body>
			<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:%s'/></message>]]):format(muc.bob.jid, room, ann.jid:match("^[^/]+")));
		muc.bob.component:send(("<message type='groupchat' from='%s' to='%s'><body>nothing to keep</body><no-store xmlns='urn:xmpp:hints'/></message>")
			:format(muc.bob.jid, room));
		wait_until_stored(2);
		assert.is_false(select(2, server:admin(look, "secret")));
		restart("kill", false);
		assert.equal("1", pushes(1).ann:match("^%d+"));
		wait_until_over();
		restart("stop", false, { push_notification_with_body = true, muc_push_default = "always" });
	end);

	once("counts where there is too much of it", function ()
		restart("kill", true);
		cyd:join(room, "Cyd");
		server:admin([[
			local room_jid, number = ...;
			local room = room(room_jid);
			room.broadcast = function () end;
			for i = 1, number do
				local message = st.message({ type = "groupchat", from = room_jid.."/bob", to = room_jid, id = "m"..i });
				message:body("text");
				for _ = 1, 450 do message:tag("x"):up(); end -- which makes it weigh much
				room:broadcast_message(message);
			end
			room.broadcast = nil;
		]], room, 200);
		muc:say(room, "the last one");
		cyd:leave(room);
		muc:say(room, "without one who left");
		-- Those with their words, the counts of others, and who was there.
		assert(loop.wait_until(function ()
			local count, has_left = server:admin(look_at_room, room, cyd.jid:match("^[^/]+"));
			return count == 202 and has_left;
		end), "not all of it is stored");
		restart("kill", false);
		assert.same({ "202", "202", "1" }, (function ()
			local told = pushes(3);
			return { told.ann:match("^%d+"), told.bea:match("^%d+"), told.cyd:match("^%d+") };
		end)());
		wait_until_over();
	end);

	it("has logged nobody's words", function ()
		assert.logs_no_secret(server, { "a secret" });
	end);
end);

versions.describe("what is said while a start loads", function (version)
	it("is broadcast and told where it cannot be stored, which is said once", function ()
		local server, muc = muc_service.start(version, { muc = muc_service.with_body {
			muc_push_default = "always", muc_push_interval = 0, muc_push_journal = true, muc_room_default_persistent = true;
			storage = { muc_cloud_notify_held = "harness" };
		} });
		store_faults.install(server);
		local _, room = muc:new_device("ann");
		local eve = server:user("eve@users.localhost/phone");
		eve:join(room, "Eve");
		muc:wait_until_stored();
		muc:manage "unload";
		store_faults.set(server, { list_fails = "at once" });
		server:admin(control, "refuses", "the disk is full");
		local length = #server:log();
		muc:manage "load";
		muc:say(room, "one");
		muc:say(room, "two");
		for _ = 1, 2 do assert.truthy(eve:expect({ name = "message" })); end
		server:wait_for_log("error\tWhat is said before it is known whom it concerns cannot be stored", nil, length);
		loop.pause(0.6); -- in which it is tried again
		store_faults.set(server, {});
		assert.equal("2", muc.app:expect_push().count);
		assert.equal(1, select(2, server:log(length):gsub("error\tWhat is said before it is known", "")));
	end);
end);
