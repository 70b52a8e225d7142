-- Bounces of messages that the service has forgotten, or has in its archive alone.

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local forgetful = "forgetful.localhost"; -- which neither remembers nor archives what was said
local archiving = "archiving.localhost"; -- which does not remember it, but has it in an archive

local contentless = "New Message!";

versions.describe("a bounced message", function (version)
	local server, muc, room, ann, ann_jid;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			mucs = {
				[forgetful] = {
					modules_enabled = { "muc_cloud_notify" };
					push_notification_with_body = true; muc_undelivered_messages = 0;
				};
				[archiving] = {
					modules_enabled = { "muc_cloud_notify", "muc_mam" }; muc_room_default_persistent = true;
					push_notification_with_body = true; muc_undelivered_messages = 0;
				};
			};
		});
	end);

	local function become_public()
		server:admin("room(...):set_public(true)", room);
	end

	local function say(body)
		local id = muc.bob:say(room, body);
		muc.bob.component:sync();
		return id;
	end

	local function bounce(user, id)
		undelivered.bounce(user, room.."/bob", id);
	end

	describe("that is forgotten", function ()
		before_each(function ()
			ann, room, ann_jid = muc:new_ann { service = forgetful };
		end);

		it("is pushed without a text, and once", function ()
			local id = say "hello";
			bounce(ann, id);
			bounce(ann, id);
			assert.same({ "ann 1 "..contentless }, muc:take_pushes());
			say "and more";
			assert.same({ "ann 2 and more" }, muc:take_pushes());
		end);

		it("is not pushed where only mentions are", function ()
			become_public();
			bounce(ann, say "hello, Ann");
			say "and more, Ann";
			assert.same({ "ann 1 and more, Ann" }, muc:take_pushes());
		end);
	end);

	describe("that is in the archive alone", function ()
		before_each(function ()
			ann, room, ann_jid = muc:new_ann { service = archiving };
		end);

		it("is pushed with its text, and those that bounce with it are counted in their order", function ()
			local ids = { say "one", say "two" };
			for _, id in ipairs(ids) do bounce(ann, id); end
			assert.same({ "ann 1 one", "ann 2 two" }, muc:take_pushes());
			say "three";
			assert.same({ "ann 3 three" }, muc:take_pushes());
		end);

		it("is pushed once when it bounces from two sessions", function ()
			local tablet = server:user(ann_jid.."/tablet");
			tablet:join(room, "Ann");
			local id = say "hello";
			bounce(ann, id);
			bounce(tablet, id);
			assert.same({ "ann 1 hello" }, muc:take_pushes());
		end);

		it("is not pushed in a public room if it mentions nobody, and is if it does", function ()
			become_public();
			local ids = { say "hello", say "hello, Ann" };
			for _, id in ipairs(ids) do bounce(ann, id); end
			assert.same({ "ann 1 hello, Ann" }, muc:take_pushes());
		end);
	end);
end);
