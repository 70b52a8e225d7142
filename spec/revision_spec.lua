-- What is taken back is not told: messages that wait for their push are retracted (XEP-0424), moderated (XEP-0425) or
-- corrected (XEP-0308).

local st = require "util.stanza";
local xml = require "util.xml";

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local important = "New Message!";
local xmlns_sid = "urn:xmpp:sid:0";

local function retraction(id)
	return ("<retract xmlns='urn:xmpp:message-retract:1' id='%s'/>"):format(id);
end

local function old_retraction(id)
	return ("<apply-to xmlns='urn:xmpp:fasten:0' id='%s'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>"):format(id);
end

local function correction(id)
	return ("<replace xmlns='urn:xmpp:message-correct:0' id='%s'/>"):format(id);
end

local function moderation(stanza_id)
	return ("<moderate xmlns='urn:xmpp:message-moderate:1' id='%s'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>"):format(stanza_id);
end

local function old_moderation(stanza_id)
	return ("<apply-to xmlns='urn:xmpp:fasten:0' id='%s'><moderate xmlns='urn:xmpp:message-moderate:0'>"):format(stanza_id)
		.."<retract xmlns='urn:xmpp:message-retract:0'/></moderate></apply-to>";
end

-- The ids that a message can be named by.
local function ids_of(message)
	local ids = { id = message.attr.id };
	for child in message:childtags(nil, xmlns_sid) do
		ids[child.name] = child.attr.id;
	end
	return ids;
end

