-- What mod_muc_undelivered remembers, and for how long.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local modules = { "muc_undelivered", "spec_undelivered" };
local archived_modules = { "muc_undelivered", "spec_undelivered", "muc_mam" };

versions.describe("what mod_muc_undelivered remembers", function (version)
	local server, service, room, bob, ann;

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			plugin_paths = undelivered.plugin_paths;
			muc = { modules_enabled = modules, muc_undelivered_messages = 3 };
			mucs = {
				["brief.localhost"] = { modules_enabled = modules, muc_undelivered_seconds = 2, muc_room_default_persistent = true };
				["archived.localhost"] = { modules_enabled = archived_modules, muc_undelivered_seconds = 2, muc_undelivered_messages = 0 };
				["nothing.localhost"] = { modules_enabled = modules, muc_undelivered_messages = 0 };
				["wrong.localhost"] = {
					modules_enabled = modules, muc_undelivered_messages = "many", muc_undelivered_seconds = 0, muc_undelivered_archived = 1.5;
					muc_undelivered_bytes = -1;
				};
			};
		};
		service = undelivered.new(server);
	end);

	local function meet(host)
		room = service:new_room(host);
		bob, ann = service:user("bob/desk"), service:user("ann/phone");
		bob:create_room(room, "Bob");
		ann:join(room, "Ann");
	end

	-- How many rooms the module knows, and how many messages and visits of this one it holds.
	local function count(host)
		return server:admin([[
			local host, room_jid = ...;
			local rooms = prosody.hosts[host].modules.muc_undelivered.module.save().rooms;
			local function size(of)
				local n = 0;
				for _ in pairs(of or {}) do n = n + 1; end
				return n;
			end
			local record = rooms[room_jid];
			return size(rooms), size(record and record.history.slots), size(record and record.visits.newest);
		]], host or server.muc_host, room);
	end

	it("holds as many messages as it may", function ()
		meet();
		local ids = {};
		for i = 1, 10 do
			ids[i] = undelivered.say(bob, room, "message " .. i);
		end
		assert.equal(3, (select(2, count())));
		for i = 10, 7, -1 do
			undelivered.bounce(ann, room .. "/Bob", ids[i]);
		end
		assert.same({ "message 10", "message 9", "message 8", "-" }, service:bodies());
	end);

	it("reports a message that it does not hold any more once, and without the message", function ()
		meet();
		local id = undelivered.say(bob, room, "long ago");
		for i = 1, 3 do
			undelivered.say(bob, room, "message " .. i);
		end
		undelivered.bounce(ann, room .. "/Bob", id);
		undelivered.bounce(ann, room .. "/Bob", id);
		undelivered.bounce(ann, room, id);
		local seen = service:seen();
		assert.equal(1, #seen);
		assert.same({
			room = room; nick = room .. "/Ann"; real_jid = ann.jid; bare_jid = ann.bare_jid; bounce_id = id;
			condition = "recipient-unavailable"; elsewhere = ""; was_present = true;
		}, seen[1]);
	end);

	it("reports no more bounces than there were messages", function ()
		meet();
		for i = 1, 5 do
			undelivered.say(bob, room, "message " .. i);
		end
		for i = 1, 10 do
			undelivered.bounce(ann, room .. "/Bob", "made-up-" .. i);
		end
		assert.same({ "-", "-", "-", "-", "-" }, service:bodies());
	end);

	it("reports nothing for an unknown id when everything since the user entered is held", function ()
		meet();
		for i = 1, 5 do
			undelivered.say(bob, room, "message " .. i);
		end
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		for i = 1, 3 do
			undelivered.say(bob, room, "message " .. i);
		end
		undelivered.bounce(carl, room .. "/Bob", "made-up");
		assert.same({}, service:bodies());
	end);

	it("does not take a private message for one that it does not hold any more", function ()
		meet();
		for i = 1, 5 do
			undelivered.say(bob, room, "message " .. i);
		end
		bob:send(("<message type='chat' from='%s' to='%s/Ann' id='private'><body>psst</body></message>"):format(bob.jid, room));
		ann:expect { name = "message", type = "chat", body = "psst" };
		undelivered.bounce(ann, room .. "/Bob", "private");
		assert.same({}, service:bodies());
	end);

	it("holds nothing when it may hold nothing", function ()
		meet "nothing.localhost";
		local id = undelivered.say(bob, room, "lunch?");
		assert.equal(0, (select(2, count "nothing.localhost")));
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "-" }, service:bodies "nothing.localhost");
	end);

	it("forgets messages, visits and rooms when their time is over", function ()
		local host = "brief.localhost";
		meet(host);
		local id = undelivered.say(bob, room, "still there?");
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		carl:leave(room);
		server:reload_module("muc_undelivered", host);
		local _, messages, visits = count(host);
		assert.equal(3, visits);
		assert.truthy(messages > 0);
		assert.truthy(loop.wait_until(function ()
			_, messages, visits = count(host);
			return messages == 0 and visits == 2;
		end, nil, 0.05));
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "-" }, service:bodies(host));
		bob:leave(room);
		assert.truthy(loop.wait_until(function () return count(host) == 0; end, nil, 0.05));
		undelivered.bounce(ann, room .. "/Bob", id);
		undelivered.bounce(ann, room, id);
		assert.same({}, service:bodies(host));
	end);

	it("keeps a visit over a change of the nickname, and nothing of the archive", function ()
		local host = "archived.localhost";
		local function has_page()
			return server:admin([[
				local host, room_jid = ...;
				return prosody.hosts[host].modules.muc_undelivered.module.save().rooms[room_jid].page ~= nil;
			]], host, room);
		end
		meet(host);
		undelivered.say(bob, room, "lunch?");
		undelivered.rename(ann, room, "Anna");
		undelivered.bounce(ann, room .. "/Bob", "unknown");
		assert.same({ "-" }, service:bodies(host));
		assert.truthy(has_page());
		ann:join(room, "Anna");
		local id = undelivered.say(bob, room, "now?");
		undelivered.rename(ann, room, "Ann");
		assert.truthy(loop.wait_until(function ()
			return not has_page() and server:admin("return #prosody.hosts[...].modules.muc_undelivered.module.save().ended", host) == 0;
		end, nil, 0.05));
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "now?" }, service:bodies(host));
	end);

	it("does not report a message again that it has reported and does not hold any more", function ()
		meet();
		undelivered.say(bob, room, "hello");
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "lunch?" }, service:bodies());
		for i = 1, 4 do
			undelivered.say(bob, room, "message " .. i);
		end
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({}, service:bodies());
	end);

	it("does not take an echo of a private message for one that it does not hold any more", function ()
		meet();
		for i = 1, 5 do
			undelivered.say(bob, room, "message " .. i);
		end
		undelivered.bounce(ann, room .. "/Bob", "unknown", { echo = "<x xmlns='http://jabber.org/protocol/muc#user'/>" });
		assert.same({}, service:bodies());
	end);

	it("forgets first what is from those who hold the most when there is too much in all rooms", function ()
		meet();
		local id = undelivered.say(bob, room, "lunch?");
		local left, newest_room = server:admin([[
			local undelivered = prosody.hosts[module.host].modules.muc_undelivered.module;
			local rooms = undelivered.save().rooms;
			for i = 1, 4000 do
				local busy = { jid = "busy-" .. i .. "@" .. module.host, _occupants = {} };
				for _ = 1, 3 do
					module:fire_event("muc-broadcast-message", { room = busy, stanza = st.message { from = busy.jid } });
				end
			end
			local total = 0;
			for _, record in pairs(rooms) do
				for _ in pairs(record.history.slots) do total = total + 1; end
			end
			local newest = rooms["busy-4000@" .. module.host];
			for i = 1, 4000 do rooms["busy-" .. i .. "@" .. module.host] = nil; end
			return total, #newest.history.slots + 1;
		]], room);
		assert.equal(3, newest_room);
		assert.truthy(left > 1600 and left <= 2000, left);
		undelivered.bounce(ann, room .. "/Bob", id);
		assert.same({ "lunch?" }, service:bodies());
	end);

	it("says what is wrong with its options, and uses the defaults", function ()
		local found = {};
		for _, entry in ipairs(service:errors()) do
			table.insert(found, entry:match("wrong.localhost:muc_undelivered\terror\tOption (.*)"));
		end
		table.sort(found);
		assert.same({
			"muc_undelivered_archived is 1.5 (a number), but a whole number of at least 0 is expected; using the default, 250",
			"muc_undelivered_bytes is -1 (a number), but a whole number of at least 0 is expected; using the default, 8388608",
			"muc_undelivered_messages is \"many\" (a string), but a whole number of at least 0 is expected; using the default, 100",
			"muc_undelivered_seconds is 0 (a number), but a whole number of at least 1 is expected; using the default, 3600",
		}, found);
	end);
end);
