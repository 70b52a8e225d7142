-- Clients of this very server that lose their connection: their sessions hibernate (XEP-0198) and are occupants all the while.

local sessions = require "harness.sessions";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local waiting = "waiting.localhost"; -- where hibernating sessions count as present
local forgetful = "forgetful.localhost"; -- which neither remembers nor archives what was said
local slow = "slow.localhost"; -- where rooms are read in many turns

local contentless = "New Message!";

local cut, end_hibernation = sessions.cut, sessions.end_hibernation;

versions.describe("a client whose connection is cut,", function (version)
	local server, muc, room, ann, ann_jid;

	lazy_setup(function ()
		server, muc = muc_service.start_with_clients(version, {
			[waiting] = muc_service.with_body { muc_push_hibernating = false };
			[forgetful] = muc_service.with_body { muc_undelivered_messages = 0 };
			[slow] = muc_service.with_body { muc_push_slice = 0.1 };
		});
	end);

	local function say(body)
		muc:say(room, body);
	end

	local function set_up(host)
		ann, room, ann_jid = muc:new_ann { is_client = true, service = host };
	end

	-- Ann's connection is cut, and she is told of what comes after that.
	local function cut_and_tell()
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
	end

	before_each(function ()
		set_up();
	end);

	after_each(function ()
		for _, client in ipairs(server.clients) do client:close(); end
	end);

	it("gets pushes at once, and none any more when it has resumed", function ()
		say "there";
		assert.same({}, muc:take_pushes());
		cut(ann);
		say "one";
		say "two";
		assert.same({ "ann 1 one", "ann 2 two" }, muc:take_pushes());
		ann:resume();
		ann:expect { body = "two" };
		say "three";
		assert.same({}, muc:take_pushes());
		cut(ann);
		say "four";
		assert.same({ "ann 1 four" }, muc:take_pushes());
	end);

	it("brings no room back from the store by that, and gets its pushes once something else does", function ()
		say "there";
		server:admin([[
			local room = muc.get_room_from_jid(...);
			assert(room:save(nil, true));
			muc.forget_room(room);
		]], room);
		local length = #server:log();
		cut(ann);
		ann:resume();
		cut(ann);
		muc.bob.component:sync();
		assert.is_nil(server:log(length):find("Restoring room", 1, true));
		say "one";
		assert.truthy(server:log(length):find("Restoring room "..room, 1, true));
		assert.same({ "ann 1 one" }, muc:take_pushes());
	end);

	it("gets no push for queued messages when it resumes", function ()
		muc.app.answer = "silence";
		cut(ann);
		say "one";
		say "two";
		ann:resume();
		muc.app.answer = "result";
		assert.equal("1", muc:answer "result");
		assert.same({}, muc:take_pushes());
	end);

	it("gets a push for unacknowledged messages when its session ends, and none again for those that came after", function ()
		ann:go_silent();
		say "unread";
		say "unread too";
		assert.same({}, muc:take_pushes());
		cut_and_tell();
		end_hibernation(ann);
		local pushes = muc:take_pushes();
		assert.equal("ann 3 "..contentless, pushes[#pushes]);
		say "two";
		assert.same({ "ann 4 two" }, muc:take_pushes());
	end);

	it("gets no second push when its session ends and it had read everything before", function ()
		say "read";
		ann:expect { body = "read" };
		ann:sync();
		cut_and_tell();
		end_hibernation(ann);
		say "two";
		assert.same({ "ann 2 two" }, muc:take_pushes());
	end);

	it("gets no second push where the service does not remember the messages", function ()
		set_up(forgetful);
		cut_and_tell();
		end_hibernation(ann);
		say "two";
		assert.same({ "ann 2 two" }, muc:take_pushes());
	end);

	it("gets a push for unacknowledged messages that the service does not remember", function ()
		set_up(forgetful);
		ann:go_silent();
		say "unread";
		cut_and_tell();
		end_hibernation(ann);
		assert.same({ "ann 2 "..contentless }, muc:take_pushes());
	end);

	it("gets pushes from a room that is in its roster, and so gets its presence anyway", function ()
		server:admin("prosody.full_sessions[...].roster[select(2, ...)] = { subscription = 'both', groups = {} }", ann.jid, room);
		server:admin("prosody.full_sessions[...].directed = nil", ann.jid);
		ann:join(room, "Ann");
		assert.is_nil(server:admin("return (prosody.full_sessions[...].directed or {})[select(2, ...)]", ann.jid, room.."/Ann"));
		cut_and_tell();
	end);

	it("gets no second push after a reload of the module, and goes on getting pushes", function ()
		ann:go_silent();
		say "unread";
		cut_and_tell();
		server:reload_module "muc_cloud_notify";
		say "two";
		assert.same({ "ann 2 two" }, muc:take_pushes());
		end_hibernation(ann);
		assert.same({ "ann 3 "..contentless }, muc:take_pushes());
		say "three";
		assert.same({ "ann 4 three" }, muc:take_pushes());
	end);

	it("is watched after a reload of the module", function ()
		server:reload_module "muc_cloud_notify";
		cut_and_tell();
		ann:resume();
		say "two";
		assert.same({}, muc:take_pushes());
	end);

	it("is watched under its present nickname", function ()
		ann:join(room, "Anna");
		cut_and_tell();
		ann:resume();
		say "two";
		assert.same({}, muc:take_pushes());
	end);

	it("gets pushes from every room that it is in", function ()
		local first = room;
		room = muc:new_room { ann_jid };
		ann:join(room, "Ann");
		cut(ann);
		say "here";
		muc:say(first, "there");
		assert.same({ "ann 1 here", "ann 2 there" }, muc:take_pushes());
		ann:resume();
		say "here";
		muc:say(first, "there");
		assert.same({}, muc:take_pushes());
	end);

	it("gets pushes although its room is read meanwhile", function ()
		set_up(slow);
		cut(ann);
		local log_length = #server:log();
		server:admin([[
			local room = room(...);
			for number = 1, 20000 do
				room._affiliations["user"..number.."@elsewhere.example"] = "member";
			end
			module:context("slow.localhost"):fire_event("muc-room-restored", { jid = room.jid, room = room });
			room:broadcast_message(st.message({ type = "groupchat", from = room.jid.."/bob", to = room.jid, id = "held" }, "held"));
			module:log("info", "The message is broadcast");
		]], room);
		assert.equal("held", muc.app:expect_push().summary["last-message-body"]);
		assert.logs_in_order(server, "The message is broadcast", "is pushed to", log_length);
		say "one";
		assert.same({ "ann 2 one" }, muc:take_pushes());
	end);

	it("is watched on a host that is activated later", function ()
		server:admin [[assert(require "core.hostmanager".activate("late.localhost", {}))]];
		local eve = server:client "eve@late.localhost/phone";
		muc.bob:affiliate(room, eve.bare_jid, "member");
		assert.equal("result", muc:enable(eve, "eve"));
		eve:join(room, "Eve");
		cut(eve);
		say "one";
		assert.same({ "eve 1 one" }, muc:take_pushes());
		eve:resume();
		say "two";
		assert.same({}, muc:take_pushes());
	end);

	it("gets pushes when its session ends where hibernating sessions count as present", function ()
		set_up(waiting);
		cut(ann);
		say "one";
		say "two";
		assert.same({}, muc:take_pushes());
		end_hibernation(ann);
		local pushes = muc:take_pushes();
		assert.equal("ann 2 two", pushes[#pushes]);
		say "three";
		assert.same({ "ann 3 three" }, muc:take_pushes());
	end);
end);