versions.describe("revision", function (version)
	local server, muc;
	local message_count = 0;
	local plain_service = "plain.localhost";

	lazy_setup(function ()
		local function options(modules)
			return muc_service.with_body {
				modules_enabled = modules;
				muc_push_default = "always";
				muc_push_retry_delay = 0.1;
				muc_push_max_retry_delay = 1;
				muc_room_default_persistent = true;
			};
		end
		server, muc = muc_service.start(version, {
			community_modules = true;
			muc = options { "muc_cloud_notify", "muc_mam", "muc_moderation" };
			mucs = { [plain_service] = options { "muc_cloud_notify" } };
		});
	end);

	after_each(function ()
		muc.app:start_anew();
	end);

	-- Says something and returns the ids that it can be named by.
	local function say(user, room, body, extra)
		message_count = message_count + 1;
		local origin_id = ("<origin-id xmlns='%s' id='origin-%d'/>"):format(xmlns_sid, message_count);
		user:say(room, body, origin_id..(extra or ""), { id = "message-"..message_count });
		return ids_of(user:expect { name = "message", id = "message-"..message_count });
	end

	local function ask_room(user, room, payload)
		local reply = user:iq(st.stanza("iq", { type = "set", to = room }):add_child(xml.parse(payload)));
		assert.equal("result", reply.attr.type, tostring(reply));
		user.component:sync();
	end

	-- A room in which one push is in flight, for "told", and another one waits, for "secret". Returns the room, the ids of
	-- that message, and the push.
	local function busy(service)
		local _, room = muc:new_device("n1", service);
		muc.app.answer = "silence";
		say(muc.bob, room, "told");
		local push = muc.app:expect_push();
		return room, say(muc.bob, room, "secret"), push;
	end

	-- What the next push says: message-count and text.
	local function next_push()
		local push = muc.app:expect_push();
		return { push.count, push.summary["last-message-body"] };
	end

	-- The pushes for "told" and for what waits have ended. What comes after that says how many messages count.
	local function finish(room, push, waiting)
		muc.app.answer = "result";
		muc.app:reply(push, "result");
		if waiting then
			assert.same(waiting, next_push());
		end
		muc.app:expect_no_push();
		local count = waiting and tonumber(waiting[1]) or 1;
		say(muc.bob, room, "new");
		assert.same({ tostring(count + 1), "new" }, next_push());
	end

	-- Carol is in the room too, and no moderator.
	local function carol(room)
		local user = server:user("carol@users.localhost/phone");
		user:join(room, "carol");
		return user;
	end

	local retractions = {
		{ "by its stanza-id", function (ids) return retraction(ids["stanza-id"]); end };
		{ "by its origin-id", function (ids) return retraction(ids["origin-id"]); end };
		{ "by its id", function (ids) return retraction(ids.id); end };
		{ "by an older client", function (ids) return old_retraction(ids["origin-id"]); end };
	};

	for _, case in ipairs(retractions) do
		it("does not tell what its author retracts "..case[1], function ()
			local room, ids, push = busy();
			assert.truthy(ids["stanza-id"]);
			say(muc.bob, room, nil, case[2](ids));
			finish(room, push, nil);
		end);

		it("tells what another occupant retracts "..case[1], function ()
			local room, ids, push = busy();
			say(carol(room), room, nil, case[2](ids));
			finish(room, push, { "2", "secret" });
		end);
	end

	it("does not tell what is moderated", function ()
		local ways = version == "0.12" and { old_moderation } or { old_moderation, moderation };
		for _, way in ipairs(ways) do
			local room, ids, push = busy();
			ask_room(muc.bob, room, way(ids["stanza-id"]));
			finish(room, push, nil);
		end
	end);

	it("tells what a moderation that is no room's is about", function ()
		local room, ids, push = busy();
		local user = carol(room);
		say(user, room, nil, ("<retract xmlns='urn:xmpp:message-retract:1' id='%s'><moderated xmlns='urn:xmpp:message-moderate:1'/></retract>")
			:format(ids["stanza-id"]));
		finish(room, push, { "2", "secret" });
	end);

	it("tells the new text of what is corrected", function ()
		local room, ids, push = busy();
		say(muc.bob, room, "first correction", correction(ids.id));
		say(muc.bob, room, "second correction", correction(ids.id));
		finish(room, push, { "2", "second correction" });
	end);

	it("tells the old text of what another occupant corrects", function ()
		local room, ids, push = busy();
		say(carol(room), room, "not mine", correction(ids.id));
		finish(room, push, { "2", "secret" });
	end);

	it("tells of what is left without words", function ()
		local room, _, push = busy();
		say(muc.bob, room, nil, retraction(say(muc.bob, room, "another one").id));
		finish(room, push, { "2", important });
	end);

	it("does not tell it again when the push in flight fails", function ()
		local _, room = muc:new_device("n1");
		muc.app.answer = "silence";
		local ids = say(muc.bob, room, "secret");
		local push = muc.app:expect_push();
		say(muc.bob, room, nil, retraction(ids["stanza-id"]));
		muc.app.answer = "result";
		muc.app:reply(push, { type = "wait", condition = "resource-constraint" });
		assert.is_nil(muc.app:next_push(0.3));
		say(muc.bob, room, "new");
		assert.same({ "1", "new" }, next_push());
	end);

	it("works without an archive, by the author's ids", function ()
		for _, revision in ipairs { retraction, old_retraction } do
			for _, name in ipairs { "id", "origin-id" } do
				local room, ids, push = busy(plain_service);
				assert.is_nil(ids["stanza-id"]);
				say(muc.bob, room, nil, revision(ids[name]));
				finish(room, push, nil);
			end
		end
		local room, ids, push = busy(plain_service);
		say(muc.bob, room, "corrected", correction(ids.id));
		finish(room, push, { "2", "corrected" });
	end);

	-- Stops the server and starts it again; revise() is called while the app server is not there yet. Returns what the first
	-- push says.
	local function restart(revise)
		server:stop();
		server:start_again();
		muc.bob = server:user("bob@users.localhost/desk");
		revise();
		muc.app = server:app_server("push.localhost");
		return next_push();
	end

	-- Ann has a device, and is in a new room with Bob and everybody else who is there: nobody is absent. Bob says "secret"; after
	-- revise(room, ids) that alone comes back from Ann's session, and nothing of what was said later. Returns what is pushed.
	local function bounced_alone(revise, service)
		local ann, room = muc:new_ann { service = service };
		say(muc.bob, room, "before");
		local ids = say(muc.bob, room, "secret");
		revise(room, ids);
		muc.bob.component:sync();
		assert.same({}, muc:take_pushes());
		undelivered.bounce(ann, room.."/bob", ids.id);
		return muc:take_pushes();
	end

	for _, case in ipairs(retractions) do
		it("does not tell what comes back after its author has retracted it "..case[1].." in a quiet room", function ()
			assert.same({}, bounced_alone(function (room, ids) say(muc.bob, room, nil, case[2](ids)); end));
		end);

		it("tells what comes back after another occupant has retracted it "..case[1].." in a quiet room", function ()
			assert.same({ "ann 1 secret" }, bounced_alone(function (room, ids)
				local user = carol(room);
				say(user, room, nil, case[2](ids));
				user:leave(room);
			end));
		end);
	end

	it("does not tell what comes back after it was moderated in a quiet room", function ()
		for _, way in ipairs(version == "0.12" and { old_moderation } or { old_moderation, moderation }) do
			assert.same({}, bounced_alone(function (room, ids) ask_room(muc.bob, room, way(ids["stanza-id"])); end));
		end
	end);

	it("tells the new text of what comes back after it was corrected in a quiet room", function ()
		for _, service in ipairs { server.muc_host, plain_service } do
			assert.same({ "ann 1 corrected" }, bounced_alone(function (room, ids) say(muc.bob, room, "corrected", correction(ids.id)); end, service));
			assert.same({ "ann 1 secret" }, bounced_alone(function (room) say(muc.bob, room, "new", correction "another"); end, service));
			assert.same({ "ann 1 secret" }, bounced_alone(function (room) say(muc.bob, room, "new"); end, service));
		end
	end);

	it("costs a look at a message in a quiet room, and nothing where nobody has a device", function ()
		local _, room = muc:new_ann();
		local without_devices = muc:new_room {};
		server:admin([[
			local absent_members, counted = prosody.hosts[module.host].modules.muc_cloud_notify.absent_members, {};
			local engine;
			for i = 1, 10 do
				local name, value = debug.getupvalue(absent_members, i);
				if name == "engine" then engine = value; end
			end
			for name, method in pairs(engine) do
				engine[name] = function (...)
					counted[name] = (counted[name] or 0) + 1;
					return method(...);
				end;
			end
			module.calls = counted;
		]]);
		local function calls(in_room, extra)
			say(muc.bob, in_room, "hello"); -- from now on it is known to be quiet
			server:admin "for name in pairs(module.calls) do module.calls[name] = nil; end";
			for _ = 1, 10 do say(muc.bob, in_room, "hello", extra); end
			return server:admin "return module.calls";
		end
		assert.same({}, calls(room));
		assert.same({ coverage = 10, handle_message = 10 }, calls(room, correction "x"));
		assert.same({}, calls(without_devices));
		assert.same({}, calls(without_devices, correction "x"));
		muc:manage "reload";
	end);

	it("does not store what was taken back before a stop", function ()
		local room, ids = busy();
		say(muc.bob, room, nil, retraction(ids["stanza-id"]));
		assert.same({ "1", "told" }, restart(function () end));
		muc.app:expect_no_push();
	end);

	it("does not tell what is taken back after the next start", function ()
		local room, ids = busy();
		assert.same({ "1", important }, restart(function ()
			muc.bob:join(room, "bob");
			say(muc.bob, room, nil, retraction(ids["stanza-id"]));
		end));
		muc.app:expect_no_push();
	end);

	it("tells the new text of what is corrected after the next start", function ()
		local room, ids = busy();
		assert.same({ "2", "corrected" }, restart(function ()
			muc.bob:join(room, "bob");
			say(muc.bob, room, "corrected", correction(ids.id));
		end));
	end);

	it("does not tell what is moderated after the next start", function ()
		local room, ids = busy();
		assert.same({ "1", important }, restart(function ()
			muc.bob:join(room, "bob");
			ask_room(muc.bob, room, old_moderation(ids["stanza-id"]));
		end));
	end);

	it("tells what another occupant retracts after the next start", function ()
		local room, ids = busy();
		assert.same({ "2", "secret" }, restart(function ()
			say(carol(room), room, nil, retraction(ids["stanza-id"]));
		end));
	end);
end);
