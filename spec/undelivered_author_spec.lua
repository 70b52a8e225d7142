-- mod_muc_undelivered knows the author of a message by the id that the room's archive has given it (XEP-0359).

local prosody = require "harness.prosody";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local xmlns_sid = "urn:xmpp:sid:0";
local modules = { "muc_undelivered", "muc_mam" };

versions.describe_local_storages("the author of a message", function (version, storage)
	local server, service, room, bob, ann;

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			global = storage.global;
			muc = { modules_enabled = modules, muc_room_default_persistent = true };
			mucs = {
				["archive.localhost"] = { modules_enabled = modules, muc_undelivered_messages = 0, muc_undelivered_archived = 10 };
				["both.localhost"] = { modules_enabled = modules, muc_undelivered_messages = 2, muc_undelivered_archived = 10 };
				["short.localhost"] = { modules_enabled = modules, muc_undelivered_seconds = 1 };
				["memory.localhost"] = { modules_enabled = modules, muc_undelivered_messages = 2, muc_undelivered_archived = 0 };
				["nothing.localhost"] = { modules_enabled = { "muc_undelivered" } };
			};
		};
		service = undelivered.new(server);
		bob, ann = service:user "bob/desk", service:user "ann/phone";
	end);

	-- A new room with Bob and Ann in it. whois: who may know real JIDs
	local function meet(host, whois)
		room = service:new_room(host);
		bob:create_room(room, "bob", { ["muc#roomconfig_whois"] = whois or "moderators" });
		ann:join(room, "ann");
		-- How often the archive is read by this module.
		server:admin([[
			local host = ...;
			module.reads, module.counting = 0, module.counting or {};
			if module.counting[host] then return; end
			module.counting[host] = true;
			local methods = getmetatable(require "core.storagemanager".open(host, "muc_log", "archive")).__index;
			local find = methods.find;
			methods.find = function (self, username, query)
				if query and query.reverse then module.reads = module.reads + 1; end
				return find(self, username, query);
			end;
		]], host or server.muc_host);
	end

	-- Says something and returns the id that the archive has given it, nil if none.
	local function say(user, body, extra)
		local id = user:say(room, body, extra);
		local message = user:expect { name = "message", id = id };
		local stanza_id = message:get_child_with_attr("stanza-id", xmlns_sid, "by", room);
		return stanza_id and stanza_id.attr.id, id;
	end

	local function author_of(id, other_room)
		return server:admin([[
			local room_jid, id = ...;
			local room = room(room_jid);
			return prosody.hosts[jid.host(room_jid)].modules.muc_undelivered.author_of(room, id);
		]], other_room or room, id);
	end

	local function reads()
		return server:admin("return module.reads");
	end

	-- The time comes at which the archive of the room may be read again.
	local function let_a_minute_pass()
		server:admin([[
			local room_jid = ...;
			local author_of = prosody.hosts[jid.host(room_jid)].modules.muc_undelivered.author_of;
			for i = 1, 200 do
				local name, records = debug.getupvalue(author_of, i);
				if not name then break; end
				if name == "records" and records[room_jid].read_at then
					records[room_jid].read_at = records[room_jid].read_at - 60;
				end
			end
		]], room);
	end

	after_each(function ()
		assert.same({}, service:errors());
	end);

	it("is known, whatever their nickname is by now, and when they have left", function ()
		meet();
		local id, other = say(ann, "hello"), say(bob, "hi");
		assert.same({ ann.bare_jid, bob.bare_jid }, { author_of(id), author_of(other) });
		undelivered.rename(ann, room, "ann2");
		assert.equal(ann.bare_jid, author_of(id));
		ann:leave(room);
		service:user("eve/phone"):join(room, "ann");
		assert.equal(ann.bare_jid, author_of(id));
		assert.equal(0, reads());
	end);

	it("is not known by the id of another room, nor by one that was made up", function ()
		meet();
		local elsewhere, first_room = say(ann, "hello"), room;
		meet();
		local _, client_id = say(ann, "hi", "<stanza-id xmlns='urn:xmpp:sid:0' by='" .. room .. "' id='made-up'/>");
		for _, id in ipairs { elsewhere, client_id, "made-up", "", ("x"):rep(10000) } do
			assert.is_nil(author_of(id));
		end
		assert.equal(ann.bare_jid, author_of(elsewhere, first_room));
	end);

	it("is not known where there is no archive", function ()
		meet "nothing.localhost";
		local id = say(ann, "hello", "<stanza-id xmlns='urn:xmpp:sid:0' by='" .. room .. "' id='made-up'/>");
		assert.equal("made-up", id);
		assert.is_nil(author_of(id));
	end);

	it("is nobody where the room itself has spoken", function ()
		meet();
		server:admin([[
			local room = room(...);
			room:broadcast_message(st.message({ type = "groupchat", from = room.jid }):body("news"));
		]], room);
		local id = bob:expect({ name = "message", body = "news" }):get_child_with_attr("stanza-id", xmlns_sid, "by", room).attr.id;
		assert.is_nil(author_of(id));
	end);

	it("is looked for in the archive, where all occupants may know it", function ()
		meet("archive.localhost", "anyone");
		local id = say(ann, "hello");
		ann:leave(room);
		assert.equal(ann.bare_jid, author_of(id));
	end);

	it("is not in the archive where the occupants may not know it", function ()
		meet("archive.localhost", "moderators");
		local id = say(ann, "hello", "<x xmlns='http://jabber.org/protocol/muc#user'><item jid='" .. bob.bare_jid .. "'/></x>");
		assert.is_nil(author_of(id));
		assert.equal(0, reads());
	end);

	it("is in the archive, and not what the author says it is", function ()
		meet("archive.localhost", "anyone");
		local id = say(ann, "hello", "<x xmlns='http://jabber.org/protocol/muc#user'><item jid='" .. bob.bare_jid .. "'/></x>");
		assert.equal(ann.bare_jid, author_of(id));
	end);

	it("is found no further back than the archive may be searched", function ()
		meet("both.localhost", "anyone");
		local ids = {};
		for i = 1, 13 do ids[i] = say(ann, "message " .. i); end
		assert.same({ ann.bare_jid, ann.bare_jid }, { author_of(ids[13]), author_of(ids[12]) });
		assert.equal(0, reads());
		assert.same({ ann.bare_jid, ann.bare_jid }, { author_of(ids[11]), author_of(ids[4]) });
		assert.is_nil(author_of(ids[2]));
	end);

	it("is not looked for in an archive that may not be searched", function ()
		meet("memory.localhost", "anyone");
		local ids = {};
		for i = 1, 3 do ids[i] = say(ann, "message " .. i); end
		assert.equal(ann.bare_jid, author_of(ids[2]));
		assert.is_nil(author_of(ids[1]));
	end);

	it("makes no more than one look into the archive for any number of ids that nobody knows", function ()
		meet("both.localhost", "anyone");
		local old = say(ann, "old");
		for i = 1, 2 do say(ann, "message " .. i); end
		for i = 1, 20 do assert.is_nil(author_of("made-up-" .. i)); end
		assert.equal(1, reads());
		say(ann, "another");
		for i = 1, 20 do assert.is_nil(author_of("made-up-" .. i)); end
		assert.equal(ann.bare_jid, author_of(old));
		assert.equal(1, reads());
		local newer = say(ann, "newer");
		for i = 1, 2 do say(ann, "more " .. i); end
		for i = 1, 20 do assert.is_nil(author_of("made-up-" .. i)); end
		assert.is_nil(author_of(newer));
		assert.equal(1, reads());
		let_a_minute_pass();
		for i = 1, 20 do assert.is_nil(author_of("made-up-" .. i)); end
		assert.equal(ann.bare_jid, author_of(newer));
		assert.equal(2, reads());
	end);

	it("makes no more than one look into the archive in a minute where nothing is remembered", function ()
		meet("archive.localhost", "anyone");
		local old = say(ann, "old");
		assert.equal(ann.bare_jid, author_of(old));
		local newer;
		for i = 1, 5 do
			newer = say(ann, "message " .. i);
			assert.same({ ann.bare_jid, nil }, { author_of(old), (author_of(newer)) });
		end
		assert.equal(1, reads());
		let_a_minute_pass();
		assert.equal(ann.bare_jid, author_of(newer));
		assert.equal(2, reads());
	end);

	it("makes no more than one look into the archive in a minute where what is remembered is soon forgotten", function ()
		meet("short.localhost", "anyone");
		local id = say(ann, "hello");
		for _ = 1, 2 do
			server:admin("local wait, done = async.waiter(); timer.add_task(2.2, done); wait()");
			assert.equal(ann.bare_jid, author_of(id));
			assert.is_nil(author_of("made-up"));
		end
		assert.equal(1, reads());
	end);

	it("is known of what was said before the module was loaded", function ()
		meet("both.localhost", "anyone");
		local id = say(ann, "hello");
		server:admin([[
			local modulemanager = require "core.modulemanager";
			assert(modulemanager.unload("both.localhost", "muc_undelivered"));
			assert(modulemanager.load("both.localhost", "muc_undelivered"));
		]]);
		assert.equal(ann.bare_jid, author_of(id));
	end);
end);
