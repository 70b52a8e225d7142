-- The harness itself, without the module.

local lfs = require "lfs";
local st = require "util.stanza";

local files = require "harness.files";
local postgresql = require "harness.postgresql";
local prosody = require "harness.prosody";

local versions = require "spec.support.versions";

local room = "room@conference.localhost";

local function process_exists(pid)
	return lfs.attributes("/proc/" .. pid) ~= nil;
end

versions.describe("harness", function (version)
	local server, alice, bob, app;

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "remote.example", "push.localhost" };
			mucs = { ["rooms.localhost"] = { muc_room_default_public = false } };
			muc = { name = "Rooms \"of\" the spec"; muc_room_default_persistent = true };
		};
		alice = server:user("alice@users.localhost/phone");
		bob = server:user("bob@remote.example/desk");
		app = server:app_server("push.localhost");
	end);

	it("runs the version asked for", function ()
		assert.equal(version, server:admin("return prosody.version"):match("^%d+%.%d+"));
	end);

	it("carries what one user says to another", function ()
		alice:create_room(room, "Alice", { ["muc#roomconfig_membersonly"] = false });
		alice:affiliate(room, "bob@remote.example", "member", "Bob");
		bob:join(room, "Bob");
		alice:say(room, "<hello> & goodbye", "<x xmlns='urn:example:spec'/>");
		local message = bob:expect { name = "message", body = "<hello> & goodbye" };
		assert.equal(room .. "/Alice", message.attr.from);
		assert.truthy(message:get_child("x", "urn:example:spec"));
		bob:leave(room);
		alice:expect { name = "presence", from = room .. "/Bob", type = "unavailable" };
		bob:expect_nothing { name = "message", type = "groupchat" };
	end);

	it("says what arrived when something else was expected", function ()
		alice:send(st.message({ to = "bob@remote.example/desk", id = "m1" }):text_tag("body", "psst"));
		local ok, err = pcall(bob.expect, bob, { name = "iq" }, 0.1);
		assert.is_false(ok);
		assert.truthy(err:find("psst", 1, true), err);
		assert.has_error(function () bob:expect_nothing("psst"); end);
	end);

	it("has an app server that introduces itself", function ()
		local reply = alice:iq(st.stanza("iq", { type = "get", to = "push.localhost" })
			:tag("query", { xmlns = "http://jabber.org/protocol/disco#info" }));
		local identity = reply:get_child("query", "http://jabber.org/protocol/disco#info"):get_child("identity");
		assert.same({ category = "pubsub", type = "push" }, { category = identity.attr.category, type = identity.attr.type });
		assert.is_nil(tostring(reply):find("urn:xmpp:push:0", 1, true));
	end);

	it("has an app server that answers pushes as configured", function ()
		local function push(id)
			return st.stanza("iq", { type = "set", to = "push.localhost", id = id })
				:tag("pubsub", { xmlns = "http://jabber.org/protocol/pubsub" })
					:tag("publish", { node = "n1" }):tag("item"):tag("notification", { xmlns = "urn:xmpp:push:0" })
						:tag("x", { xmlns = "jabber:x:data", type = "submit" })
							:tag("field", { var = "FORM_TYPE", type = "hidden" }):text_tag("value", "urn:xmpp:push:summary"):up()
							:tag("field", { var = "message-count" }):text_tag("value", "3"):up()
					:reset();
		end
		assert.equal("result", alice:iq(push("p1")).attr.type);
		local received = app:expect_push();
		assert.same({ "alice@users.localhost/phone", "p1", "n1", "3" },
			{ received.from, received.id, received.node, received.count });
		assert.equal("message-count", received.form[2].var);

		app.answer = { type = "wait", condition = "resource-constraint" };
		assert.same({ "wait", "resource-constraint" }, { alice:iq(push("p2")):get_error() });

		app.answer = "silence";
		alice:send(push("p3"));
		app:reply(app:expect_push(nil, function (candidate) return candidate.id == "p3"; end), "result");
		alice.component:expect { name = "iq", type = "result", id = "p3" };

		assert.has_error(function () app:expect_no_push(); end);
		app:clear();
		app:expect_no_push();
		assert.equal(3, app.count);
		app.answer = "result";
	end);

	it("runs Lua inside the server", function ()
		assert.equal(42, server:admin("return 42"));
		assert.same({ list = { 1, 2.5, "three" }, affiliation = "owner" }, server:admin([[
			local room_jid, bare_jid = ...;
			return { list = { 1, 2.5, "three" }, affiliation = room(room_jid):get_affiliation(bare_jid) };
		]], room, "alice@users.localhost"));
		assert.same({ nil, false, "x" }, { server:admin("return nil, false, ...", "x") });
		assert.equal("rooms.localhost", server:admin("return muc_of('rooms.localhost').module.host"));
		local ok, err = pcall(server.admin, server, "error('on purpose')");
		assert.is_false(ok);
		assert.truthy(err:find("on purpose", 1, true), err);
	end);

	it("reloads modules and the configuration", function ()
		server:reload_module("muc");
		assert.equal("owner", server:admin("return room(...):get_affiliation('alice@users.localhost')", room));
		server:reconfigure { spec_value = 7 };
		server:reload_config();
		assert.equal(7, server:admin("return module:get_option_number('spec_value')"));
	end);

	it("keeps its data over a restart, and over a crash", function ()
		for _, finish in ipairs { "stop", "kill" } do
			local pid = server.pid;
			assert.is_true(process_exists(pid));
			server[finish](server);
			assert.is_false(process_exists(pid));
			assert.is_false(server:is_running());
			local log_length = #server:log();
			server:start_again();
			server:wait_for_log("Hello and welcome to Prosody", nil, log_length);
			assert.equal("owner", server:admin("return room(...):get_affiliation('alice@users.localhost')", room));
		end
	end);

	it("leaves nothing behind", function ()
		local pid, folder = server.pid, server.folder;
		server:close();
		assert.is_false(process_exists(pid));
		assert.equal(os.getenv("KEEP") and "directory" or nil, lfs.attributes(folder, "mode"));
	end);
