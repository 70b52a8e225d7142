-- Users of this server who have blocked a room, its service or an occupant of it (XEP-0191) get no push about that.

local st = require "util.stanza";

local files = require "harness.files";
local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local xmlns_blocking = "urn:xmpp:blocking";

versions.describe("blocking", function (version)
	local server, muc, count;

	lazy_setup(function ()
		count = 0;
		server, muc = muc_service.start(version, {
			c2s = true;
			hosts = { localhost = { modules_enabled = { "blocklist" } }, ["plain.localhost"] = {} };
			muc = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true, muc_push_retry_delay = 0.1 };
		});
	end);

	before_each(function ()
		count = count + 1;
		muc.app:start_anew();
	end);

	-- A client of a new account, which has a device.
	local function new_client(host)
		local client = server:client(("ann-%d@%s/phone"):format(count, host or "localhost"), { stream_management = false });
		assert.equal("result", (muc:enable(client, "ann")));
		return client;
	end

	-- The same, and a new room that it is a member of.
	local function new_device(host)
		local client = new_client(host);
		return client, muc:new_room { client.bare_jid };
	end

	-- Asks for something to be blocked, or not to be any more. Returns the type of the answer.
	local function request(client, action, ...)
		local iq = st.stanza("iq", { type = "set" }):tag(action, { xmlns = xmlns_blocking });
		for _, jid in ipairs { ... } do iq:tag("item", { jid = jid }):up(); end
		return client:iq(iq:reset()).attr.type;
	end

	local function block(client, ...)
		assert.equal("result", request(client, "block", ...));
	end

	local function unblock(client, ...)
		assert.equal("result", request(client, "unblock", ...));
	end

	local function told(room, body)
		muc:say(room, body);
		return muc:take_pushes();
	end

	-- What is due in turns of the event loop has been done.
	local function wait_for_tasks()
		server:settle(5);
	end

	it("is nothing to a user who has blocked something else", function ()
		local ann, room = new_device();
		block(ann, "room@elsewhere.example", "conference.localhost.example", room .. "/somebody", server.muc_host .. "/resource");
		assert.same({ "ann 1 hello" }, told(room));
	end);

	it("holds for a room, and no longer than that is blocked", function ()
		local ann, room = new_device();
		local other_room = muc:new_room { ann.bare_jid };
		local twin = server:user("twin@users.localhost/phone");
		muc.bob:affiliate(room, twin.bare_jid, "member");
		assert.equal("result", (muc:enable(twin, "twin")));
		block(ann, room);
		assert.same({ "twin 1 one" }, told(room, "one"));
		assert.same({ "ann 1 two" }, told(other_room, "two"));
		unblock(ann, room);
		muc.app:expect_no_push();
		muc.bob:affiliate(room, twin.bare_jid, "none");
		assert.same({ "ann 2 three" }, told(room, "three"));
	end);

	it("holds for the service, until all is unblocked", function ()
		local ann, room = new_device();
		block(ann, server.muc_host);
		assert.same({}, told(room));
		unblock(ann);
		assert.same({ "ann 1 again" }, told(room, "again"));
	end);

	it("holds for what an occupant says", function ()
		local ann, room = new_device();
		block(ann, room .. "/bob");
		assert.same({}, told(room, "one"));
		muc.bob:leave(room, "bob");
		muc.bob:join(room, "Robert");
		assert.same({ "ann 1 two" }, told(room, "two"));
	end);

	it("holds for rooms, however many occupants are blocked", function ()
		local ann, room = new_device();
		local occupants = {};
		for number = 1, 300 do occupants[number] = ("%s/guest-%d"):format(room, number); end
		block(ann, table.unpack(occupants));
		assert.same({ "ann 1 one" }, told(room, "one"));
		block(ann, room);
		assert.same({}, told(room, "two"));
		unblock(ann);
		for number = 1, 20 do occupants[number] = ("%s/%s-%d"):format(room, ("x"):rep(1000), number); end
		block(ann, room, table.unpack(occupants, 1, 20));
		assert.same({}, told(room, "three"));
		unblock(ann, room);
		assert.same({ "ann 1 four" }, told(room, "four"));
	end);

	it("holds for what was blocked before there was a device", function ()
		local ann = server:client(("ann-%d@localhost/phone"):format(count), { stream_management = false });
		local room = muc:new_room { ann.bare_jid };
		block(ann, room);
		assert.equal("result", (muc:enable(ann, "ann")));
		assert.same({}, told(room));
	end);

	for _, is_blocked in ipairs { true, false } do
		it((is_blocked and "drops" or "is why nothing else drops") .. " what waits, of all that is told of other rooms", function ()
			local ann, room = new_device();
			local other_room = muc:new_room { ann.bare_jid };
			muc.app.answer = { type = "wait", condition = "resource-constraint" };
			muc:say(room, "one");
			muc.app:expect_push();
			muc:say(other_room, "two");
			muc:wait_until_stored(); -- with a journal, what comes after it is told in a push of its own otherwise
			if is_blocked then block(ann, room); end
			muc.app.component:sync();
			muc.app:clear();
			muc.app.answer = "result";
			local push = muc.app:expect_push();
			assert.same({ is_blocked and "1" or "2", "two" }, { push.count, push.summary["last-message-body"] });
			assert.is_true(loop.wait_until(function ()
				return server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats().in_flight") == 0;
			end));
		end);
	end

	it("is not so where blocking was refused", function ()
		local ann, room = new_device();
		assert.equal("error", request(ann, "block", room, "@"));
		assert.same({ "ann 1 hello" }, told(room));
	end);

	for _, how in ipairs { "stop", "kill", "reload" } do
		it("is known after a " .. how, function ()
			local ann, room = new_device();
			local free_room = muc:new_room { ann.bare_jid };
			block(ann, room);
			if how == "reload" then
				muc:manage "reload";
			else
				ann:close();
				muc:wait_until_stored(); -- with a journal, others may be told again after a kill otherwise
				muc:restart(how);
			end
			assert.same({}, told(room));
			assert.same({ "ann 1 hello" }, told(free_room));
		end);
	end

	it("is unblocked after a reload as before", function ()
		local ann, room = new_device();
		block(ann, room);
		muc:manage "reload";
		unblock(ann, room);
		assert.same({ "ann 1 hello" }, told(room));
	end);

	it("leaves nothing behind in the account's host when the module is unloaded, and is found when it is loaded again", function ()
		local function traces()
			return server:admin [[
				local events = prosody.hosts.localhost.events;
				local place, name, wrappers = 0, nil, nil;
				repeat
					place = place + 1;
					name, wrappers = debug.getupvalue(events.add_wrapper, place);
				until name == "wrappers";
				local count = 0;
				for _, action in ipairs { "block", "unblock" } do
					count = count + #(wrappers["iq-set/self/urn:xmpp:blocking:" .. action] or {});
				end
				for _, event in ipairs { "module-loaded", "module-reloaded", "module-unloaded" } do
					for _ in pairs(events._event_map[event] or {}) do count = count + 1; end
				end
				return count;
			]];
		end
		local ann, room = new_device();
		local before = traces();
		muc:manage "unload";
		assert.is_true(traces() <= before - 5);
		block(ann, room);
		muc:manage "load";
		assert.equal(before, traces());
		wait_for_tasks();
		assert.same({}, told(room));
	end);

	it("costs no look into a store for a message or a push", function ()
		local ann, room = new_device();
		local other_room = muc:new_room { ann.bare_jid };
		block(ann, other_room);
		server:admin [[
			local datamanager = require "core.storagemanager".olddm;
			module.load, module.looks = module.load or datamanager.load, 0;
			local load = module.load;
			function datamanager.load(username, host, store) -- luacheck: ignore 122
				if store == "blocklist" then module.looks = module.looks + 1; end
				return load(username, host, store);
			end
		]];
		for _ = 1, 3 do
			assert.equal(1, #told(room));
			assert.same({}, told(other_room));
		end
		assert.equal(0, server:admin "return module.looks");
		block(ann, room);
		assert.is_true(server:admin "return module.looks" > 0);
		server:admin [[require "core.storagemanager".olddm.load = module.load; -- luacheck: ignore 122]];
	end);

	it("is nothing on a host without mod_blocklist, and begins and ends with that", function ()
		local function manage(action)
			assert.is_true(server:admin("return require 'core.modulemanager'[...]('plain.localhost', 'blocklist') and true", action));
			wait_for_tasks();
		end
		local ann, room = new_device "plain.localhost";
		server:admin([[
			local username, host = jid.split((...));
			assert(require "core.storagemanager".open(host, "blocklist"):set(username, { [false] = {}, [select(2, ...)] = 1 }));
		]], ann.bare_jid, room);
		muc:manage "reload";
		wait_for_tasks();
		assert.same({ "ann 1 one" }, told(room, "one"));
		manage "load";
		assert.same({}, told(room, "two"));
		manage "reload";
		assert.same({}, told(room, "three"));
		unblock(ann, room);
		assert.same({ "ann 1 four" }, told(room, "four"));
		block(ann, room);
		assert.same({}, told(room, "five"));
		manage "unload";
		assert.same({ "ann 1 six" }, told(room, "six"));
	end);

	it("is tried again where a list cannot be read, and nobody waits for that", function ()
		local ann, room = new_device();
		block(ann, room);
		local path = ("%s/localhost/blocklist/ann%%2d%d.dat"):format(server.data_dir, count);
		local list = assert(files.read(path));
		ann:close();
		local length = #server:log();
		muc:restart("stop", function () files.write(path, "return nothing {"); end);
		assert.same({ "ann 1 one" }, told(room, "one"));
		assert.truthy(server:log(length):find("What users of localhost have blocked cannot be read", 1, true));
		files.write(path, list);
		server:reload_module("blocklist", "localhost");
		wait_for_tasks();
		assert.is_true(loop.wait_until(function () return #told(room, "two") == 0; end));
	end);

	it("is what it was where a list is there, but empty, as after a power cut", function ()
		local ann, room = new_device();
		local other_room = muc:new_room { ann.bare_jid };
		block(ann, room);
		assert.same({}, told(room, "one"));
		files.write(("%s/localhost/blocklist/ann%%2d%d.dat"):format(server.data_dir, count), "");
		server:reload_module("blocklist", "localhost");
		wait_for_tasks();
		assert.same({}, told(room, "two"));
		assert.same({ "ann 1 three" }, told(other_room, "three"));
	end);
end);
