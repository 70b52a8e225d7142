-- mod_muc_undelivered looks for what it does not remember in the room's archive.

local prosody = require "harness.prosody";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local modules = { "muc_undelivered", "spec_undelivered", "muc_mam" };

versions.describe_local_storages("mod_muc_undelivered and the archive", function (version, storage)
	local server, service, room, bob, ann;

	lazy_setup(function ()
		local muc = {
			modules_enabled = modules;
			muc_room_default_persistent = true;
			muc_undelivered_messages = 0;
			muc_undelivered_archived = 10;
		};
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			plugin_paths = undelivered.plugin_paths;
			global = storage.global;
			muc = muc;
			mucs = { ["both.localhost"] = { modules_enabled = modules, muc_undelivered_messages = 2 } };
		};
		service = undelivered.new(server);
	end);

	local function users()
		bob, ann = service:user("bob/desk"), service:user("ann/phone");
	end

	before_each(function ()
		-- A query that is not read to its end, as mod_muc_mam's may be, can keep SQLite from committing while it is
		-- not collected.
		server:admin "collectgarbage()";
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
				if query and query.reverse and query.limit == 10 then module.reads = module.reads + 1; end
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

	it("does not give away the sender's real JID where it was noted for all", function ()
		bob:configure_room(room, { ["muc#roomconfig_whois"] = "anyone" });
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Bob", id);
		local seen = service:seen();
		assert.equal("lunch?", seen[1].body);
		assert.falsy(seen[1].xml:find(bob.bare_jid, 1, true), seen[1].xml);
	end);

	it("reports every message that bounces, and each once", function ()
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

	it("does not report what was said before or after the recipient was there", function ()
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

	it("does not report what was said after the recipient had left, though it is the first in the archive", function ()
		undelivered.say(bob, room, "secret", nil, "<no-store xmlns='urn:xmpp:hints'/>");
		ann:leave(room);
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies();
		assert.equal(1, count_reads());
	end);

	it("is not read for users who were never in the room, nor for users who were sent nothing", function ()
		local id = undelivered.say(bob, room, "lunch?");
		undelivered.bounce(service:user "mallory/cave", room .. "/Bob", id);
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		undelivered.bounce(carl, room .. "/Bob", id);
		carl:leave(room);
		undelivered.bounce(carl, room .. "/Bob", undelivered.say(bob, room, "and now?"));
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

	it("is not what others say about their archives", function ()
		room = service:new_room "both.localhost";
		bob:create_room(room, "Bob");
		ann:join(room, "Ann");
		local id = undelivered.say(bob, room, "secret", nil, "<no-store xmlns='urn:xmpp:hints'/>"
			.. "<stanza-id xmlns='urn:xmpp:sid:0' by='other.localhost' id='1'/>"
			.. ("<stanza-id xmlns='urn:xmpp:sid:0' by='%s' id='2'/>"):format(room));
		undelivered.bounce(ann, room .. "/Bob", id);
		local seen = service:seen "both.localhost";
		assert.same({ 1, "secret" }, { #seen, seen[1].body });
		assert.is_nil(seen[1].stanza_id);
	end);

	it("does not have what nobody wanted to keep", function ()
		local id = undelivered.say(bob, room, "secret", nil, "<no-store xmlns='urn:xmpp:hints'/>");
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies "-";
	end);

	it("that cannot be read does not keep a bounce from being reported", function ()
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

	it("has what was said before the module was loaded, for occupants who are still there", function ()
		local id = undelivered.say(bob, room, "lunch?");
		server:admin([[
			local modulemanager = require "core.modulemanager";
			assert(modulemanager.unload(module.host, "muc_undelivered"));
			assert(modulemanager.load(module.host, "muc_undelivered"));
		]]);
		undelivered.bounce(service:user "mallory/cave", room .. "/Bob", id);
		expect_bodies();
		undelivered.bounce(ann, room .. "/Bob", "private");
		expect_bodies();
		undelivered.bounce(ann, room .. "/Bob", id);
		expect_bodies "lunch?";
		local carl = service:user "carl/desk";
		carl:join(room, "Carl");
		undelivered.say(bob, room, "secret", nil, "<no-store xmlns='urn:xmpp:hints'/>");
		undelivered.bounce(carl, room .. "/Bob", id);
		expect_bodies();
	end);
end);
