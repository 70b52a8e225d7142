-- A client that loses its connection and has enabled pushes with its own server too (mod_cloud_notify), which is then in charge.

local loop = require "harness.loop";
local sessions = require "harness.sessions";
local client_in_room = require "spec.support.client_in_room";
local versions = require "spec.support.versions";

local contentless = "New Message!";

local cut, end_hibernation = sessions.cut, sessions.end_hibernation;

versions.describe("a client whose connection is cut and has push enabled on its account,", function (version)
	local server, muc, ann, room;

	local say = client_in_room.prepare(version, function (...) server, muc, ann, room = ...; end);

	-- The texts of the pushes of its own server; there must be no others.
	local function of_account()
		local texts = {};
		muc.app.component:sync();
		for _, push in ipairs(muc.app.pushes) do
			assert.same({ "localhost", "account" }, { push.from, push.node });
			table.insert(texts, push.summary["last-message-body"]);
		end
		muc.app:clear();
		return texts;
	end

	before_each(function ()
		assert.equal("result", ann:enable({ to = ann.bare_jid, jid = muc.app.jid, node = "account" }).attr.type);
		ann:sync();
	end);

	it("gets pushes from its own server, and none from the room", function ()
		cut(ann);
		say "one";
		assert(loop.wait_until(function () return muc.app.pushes[1]; end));
		assert.same({ contentless }, of_account());
		end_hibernation(ann);
		assert.same({}, of_account());
		say "two";
		assert.same({ "ann 1 two" }, muc:take_pushes());
	end);

	it("gets pushes from the room once its own server has given up meanwhile", function ()
		say "there";
		cut(ann);
		server:admin("prosody.full_sessions[...].push_identifier = nil", ann.jid); -- as mod_cloud_notify does after too many errors
		say "one"; -- by which it is noticed
		muc.app.component:sync();
		muc.app:clear();
		say "two";
		assert.same({ "ann 1 two" }, muc:take_pushes());
	end);

	it("gets pushes from the room once its account's push is disabled", function ()
		assert.equal("result", ann:disable({ to = ann.bare_jid, jid = muc.app.jid, node = "account" }).attr.type);
		cut(ann);
		say "one";
		assert.same({ "ann 1 one" }, muc:take_pushes());
	end);

	it("gets pushes from the room for a session without it, once no other one is there", function ()
		local tablet = server:client(ann.bare_jid.."/tablet");
		tablet:join(room, "Ann");
		cut(tablet);
		say "one";
		assert.same({}, muc:take_pushes());
		ann:leave(room);
		say "two";
		assert.same({ "ann 1 two" }, muc:take_pushes());
	end);
end);
