-- What earlier modules of this kind got wrong, one case each. The number is that of the entry in our list of
-- their defects; those without one are of mod_cloud_notify.

local st = require "util.stanza";

local prosody = require "harness.prosody";
local muc_service = require "spec.support.muc_service";
local storage = require "spec.support.storages"[1];
local versions = require "spec.support.versions";

local service = "conference.localhost";
local rejection = { type = "cancel", condition = "item-not-found" };

local function mention(attributes)
	return "<reference xmlns='urn:xmpp:reference:0' type='mention' " .. attributes .. "/>";
end

versions.describe("regressions", function (version)
	local server, muc, app, log_length;

	local function enable(user, node, options)
		return user:enable { jid = options and options.jid or app.jid, node = node, form = options and options.form, to = options and options.to };
	end

	-- A member of a new room, with a device whose node is the bare JID.
	local function member(options)
		local user, room, bare_jid = muc:new_member(options);
		assert.equal("result", enable(user, bare_jid, { to = options and options.service }).attr.type);
		return user, room, bare_jid;
	end

	-- The nodes that a message is pushed to.
	local function pushed(room, body, children)
		muc.bob:say(room, body, children);
		return app:take_nodes();
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "remote.example", "push.localhost" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_push_app_servers = { "push.localhost", "users.localhost", service },
				muc_push_default = "always", muc_push_retry_delay = 0.1, muc_room_default_persistent = true,
				push_max_devices = 3, push_max_errors = 3 };
			mucs = { ["mentions.localhost"] = { modules_enabled = { "muc_cloud_notify" }, muc_push_default = "on-mention" } };
		};
		muc = muc_service.new(server);
		app = muc.app;
	end);

	before_each(function ()
		log_length = #server:log();
		app.answer = "result";
		app:clear();
	end);

	after_each(function ()
		assert.log_is_clean(server, log_length);
	end);

	it("1: a mention by its range is compared without an error", function ()
		local _, room, bare_jid = member { service = "mentions.localhost" };
		muc.bob:affiliate(room, bare_jid, "member", "Mia");
		assert.same({ bare_jid }, pushed(room, "hiMiamaria", mention "begin='2' end='5'"));
		assert.same({}, pushed(room, "hiMiamaria", mention "begin='1' end='4'"));
	end);

	it("2: disabling removes what enabling has stored", function ()
		local user, room, bare_jid = member();
		assert.truthy(storage.read(server, bare_jid));
		assert.equal("result", user:disable({ jid = app.jid, node = bare_jid }).attr.type);
		assert.is_nil(storage.read(server, bare_jid) or storage.read(server, bare_jid:match("^[^@]+")));
		assert.same({}, pushed(room, "hello"));
	end);

	it("3: users of other servers are known by the sender of their request", function ()
		local _, room, bare_jid = member { host = "remote.example" };
		assert.truthy(storage.read(server, "member-" .. muc.member_count .. "@remote.example"));
		assert.same({ bare_jid }, pushed(room, "hello"));
	end);

	it("4: everybody mentioned gets a push, also after somebody without a device", function ()
		local _, room, first = member { service = "mentions.localhost" };
		muc.bob:affiliate(room, first, "member", "First");
		local second = "second-4@users.localhost";
		enable(server:user(second .. "/phone"), second, { to = "mentions.localhost" });
		muc.bob:affiliate(room, second, "member", "Second");
		assert.same({ first, second }, pushed(room, "nobody, First and Second", mention "uri='xmpp:nobody@users.localhost'"
			.. mention("uri='xmpp:" .. room .. "/First'") .. mention("uri='xmpp:" .. room .. "/Second'")));
		assert.same({ second }, pushed(room, "hello", mention("uri='xmpp:" .. room .. "/Second'")));
	end);

	it("5: a mention needs no range, and may be by a nickname that is not registered", function ()
		local user, room, bare_jid = member { service = "mentions.localhost" };
		muc.bob:affiliate(room, bare_jid, "member", "Registered");
		assert.same({}, pushed(room, "hello"));
		user:join(room, "Other");
		user:leave(room);
		assert.same({ bare_jid }, pushed(room, "hello", mention("uri='xmpp:" .. bare_jid .. "'")));
		assert.same({ bare_jid }, pushed(room, "hello", mention("uri='xmpp:" .. room .. "/Other'")));
		assert.same({}, pushed(room, "hello", mention("uri='xmpp:" .. room .. "/Another'")));
	end);

	it("6: a range is counted in code points, and one that is wrong does no harm", function ()
		local _, room, bare_jid = member { service = "mentions.localhost" };
		muc.bob:affiliate(room, bare_jid, "member", "Éva");
		assert.same({ bare_jid }, pushed(room, "ÉÉÉvaÉ", mention "begin='2' end='5'"));
		assert.same({}, pushed(room, "ÉÉÉvaÉ", mention "begin='40' end='50'"));
		assert.same({}, pushed(room, nil, mention "begin='0' end='3'"));
	end);

	it("7: one mention that means nobody does not stop the others", function ()
		local _, room, bare_jid = member { service = "mentions.localhost" };
		assert.same({ bare_jid }, pushed(room, "hello", mention("uri='xmpp:" .. room .. "/unknown'") .. mention "begin='0' end='5'"
			.. mention("uri='xmpp:" .. bare_jid .. "'")));
		assert.same({}, pushed(room, "hello", mention("uri='xmpp:" .. room .. "/unknown'")));
	end);

	it("8: a device is removed after too many errors", function ()
		local _, room, bare_jid = member();
		app.answer = rejection;
		for _ = 1, 3 do
			assert.truthy(storage.read(server, bare_jid));
			assert.same({ bare_jid }, pushed(room, "hello"));
		end
		assert.is_nil(storage.read(server, bare_jid));
		assert.same({}, pushed(room, "hello"));
	end);

	it("9: pushes at the same time have ids of their own, and errors count for one device alone", function ()
		local user, room = muc:new_member();
		local other = server:user("other-9@users.localhost/phone");
		muc.bob:affiliate(room, other.bare_jid, "member");
		enable(user, "same-node", { form = { { "secret", "of user" } } });
		enable(other, "same-node", { form = { { "secret", "of other" } } });
		app.answer = function (push) return tostring(push.options):find("of user", 1, true) and rejection or "result"; end;
		local ids = {};
		for _ = 1, 3 do
			muc:say(room);
			for _ = 1, 2 do
				local id = app:expect_push().id;
				assert.is_nil(ids[id]);
				ids[id] = true;
			end
		end
		assert.is_nil(storage.read(server, user.bare_jid));
		assert.truthy(storage.read(server, other.bare_jid));
		assert.same({ "same-node" }, pushed(room, "hello"));
	end);

	it("10: an answer after disabling does no harm, and errors are counted over a reload", function ()
		local user, room, bare_jid = member();
		app.answer = "silence";
		muc:say(room);
		user:disable { jid = app.jid };
		local push = app:expect_push();
		app:reply(push, rejection);
		app:reply(push, "result");
		assert.equal("result", enable(user, bare_jid).attr.type);
		app.answer = rejection;
		assert.same({ bare_jid }, pushed(room, "one"));
		assert.same({ bare_jid }, pushed(room, "two"));
		server:reload_module("muc_cloud_notify");
		assert.truthy(storage.read(server, bare_jid));
		assert.same({ bare_jid }, pushed(room, "three"));
		assert.is_nil(storage.read(server, bare_jid));
	end);

	it("11: another module can ask for a push without a message", function ()
		local _, _, bare_jid = member();
		server:admin("module:fire_event('cloud-notify-ping', { user = ... })", bare_jid);
		assert.equal(bare_jid, app:expect_push().node);
		server:admin("module:fire_event('cloud-notify-ping', { user = 'nobody@users.localhost' })");
		app:expect_no_push();
	end);

	it("12: the service says that it can push", function ()
		local function has_feature()
			local disco = st.stanza("iq", { type = "get", to = service }):tag("query", { xmlns = "http://jabber.org/protocol/disco#info" });
			return tostring(muc.bob:iq(disco:reset())):find("urn:xmpp:push:0", 1, true) ~= nil;
		end
		muc:manage "unload";
		assert.is_false(has_feature());
		muc:manage "load";
		assert.is_true(has_feature());
	end);

	it("13: an encrypted message needs no body", function ()
		local _, room, bare_jid = member();
		assert.same({ bare_jid }, pushed(room, nil, "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AA==</payload></encrypted>"));
		assert.same({}, pushed(room, nil, "<encrypted xmlns='urn:example:spec'><payload>AA==</payload></encrypted>"));
	end);

	it("14: presence is not a question of nicknames", function ()
		local user, room, bare_jid = member();
		local other = server:user("other@users.localhost/phone");
		user:join(room, "Nick");
		user:leave(room);
		other:join(room, "Nick");
		assert.same({ bare_jid }, pushed(room, "hello"));
		user:join(room, "another nickname");
		assert.same({}, pushed(room, "hello"));
	end);

	it("15: former members get no push, and rooms that are gone cause none", function ()
		local _, room, bare_jid = member();
		assert.same({ bare_jid }, pushed(room, "hello"));
		for _, affiliation in ipairs { "none", "outcast" } do
			muc.bob:affiliate(room, bare_jid, affiliation);
			assert.same({}, pushed(room, "hello"));
		end
		local doomed = muc:new_room { bare_jid };
		app.answer = "silence";
		muc:say(doomed, "one");
		muc:say(doomed, "two");
		muc.bob:destroy_room(doomed);
		app:reply(app:expect_push(), "result");
		app:expect_no_push();
	end);

	it("16: corrections and retractions cause no push, and messages that come at once share one", function ()
		local _, room, bare_jid = member();
		assert.same({}, pushed(room, "corrected", "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>"));
		assert.same({}, pushed(room, "retracted", "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>"));
		app.answer = "silence";
		for _ = 1, 3 do muc:say(room); end
		app.answer = "result";
		app:reply(app:expect_push(), "result");
		assert.equal(bare_jid, app:expect_push().node);
		app:expect_no_push();
	end);

	it("17: a flood is kept as one push a device", function ()
		local _, room, bare_jid = member();
		app.answer = "silence";
		muc:say(room, "flood"); -- which is pushed by itself, where a batch of the journal would hold more of it
		for _ = 2, 100 do
			muc.bob:say(room, "flood");
		end
		app.component:sync();
		assert.equal(1, #app.pushes);
		app.answer = "result";
		app:reply(app:expect_push(), "result");
		local second = app:expect_push();
		assert.same({ bare_jid, "100" }, { second.node, second.count });
	end);

	it("18: the oldest device is found though all are of the same time, and nothing is added to the others", function ()
		local user, room, bare_jid = muc:new_member();
		local record = {};
		for _, node in ipairs { "n1", "n2", "n3" } do record["push.localhost<" .. node] = { jid = app.jid, node = node, timestamp = 1600000000 }; end
		storage.write(server, bare_jid, record);
		muc:manage "unload";
		muc:manage "load";
		assert.same({ "n1", "n2", "n3" }, pushed(room, "hello"));
		assert.equal("result", enable(user, "n4").attr.type);
		local after = storage.read(server, bare_jid);
		record["push.localhost<n1"], record["push.localhost<n4"] = nil, after["push.localhost<n4"];
		assert.same(record, after);
	end);

	it("19: that a device had to make room is in the log", function ()
		local user, room = muc:new_member();
		for i = 1, 3 do enable(user, "n" .. i); end
		assert.is_nil(server:log(log_length):find("the oldest was removed", 1, true));
		enable(user, "n4");
		assert.truthy(server:log(log_length):find("the oldest was removed", 1, true));
		assert.same({ "n2", "n3", "n4" }, pushed(room, "hello"));
	end);

	it("20: two users may have the same device, and the message is left as it is", function ()
		local user, room = muc:new_member();
		muc.bob:affiliate(room, "other-20@users.localhost", "member");
		enable(user, "shared");
		enable(server:user("other-20@users.localhost/phone"), "shared");
		server:admin([[
			module:hook("muc-broadcast-message", function (event)
				module.spec_seen = {};
				for key in pairs(event.stanza) do module.spec_seen[type(key) == "number" and "children" or key] = true; end
			end, -2000);
		]]);
		assert.same({ "shared", "shared" }, pushed(room, "hello"));
		local seen = server:admin("return module.spec_seen");
		seen.last_add = nil; -- of util.stanza's builder
		assert.same({ attr = true, children = true, name = true, tags = true }, seen);
	end);

	it("21: not everything can be taken for an app server", function ()
		local user = muc:new_member();
		for jid, condition in pairs { ["victim.example"] = "forbidden", [user.bare_jid] = "not-allowed", [user.jid] = "not-allowed",
			[service] = "not-allowed", ["room@" .. service] = "not-allowed" } do
			assert.equal(condition, select(2, enable(user, "n", { jid = jid }):get_error()), jid);
		end
		assert.is_nil(storage.read(server, user.bare_jid));
		assert.equal("result", enable(user, "n").attr.type);
	end);

	it("22: the number of messages is counted", function ()
		local user, room = member();
		for _, count in ipairs { "1", "2", "3" } do
			muc:say(room);
			assert.equal(count, app:expect_push().count);
		end
		user:join(room, "Member");
		user:leave(room);
		muc:say(room);
		assert.equal("1", app:expect_push().count);
	end);

	it("23: sender and text are not in a push unless the operator wants it", function ()
		local _, room = member();
		muc:say(room, "private");
		local push = app:expect_push();
		assert.equal("New Message!", push.summary["last-message-body"]);
		assert.is_nil(tostring(push.stanza):find("private", 1, true) or tostring(push.stanza):find(room, 1, true));
	end);

	it("24: a message that another module keeps out of the history causes a push", function ()
		local _, room, bare_jid = member();
		server:admin("module.spec_handler = function () return true; end; module:hook('muc-add-history', module.spec_handler, 1000);");
		assert.same({ bare_jid }, pushed(room, "hello"));
		server:admin("module:unhook('muc-add-history', module.spec_handler);");
	end);

	it("25: a member whose session has died gets pushes from then on", function ()
		local user, room, bare_jid = member();
		user:join(room, "Lost");
		assert.same({}, pushed(room, "lost"));
		user:send(st.message({ type = "error", to = room .. "/bob", id = "lost" }):tag("error", { type = "cancel" })
			:tag("recipient-unavailable", { xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas" }):reset());
		app.component:sync();
		assert.same({ bare_jid }, pushed(room, "hello"));
	end);

	it("26: an answer that comes when the module is unloaded does no harm", function ()
		local _, room, bare_jid = member();
		app.answer = "silence";
		muc:say(room);
		muc:manage "unload";
		app:reply(app:expect_push(), "result");
		assert.same({}, pushed(room, "nobody is watching"));
		app.answer = "result";
		muc:manage "load";
		assert.equal("1", app:expect_push().count); -- it was not answered, so it is pushed again
		assert.same({ bare_jid }, pushed(room, "hello"));
	end);

	it("mod_cloud_notify: no push leaves a hook behind", function ()
		local _, room = member();
		local function hooks()
			return server:admin([[
				local function size(value)
					local count = 1;
					for _, inner in pairs(type(value) == "table" and value or {}) do count = count + size(inner); end
					return count;
				end
				return size(prosody.hosts[module.host].modules.muc_cloud_notify.module.event_handlers.data);
			]]);
		end
		local before = hooks();
		for _ = 1, 10 do muc:say(room); end
		assert.equal(10, #app.pushes);
		assert.equal(before, hooks());
	end);

	it("mod_cloud_notify: what could not be stored does not count", function ()
		local user, room, bare_jid = member();
		local mend = storage.break_writes(server, bare_jid);
		assert.same({ "wait", "internal-server-error" }, { table.unpack({ enable(user, "another"):get_error() }, 1, 2) });
		assert.same({ bare_jid }, pushed(room, "hello"));
		mend();
		assert.equal("result", enable(user, "another").attr.type);
		assert.same({ "another", bare_jid }, pushed(room, "hello"));
		log_length = #server:log(); -- that the store failed is an error
	end);

	it("mod_cloud_notify: an error of the type wait does not count", function ()
		local user, room, bare_jid = member();
		app.answer = { type = "wait", condition = "resource-constraint" };
		muc:say(room);
		for _ = 1, 4 do app:expect_push(); end
		assert.truthy(storage.read(server, bare_jid));
		user:disable { jid = app.jid };
	end);
end);
