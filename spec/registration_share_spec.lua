-- What a registration may cost, how many there may be, and how often somebody may ask.

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";
local loop = require "harness.loop";
local stream = require "harness.stream";

local few, small = "few.localhost", "small.localhost";
local publish_options = "http://jabber.org/protocol/pubsub#publish-options";
local form_type = "<field var='FORM_TYPE'><value>" .. publish_options .. "</value></field>";

versions.describe("the share of a user and of a domain", function (version)
	local server, muc;

	lazy_setup(function ()
		local function options(more)
			more.modules_enabled, more.muc_room_default_persistent, more.muc_push_default = { "muc_cloud_notify" }, true, "always";
			return more;
		end
		server, muc = muc_service.start(version, {
			components = { "users.localhost", "push.localhost", "strange.localhost", "odd.localhost" };
			muc = options {};
			mucs = {
				[few] = options { muc_push_max_users_per_domain = 120 };
				[small] = options { muc_push_max_users = 22 }; -- of which two are for accounts of this server
			};
		});
	end);

	-- Many users send an enable each, in one piece. Returns the conditions of the errors, and results, with how many of each.
	local function enable_all(connection, users, service)
		local ids, xml = {}, {};
		for i, user in ipairs(users) do
			ids[i] = stream.new_id();
			xml[i] = string.format("<iq type='set' id='%s' from='%s/phone' to='%s'><enable xmlns='urn:xmpp:push:0' jid='%s' node='%s'/></iq>",
				ids[i], user, service or server.muc_host, muc.app.jid, user);
		end
		connection:send(table.concat(xml));
		local counts = {};
		for i, user in ipairs(users) do
			local reply = server:user(user .. "/phone"):expect({ name = "iq", id = ids[i] });
			local error_type, condition = reply:get_error();
			local answer = reply.attr.type == "result" and "result" or error_type .. "/" .. condition;
			counts[answer] = (counts[answer] or 0) + 1;
		end
		return counts;
	end

	local function users_of(host, from, to)
		local users = {};
		for i = from, to do
			table.insert(users, string.format("user-%d@%s", i, host));
		end
		return users;
	end

	it("is so many requests at once, and others are served meanwhile", function ()
		local user, other = server:user("busy@users.localhost/phone"), server:user("calm@users.localhost/phone");
		for i = 1, 30 do
			assert.equal("result", muc:enable(user, "n" .. i % 3));
		end
		for _ = 1, 3 do
			local kind, error_type, condition = muc:enable(user, "n1");
			assert.same({ "error", "wait", "resource-constraint" }, { kind, error_type, condition });
			assert.equal("result", muc:enable(other, "n1"));
		end
		local desk = server:user("busy@users.localhost/desk");
		assert.equal("error", (muc:enable(desk, "n1"))); -- it is the bare JID that counts
		assert.equal("result", muc:disable(user, "n0")); -- for which there are tokens of its own
		for _ = 1, 29 do
			assert.equal("result", muc:disable(user, "n0"));
		end
		assert.equal("error", (muc:disable(user, "n0")));
		loop.pause(6.2); -- for one more token
		assert.equal("result", muc:enable(user, "n1"));
		assert.equal("error", (muc:enable(user, "n1")));
	end);

	it("is so many devices of strangers for a domain, and any number of members, also all at once", function ()
		local members = users_of("strange.localhost", 1001, 1150);
		muc:new_room(members);
		local users = users_of("strange.localhost", 1, 130);
		for i, member in ipairs(members) do
			table.insert(users, (i * 2) % #users + 1, member);
		end
		local connection = server:user("x@strange.localhost/x").component;
		assert.same({ result = 250, ["wait/resource-constraint"] = 30 }, enable_all(connection, users));
		assert.same({ ["wait/resource-constraint"] = 5 }, enable_all(connection, users_of("strange.localhost", 200, 204)));
		assert.same({ result = 5 }, enable_all(server:user("x@odd.localhost/x").component, users_of("odd.localhost", 1, 5)));
		assert.same({ result = 5 }, enable_all(connection, users_of("strange.localhost", 1001, 1005)));
		-- A stranger becomes a member: there is a place for another one.
		muc.bob:affiliate(muc:new_room(), "user-1@strange.localhost", "member");
		assert.same({ result = 1, ["wait/resource-constraint"] = 2 }, enable_all(connection, users_of("strange.localhost", 200, 202)));
	end);

	it("is so many users of a domain, who keep what they have", function ()
		local users = users_of("strange.localhost", 1, 125);
		muc:new_room(users, few);
		local connection = server:user("x@strange.localhost/x").component;
		assert.same({ result = 120, ["wait/resource-constraint"] = 5 }, enable_all(connection, users, few));
		assert.same({ result = 120, ["wait/resource-constraint"] = 5 }, enable_all(connection, users, few));
		local user = server:user("user-1@strange.localhost/phone");
		assert.equal("result", user:disable({ jid = muc.app.jid, to = few }).attr.type);
		assert.same({ result = 1, ["wait/resource-constraint"] = 1 },
			enable_all(connection, users_of("strange.localhost", 121, 122), few));
	end);

	it("is so many users in all", function ()
		local connection = server:user("x@strange.localhost/x").component;
		assert.same({ result = 20, ["wait/resource-constraint"] = 1 }, enable_all(connection, users_of("strange.localhost", 1, 21), small));
		assert.same({ ["wait/resource-constraint"] = 1 },
			enable_all(server:user("x@odd.localhost/x").component, users_of("odd.localhost", 1, 1), small));
	end);

	it("is not for accounts of this server", function ()
		local results = server:admin([[
			local service, app_server = ...;
			local results = 0;
			local accounts = require "core.storagemanager".open("localhost", "accounts");
			for i = 1, 300 do
				assert(accounts:set("account-"..i, { password = "harness" }));
				local iq = st.iq({ type = "set", id = "local", from = "account-"..i.."@localhost/phone", to = service })
					:tag("enable", { xmlns = "urn:xmpp:push:0", jid = app_server, node = "n" });
				prosody.hosts[service].events.fire_event("iq-set/host/urn:xmpp:push:0:enable", {
					origin = { send = function (reply) results = results + (reply.attr.type == "result" and 1 or 0); end }; stanza = iq:reset();
				});
			end
			return results;
		]], few, muc.app.jid);
		assert.equal(300, results);
	end);

	it("is a form of so many elements, and an include_payload of so many bytes", function ()
		local user = server:user("former@users.localhost/phone");
		local function enable(attributes, fields)
			local id = stream.new_id();
			user:send(string.format("<iq type='set' id='%s' from='%s' to='%s'><enable xmlns='urn:xmpp:push:0' jid='%s' %s>"
				.. "<x xmlns='jabber:x:data' type='submit'>%s%s</x></enable></iq>",
				id, user.jid, server.muc_host, muc.app.jid, attributes, form_type, fields));
			local reply = user:expect { name = "iq", id = id };
			local error_type, condition, text = reply:get_error();
			return reply.attr.type, error_type, condition, text;
		end
		for _, refused in ipairs {
			{ "node='n1'", ("<a/>"):rep(8000), "64 elements" };
			{ "node='n1'", ("<field var='v'><value>v</value></field>"):rep(31), "64 elements" };
			{ "node='n1'", "<a" .. (" a='&amp;'"):rep(1) .. ">" .. ("&amp;"):rep(1700) .. "</a>", "8192 bytes" };
			{ "node='n1' include_payload='" .. ("t"):rep(65) .. "'", "", "64 bytes" };
			{ "node='n1' include_payload='" .. ("t"):rep(200000) .. "'", "", "64 bytes" };
		} do
			local kind, error_type, condition, text = enable(refused[1], refused[2]);
			assert.same({ "error", "modify", "policy-violation" }, { kind, error_type, condition });
			assert.truthy(text:find(refused[3], 1, true), text);
		end
		assert.equal("result", (enable("node='n1' include_payload='" .. ("t"):rep(64) .. "'", ("<field var='v'><value>v</value></field>"):rep(30))));
	end);

	it("is a registration of so many bytes, with what other modules add", function ()
		local user = server:user("heavy@users.localhost/phone");
		server:admin([[
			module:hook("cloud_notify/registration", function (event)
				local bytes = event.push_info.node and event.push_info.node:match("^heavy%-(%d+)$");
				event.push_info.extra = bytes and { ("x"):rep(tonumber(bytes)) };
			end);
		]]);
		for bytes, answer in pairs { [60000] = "result", [70000] = "error" } do
			assert.equal(answer, (muc:enable(user, "heavy-" .. bytes)));
		end
	end);

	it("has logged no error", function ()
		assert.log_is_clean(server);
	end);
end);
