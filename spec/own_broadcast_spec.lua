-- Modules that have a say in what a room broadcasts: one that sends the message itself, and filters.

local prosody = require "harness.prosody";

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

versions.describe("a message that another module broadcasts", function (version)
	local server, muc, observer;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			plugin_paths = { prosody.root .. "/spec/support/modules" };
			muc = muc_service.with_body {
				modules_enabled = { "muc_cloud_notify", "spec_broadcaster", "spec_undelivered" };
				muc_push_default = "always", muc_room_default_persistent = true;
			};
		});
		observer = undelivered.new(server);
	end);

	local function switch(is_on)
		server:admin("prosody.hosts[module.host].modules.spec_broadcaster.module.is_on = ...", is_on);
	end

	-- A filter for one message, given as the text of a function's body.
	local function filter(priority, body)
		server:admin([[
			local priority, body = ...;
			local filter = assert(load("local event = ...; " .. body));
			local function once(event)
				module:unhook("muc-broadcast-message", once);
				return filter(event);
			end
			module:hook("muc-broadcast-message", once, priority);
		]], priority, body);
	end

	before_each(function () switch(true); end);
	after_each(function () switch(false); end);

	it("is pushed, and sent once", function ()
		local _, room = muc:new_device "n1";
		muc:say(room, "hello");
		assert.same({ "n1 1 hello" }, muc:take_pushes());
		muc.bob:expect { name = "message", body = "hello" };
		muc.bob:expect_nothing { name = "message", body = "hello" };
	end);

	it("is pushed where the room has not been read, and where it is quiet no more", function ()
		local user, room = muc:new_device "n2";
		user:join(room, "Ann");
		muc:say(room, "while she is there");
		user:leave(room);
		muc:say(room, "hello");
		assert.same({ "n2 1 hello" }, muc:take_pushes());
	end);

	it("is known when it bounces", function ()
		local ann, room = muc:new_ann();
		muc:say(room, "lunch?");
		local sent = ann:expect { name = "message", body = "lunch?" };
		observer:seen();
		undelivered.bounce(ann, room .. "/bob", sent.attr.id);
		assert.same({ "lunch?" }, observer:bodies());
		assert.same({ "ann 1 lunch?" }, muc:take_pushes());
	end);

	for _, priority in ipairs { 0, -1, -49 } do
		it("is not pushed where a filter stops it at priority " .. priority, function ()
			local _, room = muc:new_device "n3";
			filter(priority, "return true;");
			muc:say(room, "spam");
			assert.same({}, muc:take_pushes());
		end);

		it("is told as a filter leaves it at priority " .. priority, function ()
			local _, room = muc:new_device "n4";
			filter(priority, "event.stanza:get_child('body')[1] = 'changed';");
			muc:say(room, "unchanged");
			assert.same({ "n4 1 changed" }, muc:take_pushes());
		end);
	end
end);
