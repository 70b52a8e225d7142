-- Three modules of the community that live on the events for other modules.

local base64 = require "util.encodings".base64;
local json = require "util.json";

local prosody = require "harness.prosody";

local requests = require "spec.support.requests";
local versions = require "spec.support.versions";

local room = "room@conference.localhost";
local xmlns_push = "urn:xmpp:push:0";

versions.describe("community modules", function (version)
	local key = "AAECAwQFBgcICQoLDA0ODw==";
	local announced = { "tigase:push:encrypt:0", "tigase:push:encrypt:aes-128-gcm", "tigase:push:filter:groupchat:0",
		"tigase:push:filter:muted:0", "tigase:push:filter:ignore-unknown:0", "tigase:push:priority:0", xmlns_push };
	local modules = { "muc_cloud_notify", "cloud_notify_encrypted", "cloud_notify_filters", "cloud_notify_priority_tag" };
	local server, olga, uma, app;

	local function meet()
		olga, uma = server:user("olga@users.localhost/phone"), server:user("uma@users.localhost/phone");
		app = server:app_server("push.localhost");
	end

	-- mod_cloud_notify_encrypted takes luaossl where Prosody has no util.crypto, but calls it by a wrong name.
	local function mend_encryption()
		server:admin("if not pcall(require, 'util.crypto') then rawset(_G, 'ciphers', require 'openssl.cipher'); end");
	end

	local function decrypt(push)
		local encrypted = push.notification:get_child("encrypted", "tigase:push:encrypt:0");
		assert.truthy(encrypted, tostring(push.stanza));
		return json.decode(server:admin([[
			local key, iv, data = ...;
			local has_crypto, crypto = pcall(require, "util.crypto");
			if has_crypto then return crypto.aes_128_gcm_decrypt(key, iv, data); end
			return (require "openssl.cipher".new("AES-128-GCM"):decrypt(key, iv):update(data:sub(1, -17)));
		]], base64.decode(key), base64.decode(encrypted.attr.iv), base64.decode(encrypted:get_text())));
	end

	local function encrypt_element(algorithm, with_key)
		return string.format("<encrypt xmlns='tigase:push:encrypt:0' alg='%s'>%s</encrypt>", algorithm, with_key);
	end

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			community_modules = true;
			components = { "users.localhost", "push.localhost" };
			muc = { modules_enabled = modules, muc_room_default_persistent = true, muc_push_default = "always" };
		};
		meet();
		olga:create_room(room, "Olga");
		olga:affiliate(room, uma.bare_jid, "member");
	end);

	after_each(function ()
		assert.equal("result", uma:disable { jid = app.jid }.attr.type);
		app.component:sync();
		app:clear();
	end);

	it("are announced by the service", function ()
		local function check(expected)
			local found = requests.features(olga);
			for _, feature in ipairs(announced) do
				assert.equal(expected[feature] or 1, found[feature] or 0, feature);
			end
		end
		check {};
		server:admin("require 'core.modulemanager'.unload(module.host, 'cloud_notify_priority_tag')");
		check { ["tigase:push:priority:0"] = 0 };
		server:admin("require 'core.modulemanager'.load(module.host, 'cloud_notify_priority_tag')");
		check {};
	end);

	it("encrypt pushes, also after a restart", function ()
		mend_encryption();
		assert.equal("result", requests.enable(uma, "uma", encrypt_element("aes-128-gcm", key)).attr.type);
		for count, body in ipairs { "hello everybody", "hello again" } do
			olga:say(room, body);
			local push = app:expect_push();
			assert.is_nil(push.notification:get_child("x", "jabber:x:data"));
			assert.same({ unread = count, sender = room, type = "groupchat", nickname = "Olga", message = body }, decrypt(push));
			if count == 1 then
				app.component:sync();
				server:stop();
				server:start_again();
				meet();
				mend_encryption();
				olga:join(room, "Olga");
			end
		end
	end);

	it("never let a push go out in plain that was to be encrypted", function ()
		assert.equal("result", requests.enable(uma, "uma", encrypt_element("aes-128-gcm", key)).attr.type);
		server:admin("module:hook('cloud_notify/push', error, 2)");
		olga:say(room, "hello");
		app:expect_no_push();
		server:admin("module:unhook('cloud_notify/push', error)");
		olga:say(room, "hello");
		assert.truthy(app:expect_push().notification:get_child("encrypted", "tigase:push:encrypt:0"));
	end);

	it("refuse what they cannot do", function ()
		for condition, element in pairs { ["feature-not-implemented"] = encrypt_element("rot13", key),
			["bad-request"] = encrypt_element("aes-128-gcm", "AAEC") } do
			assert.same({ "modify", condition }, { table.unpack({ requests.enable(uma, "uma", element):get_error() }, 1, 2) });
			assert.is_nil(server:admin("return (require 'core.storagemanager'.open(module.host, 'muc_cloud_notify'):get(...))", uma.bare_jid));
		end
		olga:say(room, "hello");
		app:expect_no_push();
	end);

	it("filter pushes", function ()
		local function pushes(body, children)
			olga:say(room, body, children);
			app.component:sync();
			local count = #app.pushes;
			app:clear();
			return count;
		end
		local function rule(allow)
			return string.format("<groupchat xmlns='tigase:push:filter:groupchat:0'><room jid='%s' allow='%s' nick='Uma'/></groupchat>", room, allow);
		end
		local mention = "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:%s'/>";
		requests.enable(uma, "uma", "<muted xmlns='tigase:push:filter:muted:0'><item jid='" .. room .. "'/></muted>");
		assert.equal(0, pushes "hello");
		requests.enable(uma, "uma", "<muted xmlns='tigase:push:filter:muted:0'><item jid='other@conference.localhost'/></muted>");
		assert.equal(1, pushes "hello");
		requests.enable(uma, "uma", rule "never");
		assert.equal(0, pushes("hello", mention:format(uma.bare_jid)));
		requests.enable(uma, "uma", rule "mentioned");
		assert.equal(0, pushes "hello");
		assert.equal(1, pushes("hello", mention:format(uma.bare_jid)));
		assert.equal(1, pushes("hello", mention:format(room .. "/Uma")));
		requests.enable(uma, "uma", "<ignore-unknown xmlns='tigase:push:filter:ignore-unknown:0'/>");
		assert.equal(1, pushes "hello");
	end);

	it("mark what is important", function ()
		requests.enable(uma, "uma");
		olga:say(room, "hello");
		assert.equal("high", app:expect_push().notification:get_child_text("priority", "tigase:push:priority:0"));
		server:admin("module:fire_event('cloud-notify-ping', { user = ... })", uma.bare_jid);
		assert.is_nil(app:expect_push().notification:get_child("priority", "tigase:push:priority:0"));
	end);
end);
