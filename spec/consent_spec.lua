-- Consent: a stranger who makes somebody a member of a room does not get their text onto that user's screen.

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local st = require "util.stanza";

local xmlns_register = "jabber:iq:register";

local function mention_of(bare_jid)
	return "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:" .. bare_jid .. "'/>";
end

versions.describe_local_storages("consent", function (version, storage)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global;
			muc = muc_service.with_body {
				muc_room_default_persistent = true, muc_push_interval = 0, muc_push_journal = false, push_notification_with_sender = true;
			};
			shipped_options = true;
		});
	end);

	after_each(function ()
		server:reconfigure { muc_push_consent = true };
		muc.app:start_anew();
	end);

	-- What is told of a message of Bob's, as texts of the pushes for it.
	local function told(room, text, mentioned)
		if not muc.bob.nicks[room] then muc.bob:join(room, "bob"); end
		muc.bob:say(room, text, mentioned and mention_of(mentioned));
		muc.bob.component:sync();
		muc.app.component:sync();
		local texts = {};
		for i, push in ipairs(muc.app.pushes) do
			local body, sender = push.summary["last-message-body"], push.summary["last-message-sender"];
			texts[i] = sender and body .. " from " .. sender or body;
		end
		muc.app:clear();
		return texts;
	end

	local function assert_full(room, body)
		assert.same({ body .. " from " .. room .. "/bob" }, told(room, body));
	end

	local function data_of(room, bare_jid)
		return server:admin("return room(...)._affiliation_data[select(2, ...)]", room, bare_jid);
	end

	local function is_marked(room, bare_jid)
		local data = data_of(room, bare_jid);
		return data ~= nil and data.muc_push_without_consent == true;
	end

	-- That it is removed is stored a second later.
	local function wait_until_no_mark_is_stored(room, bare_jid)
		assert.truthy(loop.wait_until(function ()
			return server:admin([[
				local room_jid, bare_jid = ...;
				local stored = require "core.storagemanager".open(module.host, "config"):get(jid.node(room_jid));
				local data = stored._affiliation_data[bare_jid];
				return not (data and data.muc_push_without_consent);
			]], room, bare_jid);
		end, nil, 0.05), "the mark is still stored");
	end

	local function register(user, room, nick)
		local iq = st.stanza("iq", { type = "set", to = room }):tag("query", { xmlns = xmlns_register })
			:tag("x", { xmlns = "jabber:x:data", type = "submit" })
			:tag("field", { var = "FORM_TYPE", type = "hidden" }):text_tag("value", "http://jabber.org/protocol/muc#register"):up()
			:tag("field", { var = "muc#register_roomnick" }):text_tag("value", nick):up();
		return user:iq(iq:reset());
	end

	it("is needed before anything but a mention is pushed, and that goes without words", function ()
		local _, room, victim = muc:new_device("n1");
		assert.same({}, told(room, "Buy this!"));
		assert.same({ "New Message!" }, told(room, "Buy this!", victim));
		assert.same({}, told(room, "Buy this!", victim), "one an hour");
	end);

	it("leaves three mentions a day in all rooms", function ()
		local victim, room, bare_jid = muc:new_device("n1");
		local texts = told(room, "Buy this!", bare_jid);
		for _ = 1, 4 do
			local other_room = muc:new_room { bare_jid };
			for _, text in ipairs(told(other_room, "Buy that!", bare_jid)) do table.insert(texts, text); end
		end
		assert.same({ "New Message!", "New Message!", "New Message!" }, texts);
		-- Nothing of it stands against the rooms they are in.
		local own_room = muc:new_room { bare_jid };
		victim:join(own_room, "victim");
		victim:leave(own_room);
		assert_full(own_room, "hello");
	end);

	it("is given by entering, whether or not there is a device yet", function ()
		local user, room, bare_jid = muc:new_member();
		assert.is_true(is_marked(room, bare_jid));
		user:join(room, "ann");
		assert.is_false(is_marked(room, bare_jid));
		user:leave(room);
		assert.equal("result", (muc:enable(user, "n1")));
		assert_full(room, "hello");
	end);

	it("is given by entering with a device", function ()
		local user, room = muc:new_device("n1");
		assert.same({}, told(room, "hello"));
		user:join(room, "ann");
		user:leave(room);
		assert_full(room, "hello");
	end);

	it("is not given by somebody who enters under the same nickname with another account", function ()
		local _, room, bare_jid = muc:new_device("n1");
		local other = server:user("other@users.localhost/phone");
		other:join(room, "member");
		other:leave(room);
		assert.is_true(is_marked(room, bare_jid));
		assert.same({}, told(room, "hello"));
	end);

	it("is given by registering a nickname, and not by having one reserved", function ()
		local user, room, bare_jid = muc:new_device("n1");
		muc.bob:affiliate(room, bare_jid, "member", "Ann");
		assert.same({}, told(room, "hello"));
		assert.equal("result", register(user, room, "Ann-Kathrin").attr.type);
		assert.is_false(is_marked(room, bare_jid));
		assert_full(room, "hello");
	end);

	it("is given by registering the very nickname that was reserved", function ()
		local user, room, bare_jid = muc:new_device("n1");
		muc.bob:affiliate(room, bare_jid, "member", "Ann");
		assert.equal("error", register(user, room, "bob").attr.type);
		assert.same({}, told(room, "hello"));
		assert.equal("result", register(user, room, "Ann").attr.type);
		assert_full(room, "hello");
	end);

	it("is neither lost nor given with another affiliation", function ()
		local user, room, bare_jid = muc:new_device("n1");
		muc.bob:affiliate(room, bare_jid, "admin");
		assert.same({}, told(room, "hello"));
		user:join(room, "ann");
		user:leave(room);
		muc.bob:affiliate(room, bare_jid, "member", "Ann");
		assert.is_false(is_marked(room, bare_jid));
		assert_full(room, "hello");
	end);

	it("is asked for anew of who was removed", function ()
		local user, room, bare_jid = muc:new_device("n1");
		user:join(room, "ann");
		user:leave(room);
		muc.bob:affiliate(room, bare_jid, "none");
		muc.bob:affiliate(room, bare_jid, "member");
		assert.same({}, told(room, "hello"));
	end);

	it("leaves no mark with who is banned", function ()
		local _, room, bare_jid = muc:new_device("n1");
		muc.bob:affiliate(room, bare_jid, "outcast");
		assert.is_false(is_marked(room, bare_jid));
	end);

	it("is given by being there when the affiliation comes", function ()
		local room = muc:new_room();
		local user = server:user("guest-" .. muc.member_count .. "@users.localhost/phone");
		assert.equal("result", (muc:enable(user, "n1")));
		user:join(room, "guest");
		muc.bob:affiliate(room, user.bare_jid, "member");
		assert.is_nil(data_of(room, user.bare_jid));
		user:leave(room);
		assert_full(room, "hello");
	end);

	it("is given by who makes a room", function ()
		local room = muc:new_room();
		assert.is_nil(data_of(room, muc.bob.bare_jid));
	end);

	it("is given by an invitation as little as by an affiliation", function ()
		local room = muc:new_room();
		muc.bob:configure_room(room, { ["muc#roomconfig_membersonly"] = true });
		local user = server:user("invited-" .. muc.member_count .. "@users.localhost/phone");
		assert.equal("result", (muc:enable(user, "n1")));
		muc.bob:send(st.message({ to = room }):tag("x", { xmlns = "http://jabber.org/protocol/muc#user" })
			:tag("invite", { to = user.bare_jid }):reset());
		muc.bob.component:sync();
		assert.same({}, told(room, "hello"));
		user:join(room, "guest");
		user:leave(room);
		assert_full(room, "hello");
	end);

	it("is known after a restart, and so is that it is missing", function ()
		local _, strange_room = muc:new_device("n1");
		local user, room = muc:new_device("n2");
		user:join(room, "ann");
		user:leave(room);
		muc:restart("stop");
		assert.same({}, told(strange_room, "hello"));
		assert_full(room, "hello");
	end);

	it("is known after a crash, and so is that it is missing", function ()
		local _, strange_room = muc:new_device("n1");
		local user, room, bare_jid = muc:new_device("n2");
		user:join(room, "ann");
		user:leave(room);
		wait_until_no_mark_is_stored(room, bare_jid);
		muc:restart("kill");
		assert.same({}, told(strange_room, "hello"));
		assert_full(room, "hello");
	end);

	it("is taken for given where the membership is older than the module", function ()
		muc:manage("unload");
		local room = muc:new_room { "old@users.localhost" };
		muc:manage("load");
		assert.equal("result", (muc:enable(server:user("old@users.localhost/phone"), "n1")));
		assert_full(room, "hello");
	end);

	it("is seen when the module is loaded while a member is there", function ()
		local user, room, bare_jid = muc:new_device("n1");
		muc:manage("unload");
		user:join(room, "ann");
		assert.is_true(is_marked(room, bare_jid));
		muc:manage("load");
		muc:say(room, "the room is read");
		assert.is_false(is_marked(room, bare_jid));
		user:leave(room);
		assert_full(room, "hello");
	end);

	it("is not asked for where the operator says so", function ()
		local _, room = muc:new_device("n1");
		assert.same({}, told(room, "hello"));
		server:reconfigure { muc_push_consent = false };
		server:reload_config();
		muc:manage("reload");
		assert_full(room, "hello");
		local _, other_room, bare_jid = muc:new_device("n2");
		assert.is_nil(data_of(other_room, bare_jid));
		server:reconfigure { muc_push_consent = true };
		server:reload_config();
		muc:manage("reload");
	end);

	it("is shown to nobody", function ()
		local user, room, bare_jid = muc:new_device("n1");
		muc.bob:affiliate(room, bare_jid, "member", "Ann");
		local list = muc.bob:iq(st.stanza("iq", { type = "get", to = room }):tag("query", { xmlns = "http://jabber.org/protocol/muc#admin" })
			:tag("item", { affiliation = "member" }):reset());
		local form = user:iq(st.stanza("iq", { type = "get", to = room }):tag("query", { xmlns = xmlns_register }):reset());
		local config = muc.bob:iq(st.stanza("iq", { type = "get", to = room }):tag("query", { xmlns = "http://jabber.org/protocol/muc#owner" }):reset());
		local info = user:iq(st.stanza("iq", { type = "get", to = room }):tag("query", { xmlns = "http://jabber.org/protocol/disco#info" }):reset());
		for _, reply in ipairs { list, form, config, info } do
			assert.is_nil(tostring(reply):find("consent", 1, true), tostring(reply));
		end
	end);

	it("is not tied to other members by data that they share", function ()
		local one, room, bare_jid = muc:new_member();
		local other = server:user("sharing-" .. muc.member_count .. "@users.localhost/phone");
		server:admin([[
			local room, data = room(...), {};
			for _, bare_jid in ipairs { select(2, ...) } do
				room:set_affiliation(true, bare_jid, "none");
				assert(room:set_affiliation(true, bare_jid, "member", nil, data));
			end
		]], room, bare_jid, other.bare_jid, "third@users.localhost");
		one:join(room, "one");
		assert.is_false(is_marked(room, bare_jid));
		assert.is_true(is_marked(room, other.bare_jid));
	end);

	it("costs at most one storing of the room a minute on top", function ()
		local room = muc:new_room();
		muc:count_saves(room);
		local users = {};
		for i = 1, 20 do
			users[i] = server:user(string.format("counted-%d-%d@users.localhost/phone", muc.member_count, i));
			muc.bob:affiliate(room, users[i].bare_jid, "member");
		end
		assert.equal(2 * #users, muc:saves()); -- Prosody's own
		for i, user in ipairs(users) do
			user:join(room, "guest" .. i);
			user:leave(room);
			assert.is_false(is_marked(room, user.bare_jid));
			loop.pause(i % 7 == 0 and 1.2 or 0);
		end
		loop.pause(2.5);
		assert.equal(2 * #users + 1, muc:saves());
	end);
end);
