-- Where mod_muc_undelivered has messages from: a memory with bounds, and the room's archive.

local loop = require "spec.support.loop";
local prosody = require "spec.support.prosody";
local storages = require "spec.support.storages";
local undelivered = require "spec.support.undelivered";

local modules = { "muc_undelivered", "spec_undelivered" };
local archived_modules = { "muc_undelivered", "spec_undelivered", "muc_mam" };

for _, version in ipairs(prosody.versions) do
	describe("what mod_muc_undelivered remembers on Prosody " .. version, function ()
		local server, service, room, bob, ann;

		lazy_setup(function ()
			server = prosody.start {
				version = version;
				components = { "users.localhost" };
				muc = { modules_enabled = modules, muc_undelivered_messages = 3 };
				mucs = {
					["brief.localhost"] = { modules_enabled = modules, muc_undelivered_seconds = 1 };
					["nothing.localhost"] = { modules_enabled = modules, muc_undelivered_messages = 0 };
					["wrong.localhost"] = {
						modules_enabled = modules, muc_undelivered_messages = "many", muc_undelivered_seconds = 0, muc_undelivered_archived = 1.5;
					};
				};
			};
			service = undelivered.new(server);
		end);

		lazy_teardown(prosody.close_all);

		local function meet(host)
			room = service:new_room(host);
			bob, ann = service:user("bob/desk"), service:user("ann/phone");
			bob:create_room(room, "Bob");
			ann:join(room, "Ann");
		end

		-- How many rooms the module knows, how many messages of this one it holds, and how many stays.
		local function count(host)
			return server:admin([[
				local host, room_jid = ...;
				local rooms = prosody.hosts[host].modules.muc_undelivered.module.save().rooms;
				local function size(of)
					local n = 0;
					for _ in pairs(of or {}) do n = n + 1; end
					return n;
				end
				local memory = rooms[room_jid] or {};
				return size(rooms), size(memory.broadcasts), size(memory.stays);
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

		it("tells once of a message that it does not hold any more, and says so", function ()
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
				condition = "recipient-unavailable"; was_present = true;
			}, seen[1]);
		end);

		it("does not tell more often than there were messages", function ()
			meet();
			for i = 1, 5 do
				undelivered.say(bob, room, "message " .. i);
			end
			for i = 1, 10 do
				undelivered.bounce(ann, room .. "/Bob", "made-up-" .. i);
			end
			assert.same({ "-", "-", "-", "-", "-" }, service:bodies());
		end);

		it("tells nothing of an unknown id to who came in when everything since is held", function ()
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

		it("forgets messages, stays and rooms when their time is over", function ()
			local host = "brief.localhost";
			meet(host);
			undelivered.say(bob, room, "lunch?");
			ann:leave(room);
			bob:leave(room); -- which is the end of the room
			local other = service:new_room(host);
			bob:create_room(other, "Bob", { ["muc#roomconfig_persistentroom"] = true });
			ann:join(other, "Ann");
			room = other;
			local id = undelivered.say(bob, room, "still there?");
			local known, messages, stays = count(host);
			assert.same({ 1, 2 }, { known, stays });
			assert.truthy(messages > 0);
			assert.truthy(loop.wait_until(function () return select(2, count(host)) == 0; end, 6, 0.05));
			undelivered.bounce(ann, room .. "/Bob", id);
			assert.same({ "-" }, service:bodies(host));
			assert.equal(2, (select(3, count(host))));
			bob:leave(room);
			assert.truthy(loop.wait_until(function () return count(host) == 0; end, 6, 0.05));
			undelivered.bounce(ann, room .. "/Bob", id);
			undelivered.bounce(ann, room, id);
			assert.same({}, service:bodies(host));
		end);

		it("forgets the quietest rooms when there is too much in all of them", function ()
			meet();
			local id = undelivered.say(bob, room, "lunch?");
			local quiet, left, newest_room = server:admin([[
				local undelivered = prosody.hosts[module.host].modules.muc_undelivered.module;
				local rooms = undelivered.save().rooms;
				for i = 1, 4000 do
					local busy = { jid = "busy-" .. i .. "@" .. module.host };
					for _ = 1, 3 do
						module:fire_event("muc-broadcast-message", { room = busy, stanza = st.message { from = busy.jid } });
					end
				end
				local total = 0;
				for _, memory in pairs(rooms) do
					for _ in pairs(memory.broadcasts) do total = total + 1; end
				end
				local quiet, newest = next(rooms[...].broadcasts), rooms["busy-4000@" .. module.host];
				for i = 1, 4000 do rooms["busy-" .. i .. "@" .. module.host] = nil; end
				return quiet, total, #newest.broadcasts + 1;
			]], room);
			assert.is_nil(quiet);
			assert.equal(3, newest_room);
			assert.truthy(left > 8000 and left <= 10000, left);
			undelivered.bounce(ann, room .. "/Bob", id);
			assert.same({ "-" }, service:bodies());
		end);

		it("says what is wrong with its options, and uses the defaults", function ()
			local found = {};
			for _, entry in ipairs(service:errors()) do
				table.insert(found, entry:match("wrong.localhost:muc_undelivered\terror\tOption (.*)"));
			end
			table.sort(found);
			assert.same({
				"muc_undelivered_archived is 1.5 (a number), but a whole number of at least 0 is expected; using the default, 250",
				"muc_undelivered_messages is \"many\" (a string), but a whole number of at least 0 is expected; using the default, 100",
				"muc_undelivered_seconds is 0 (a number), but a whole number of at least 1 is expected; using the default, 3600",
			}, found);
		end);
	end);

	for _, storage in ipairs(storages) do
		describe("the archive in " .. storage.name .. " storage on Prosody " .. version, function ()
			local server, service, room, bob, ann;

			lazy_setup(function ()
				local muc = {
					modules_enabled = archived_modules;
					muc_room_default_persistent = true;
					muc_undelivered_messages = 0;
					muc_undelivered_archived = 10;
				};
				server = prosody.start {
					version = version;
					components = { "users.localhost" };
					global = storage.global;
					muc = muc;
					mucs = { ["both.localhost"] = { modules_enabled = archived_modules, muc_undelivered_messages = 2 } };
				};
				service = undelivered.new(server);
			end);

			lazy_teardown(prosody.close_all);

			local function users()
				bob, ann = service:user("bob/desk"), service:user("ann/phone");
			end

			before_each(function ()
				users();
				room = service:new_room();
				bob:create_room(room, "Bob");
				ann:join(room, "Ann");
				-- How often the archive is read, by this module or mod_muc_mam.
				server:admin([[
					if module.reads then module.reads = 0; return; end
					module.reads = 0;
					local storagemanager = require "core.storagemanager";
					local store = storagemanager.open(module.host, "muc_log", "archive");
					local methods = getmetatable(store).__index;
					local find = methods.find;
					methods.find = function (self, username, query)
						if query and query.reverse and not query.with then module.reads = module.reads + 1; end
						return find(self, username, query);
					end;
				]]);
			end);

			after_each(function ()
				assert.same({}, service:errors());
			end);

			local function expect_bodies(...)
				assert.same({ ... }, service:bodies());
			end

			local function count_reads()
				return server:admin("return module.reads");
			end

			it("has the message, as it was sent", function ()
				local id = bob:say(room, "lunch?", "<active xmlns='http://jabber.org/protocol/chatstates'/>");
				local copy = ann:expect { name = "message", id = id };
				undelivered.bounce(ann, room .. "/Bob", id);
				local seen = service:seen();
				assert.equal(1, #seen);
				assert.same({ "lunch?", room .. "/Bob", ann.jid, id }, { seen[1].body, seen[1].from, seen[1].to, seen[1].id });
				local stanza_id = copy:get_child("stanza-id", "urn:xmpp:sid:0").attr;
				assert.same({ room, stanza_id.id }, { stanza_id.by, seen[1].stanza_id });
				for child in copy:childtags() do
					assert.truthy(seen[1].xml:find("<" .. child.name, 1, true), seen[1].xml);
				end
			end);

			it("finds it by the stanza-id that the bounce echoes", function ()
				local id = bob:say(room, "lunch?");
				local stanza_id = ann:expect({ name = "message", id = id }):get_child("stanza-id", "urn:xmpp:sid:0");
				undelivered.bounce(ann, room .. "/Bob", "changed", { echo = tostring(stanza_id) });
				expect_bodies "lunch?";
			end);

			it("does not give away who the sender is where that was noted for all", function ()
				bob:configure_room(room, { ["muc#roomconfig_whois"] = "anyone" });
				local id = undelivered.say(bob, room, "lunch?");
				undelivered.bounce(ann, room .. "/Bob", id);
				local seen = service:seen();
				assert.equal("lunch?", seen[1].body);
				assert.falsy(seen[1].xml:find(bob.bare_jid, 1, true), seen[1].xml);
			end);

			it("tells it once, and tells of all that comes back", function ()
				local first, second = undelivered.say(bob, room, "one"), undelivered.say(bob, room, "two");
				for _ = 1, 2 do
					undelivered.bounce(ann, room .. "/Bob", first);
					undelivered.bounce(ann, room, second);
				end
				expect_bodies("one", "two");
			end);

			it("tells two senders with the same id apart", function ()
				local carl = service:user "carl/desk";
				carl:join(room, "Carl");
				undelivered.say(bob, room, "Bob's", "same");
				undelivered.say(carl, room, "Carl's", "same");
				undelivered.bounce(ann, room .. "/Bob", "same");
				expect_bodies "Bob's";
			end);

			it("tells nothing of what was said before or after somebody was there", function ()
				local carl = service:user "carl/desk";
				local before = undelivered.say(bob, room, "before");
				carl:join(room, "Carl");
				local id = undelivered.say(bob, room, "then");
				carl:leave(room);
				local after = undelivered.say(bob, room, "after");
				for _, each in ipairs { before, after, id } do
					undelivered.bounce(carl, room .. "/Bob", each);
					undelivered.bounce(carl, room, each);
				end
				expect_bodies "then";
			end);

			it("tells nothing of what was said after somebody had left, though it is the first in the archive", function ()
				ann:leave(room);
				local id = undelivered.say(bob, room, "lunch?");
				undelivered.bounce(ann, room .. "/Bob", id);
				expect_bodies();
			end);

			it("is not read for strangers, nor for who was sent nothing", function ()
				local id = undelivered.say(bob, room, "lunch?");
				undelivered.bounce(service:user "mallory/cave", room .. "/Bob", id);
				local carl = service:user "carl/desk";
				carl:join(room, "Carl");
				undelivered.bounce(carl, room .. "/Bob", id);
				expect_bodies();
				assert.equal(0, count_reads());
			end);

			it("is read once for a flood of bounces", function ()
				local ids = {};
				for i = 1, 5 do
					ids[i] = undelivered.say(bob, room, "message " .. i);
				end
				for i = 1, 5 do
					undelivered.bounce(ann, room .. "/Bob", ids[i]);
					undelivered.bounce(ann, room .. "/Bob", "made-up-" .. i);
				end
				assert.equal(1, count_reads());
				assert.equal(5, #service:bodies());
				ann:join(room, "Ann");
				undelivered.bounce(ann, room .. "/Bob", undelivered.say(bob, room, "and now?"));
				assert.equal(2, count_reads());
				expect_bodies "and now?";
			end);

			it("is read no further than it may be", function ()
				local ids = {};
				for i = 1, 12 do
					ids[i] = undelivered.say(bob, room, "message " .. i);
				end
				for _, i in ipairs { 12, 3, 2 } do
					undelivered.bounce(ann, room .. "/Bob", ids[i]);
				end
				expect_bodies("message 12", "message 3", "-");
			end);

			it("is asked for what is not in the memory any more", function ()
				room = service:new_room "both.localhost";
				bob:create_room(room, "Bob");
				ann:join(room, "Ann");
				local id = undelivered.say(bob, room, "long ago");
				for i = 1, 2 do
					undelivered.say(bob, room, "message " .. i);
				end
				undelivered.bounce(ann, room .. "/Bob", id);
				undelivered.bounce(ann, room .. "/Bob", id);
				assert.same({ "long ago" }, service:bodies "both.localhost");
			end);

			it("does not have what nobody wanted to keep", function ()
				local id = undelivered.say(bob, room, "secret", nil, "<no-store xmlns='urn:xmpp:hints'/>");
				undelivered.bounce(ann, room .. "/Bob", id);
				expect_bodies "-";
			end);

			it("that cannot be read keeps nobody from being told", function ()
				local id = undelivered.say(bob, room, "lunch?");
				server:admin([[
					local methods = getmetatable(require "core.storagemanager".open(module.host, "muc_log", "archive")).__index;
					local find = methods.find;
					methods.find = function () methods.find = find; return nil, "on purpose"; end;
				]]);
				undelivered.bounce(ann, room .. "/Bob", id);
				expect_bodies "-";
				assert.falsy(service:is_present(room, ann));
				local errors = service:errors();
				assert.equal(1, #errors);
				assert.matches("Failed to look into the archive of " .. room, errors[1], 1, true);
			end);

			it("has what was said before a restart, for who is still there", function ()
				local id = undelivered.say(bob, room, "lunch?");
				server:stop();
				server:start_again();
				users();
				undelivered.bounce(service:user "mallory/cave", room .. "/Bob", id);
				expect_bodies();
				undelivered.bounce(ann, room .. "/Bob", "private");
				expect_bodies();
				undelivered.bounce(ann, room .. "/Bob", id);
				expect_bodies "lunch?";
				local carl = service:user "carl/desk";
				carl:join(room, "Carl");
				undelivered.bounce(carl, room .. "/Bob", id);
				expect_bodies();
			end);
		end);
	end
end