end);

-- In a process of its own.
describe("a test that fails", function ()
	local source = [[
		describe("a server", function ()
			local server;
			before_each(function () server = require "harness.prosody".start { version = %q }; end);
			after_each(function () server:close(); end);
			it("passes", function () server:admin "module:log('error', 'It is not shown')"; end);
			it("fails", function ()
				server:admin "module:log('warn', 'It is odd'); module:log('error', 'It is\\nbroken'); module:log('info', 'It goes on')";
				error "So it is";
			end);
		end);
	]];

	it("says what its server has complained of, before that is closed", function ()
		local path = os.tmpname();
		assert(os.rename(path, path .. ".lua"));
		files.write(path .. ".lua", source:format(prosody.versions[1]));
		local pipe = assert(io.popen(prosody.root .. "/tools/busted -o plainTerminal " .. path .. ".lua", "r"));
		local output = pipe:read "a";
		assert.is_nil((pipe:close()));
		assert(os.remove(path .. ".lua"));
		local _, to, complaints = output:find("\nComplaints of Prosody [%d.]+ with conference.localhost by [%d:]+, when this failed: fails\n(.-)\n[^ ]");
		assert.truthy(to, output);
		complaints = complaints:gsub("%d%d:%d%d:%d%d conference.localhost:harness_console ", "");
		assert.equal("    warn It is odd\n    error It is | broken", complaints);
		assert.truthy(output:find("So it is", to, true), output);
		assert.falsy(output:find("It is not shown", 1, true), output);
	end);
end);

describe("PostgreSQL of the harness", function ()
	it("keeps what was committed over a stop and a crash, and leaves nothing behind", function ()
		local cluster = postgresql.start();
		local database = cluster:new_database().sql.database;
		cluster:execute(database, "CREATE TABLE things (number integer)");
		for number, finish in ipairs { "stop", "kill" } do
			cluster:execute(database, "INSERT INTO things VALUES (?)", number);
			cluster[finish](cluster);
			assert.is_nil(cluster:connect(database));
			cluster:start_again();
			assert.equal(number, tonumber(cluster:execute(database, "SELECT count(*) AS count FROM things")[1].count));
		end
		local pid, folder = cluster.process:pid(), cluster.folder;
		assert.is_true(process_exists(pid));
		cluster:close();
		assert.is_false(process_exists(pid));
		assert.is_nil(lfs.attributes(folder));
	end);
end);
