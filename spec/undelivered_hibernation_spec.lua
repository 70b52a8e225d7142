-- mod_muc_undelivered and a client that loses its connection: what XEP-0198 has kept for it bounces.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

versions.describe("mod_muc_undelivered and stream management", function (version)
	local server, service;

	lazy_setup(function ()
		server = prosody.start {
			version = version; c2s = true;
			components = { "users.localhost" };
			plugin_paths = undelivered.plugin_paths;
			global = { modules_enabled = { "smacks" }; smacks_hibernation_time = 3 };
			muc = { modules_enabled = { "muc_undelivered", "spec_undelivered" } };
		};
		service = undelivered.new(server);
	end);

	it("reports each message that was not acknowledged, and no other", function ()
		local room = service:new_room();
		local bob, carl = service:user "bob/desk", service:user "carl/desk";
		bob:create_room(room, "Bob");
		carl:join(room, "Carl");
		local ann = server:client "ann@localhost/phone";
		ann:join(room, "Ann");
		undelivered.say(bob, room, "acknowledged");
		ann:expect { body = "acknowledged" };
		assert.truthy(loop.wait_until(function ()
			return server:admin("return prosody.full_sessions[...].outgoing_stanza_queue:count_unacked()", ann.jid) == 0;
		end, nil, 0.005));
		ann:go_silent();
		undelivered.say(bob, room, "one");
		ann:cut();
		undelivered.say(carl, room, "two");
		assert.same({}, service:bodies());
		assert.truthy(loop.wait_until(function ()
			return not server:admin("return room(...):get_occupant_jid(select(2, ...))", room, ann.jid);
		end, nil, 0.05));
		server:settle();
		local seen = service:seen();
		local got = {};
		for i, event in ipairs(seen) do
			got[i] = table.concat({ event.real_jid, event.nick:match("/(.*)"), event.from:match("/(.*)"), event.body, event.condition }, " ");
		end
		assert.same({ "ann@localhost/phone Ann Bob one recipient-unavailable", "ann@localhost/phone Ann Carl two recipient-unavailable" }, got);
	end);
end);
