-- Errors whose <error/> has the namespace of another kind of stream: they mean what they say.

local st = require "util.stanza";

local muc_service = require "spec.support.muc_service";
local prosody = require "harness.prosody";
local storage = require "spec.support.storages"[1];
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local xmlns_stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";

local function error_xml(xmlns, error_type, condition, condition_xmlns)
	return ("<error xmlns='%s' type='%s'><%s%s/></error>"):format(xmlns, error_type, condition,
		condition_xmlns and (" xmlns='%s'"):format(condition_xmlns) or "");
end

versions.describe("an error in another namespace", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			plugin_paths = { prosody.root .. "/spec/support/modules" };
			muc = muc_service.with_body {
				modules_enabled = { "muc_cloud_notify", "spec_undelivered" };
				muc_push_default = "always", muc_room_default_persistent = true;
				push_max_errors = 2, muc_push_retry_delay = 0.1;
			};
		});
	end);

	after_each(function () muc.app:start_anew(); end);

	-- Answers the next push with XML in an error.
	local function answer(xml)
		local push = muc.app:expect_push();
		muc.app.component:send(("<iq type='error' id='%s' from='%s' to='%s'>%s</iq>"):format(push.id, push.to, push.from, xml));
	end

	local function is_registered(bare_jid)
		return storage.read(server, bare_jid) ~= nil;
	end

	for _, xmlns in ipairs { "jabber:client", "jabber:server", "jabber:component:accept", "" } do
		for _, condition_xmlns in ipairs { xmlns_stanzas, false } do
			local title = ("(%q, condition in %s)"):format(xmlns, condition_xmlns or "the same");

			it("is transient where it says wait, and retried " .. title, function ()
				muc.app.answer = "silence";
				local _, room, bare_jid = muc:new_device "n1";
				muc:say(room, "hello");
				for _ = 1, 3 do answer(error_xml(xmlns, "wait", "resource-constraint", condition_xmlns)); end
				muc.app:reply(muc.app:expect_push(), "result");
				muc.app:expect_no_push();
				assert.is_true(is_registered(bare_jid));
			end);

			it("is a lasting one where it says so " .. title, function ()
				muc.app.answer = "silence";
				local _, room, bare_jid = muc:new_device "n1";
				for _ = 1, 2 do
					assert.is_true(is_registered(bare_jid));
					muc:say(room, "hello");
					answer(error_xml(xmlns, "cancel", "item-not-found", condition_xmlns));
					muc.app:expect_no_push();
				end
				assert.is_false(is_registered(bare_jid));
			end);

			it("says that a server could not be reached where it does " .. title, function ()
				muc.app.answer = "silence";
				local _, room, bare_jid = muc:new_device "n1";
				muc:say(room, "hello");
				for _ = 1, 2 do answer(error_xml(xmlns, "cancel", "remote-server-not-found", condition_xmlns)); end
				muc.app:reply(muc.app:expect_push(), "result");
				assert.is_true(is_registered(bare_jid));
			end);
		end
	end

	it("is none where its namespace is not that of a stanza", function ()
		muc.app.answer = "silence";
		local _, room, bare_jid = muc:new_device "n1";
		for _ = 1, 2 do
			muc:say(room, "hello");
			answer(error_xml("urn:example", "wait", "resource-constraint"));
			muc.app:expect_no_push();
		end
		assert.is_false(is_registered(bare_jid));
	end);

	it("is not looked at beside one in the right namespace", function ()
		muc.app.answer = "silence";
		local _, room, bare_jid = muc:new_device "n1";
		for _ = 1, 2 do
			muc:say(room, "hello");
			answer(error_xml("jabber:client", "wait", "resource-constraint")
				.. ("<error type='cancel'><item-not-found xmlns='%s'/></error>"):format(xmlns_stanzas));
			muc.app:expect_no_push();
		end
		assert.is_false(is_registered(bare_jid));
	end);

	it("has its condition in the event for a message that comes back, wherever mod_muc kicks for it", function ()
		local observer = undelivered.new(server);
		for xml, condition in pairs {
			[error_xml("jabber:client", "cancel", "recipient-unavailable", xmlns_stanzas)] = "recipient-unavailable";
			[error_xml("jabber:client", "cancel", "gone")] = "gone";
			[error_xml("jabber:client", "wait", "resource-constraint", xmlns_stanzas)] = "resource-constraint";
			[tostring(st.stanza("other", { xmlns = "urn:example" }))] = "malformed error";
		} do
			local ann, room = muc:new_ann();
			muc:say(room, "hello");
			observer:seen();
			undelivered.bounce(ann, room .. "/bob", ann:expect({ name = "message", body = "hello" }).attr.id, { error = xml });
			assert.is_false(observer:is_present(room, ann));
			assert.same({ condition }, observer:pluck "condition");
			assert.same({ "ann 1 hello" }, muc:take_pushes());
		end
	end);

	it("is no bounce where mod_muc does not kick for it", function ()
		local observer = undelivered.new(server);
		local ann, room = muc:new_ann();
		muc:say(room, "hello");
		observer:seen();
		local id = ann:expect({ name = "message", body = "hello" }).attr.id;
		undelivered.bounce(ann, room .. "/bob", id, { error = "<error type='cancel'><recipient-unavailable/></error>" });
		assert.is_true(observer:is_present(room, ann));
		assert.same({}, observer:pluck "condition");
		assert.same({}, muc:take_pushes());
	end);
end);
