-- Accounts of this server whose devices are registered there, with the real mod_cloud_notify: members who have registered none with the
-- MUC service are told through them.

local socket = require "socket";

local st = require "util.stanza";

local loop = require "harness.loop";
local sessions = require "harness.sessions";
local tables = require "harness.tables";

local account_phones = require "spec.support.account_phones";
local versions = require "spec.support.versions";

local paced, held, switched_off = "paced.localhost", "held.localhost", "off.localhost";
local interval = 2; -- of the second; on the third nothing is told twice before a restart
local plain_host = account_phones.plain_host;

versions.describe("an account with devices", function (version)
	local server, muc, account_app;
	local count = 0;

	local function options(more)
		return account_phones.options(tables.merge({ push_notification_with_body = false }, more));
	end

	lazy_setup(function ()
		server, muc, account_app = account_phones.start(version, {
			localhost = { modules_enabled = { "blocklist", "cloud_notify", "mam" }, push_notification_with_sender = true };
			global = { modules_enabled = { "smacks" } };
			muc = options();
			mucs = {
				[paced] = options { muc_push_account_interval = interval };
				[held] = options { muc_push_account_interval = 3600, muc_push_journal = true, push_notification_with_body = true };
				[switched_off] = options { muc_push_accounts = false };
			};
		});
	end);

	before_each(function ()
		muc.app:start_anew();
		account_app:start_anew();
		count = count + 1;
	end);

	-- A client with a device of the account, who is a member of a new room and not in it; the room; and the bare JID.
	local function new_account(service, host)
		local bare_jid = ("account-%d@%s"):format(count, host or "localhost");
		local client = server:client(bare_jid .. "/phone");
		if not host then
			account_phones.enable(client, "phone-" .. count);
		end
		server:settle();
		return client, muc:new_room({ bare_jid }, service), bare_jid;
	end

	local function told()
		return account_app:expect_push();
	end

	local function assert_untold(room, body)
		muc:say(room, body or "hello");
		account_app:expect_no_push();
	end

	-- How many messages an account's archive holds.
	local function archived(bare_jid)
		return server:admin([[
			local username, host = jid.split(...);
			local number = 0;
			for _ in require "core.storagemanager".open(host, "archive", "archive"):find(username, {}) do number = number + 1; end
			return number;
		]], bare_jid);
	end

	it("is told by its own server, whatever app servers of others may know", function ()
		local client, room, bare_jid = new_account();
		muc:say(room, "But soft!");
		local push = told();
		assert.same({ "localhost", "phone-" .. count }, { push.from, push.node });
		assert.same({ "But soft!", room .. "/bob" }, { push.summary["last-message-body"], push.summary["last-message-sender"] });
		client:sync();
		client:expect_nothing { name = "message" };
		assert.equal(0, archived(bare_jid));
		muc.bob:expect_nothing { type = "error" };
		muc.app:expect_no_push();
	end);

	it("is not told of a room that its user has blocked, before there was a device or since", function ()
		local bare_jid = ("account-%d@localhost"):format(count);
		local client = server:client(bare_jid .. "/phone");
		local room = muc:new_room { bare_jid };
		local other_room = muc:new_room { bare_jid };
		local function request(action, jid)
			local iq = st.stanza("iq", { type = "set" }):tag(action, { xmlns = "urn:xmpp:blocking" }):tag("item", { jid = jid }):up();
			assert.equal("result", client:iq(iq:reset()).attr.type);
		end
		request("block", room);
		account_phones.enable(client, "phone-" .. count);
		server:settle();
		assert_untold(room);
		muc:say(other_room);
		told();
		request("unblock", room);
		muc:say(room);
		told();
		request("block", room);
		assert_untold(room);
		request("block", other_room .. "/bob");
		assert_untold(other_room);
	end);

	it("is not told what its user reads, writes, or has no business with", function ()
		local client, room, bare_jid = new_account();
		client:join(room, "me");
		assert_untold(room);
		client:leave(room);
		muc:say(room);
		told();
		muc.bob:affiliate(room, bare_jid, "none");
		assert_untold(room);
		assert_untold(muc:new_room());
	end);

	it("is told once its session hibernates, unless that is left to its own server", function ()
		local client, room, bare_jid = new_account();
		client:close();
		local desk = server:client(bare_jid .. "/desk");
		desk:join(room, "me");
		assert_untold(room);
		sessions.cut(desk);
		muc:say(room);
		told();
		local tablet = server:client(bare_jid .. "/tablet");
		account_phones.enable(tablet, "tablet");
		tablet:join(room, "tablet");
		account_app:start_anew();
		sessions.cut(tablet);
		muc:say(room);
		assert.equal("tablet", account_app:expect_push().node);
		account_app:expect_no_push();
	end);

	it("is told through what is registered with the MUC service, where anything is", function ()
		local client, room = new_account();
		assert.equal("result", (muc:enable(client, "here")));
		muc:say(room);
		assert.equal("here", muc.app:expect_push().node);
		account_app:expect_no_push();
		assert.equal("result", (muc:disable(client, "here")));
		muc:say(room);
		told();
		muc.app:expect_no_push();
	end);

	it("is told nothing once its devices are gone", function ()
		local client, room, bare_jid = new_account();
		client:disable { to = bare_jid, jid = account_app.jid, node = "phone-" .. count };
		server:settle();
		assert_untold(room);
		account_phones.enable(client, "phone-" .. count);
		server:settle();
		muc:say(room);
		told();
		-- As where mod_cloud_notify gives a device up, or another process does.
		server:admin([[
			local username, host = jid.split(...);
			require "core.storagemanager".open(host, "cloud_notify"):set(username, nil);
		]], bare_jid);
		muc:say(room);
		account_app:start_anew();
		server:settle();
		assert_untold(room);
	end);

	it("is told nothing where that is switched off, or its host has no mod_cloud_notify", function ()
		local _, off_room = new_account(switched_off);
		assert_untold(off_room);
		local _, plain_room = new_account(nil, plain_host);
		assert_untold(plain_room);
		assert.equal(0, server:admin("return prosody.hosts[...].modules.muc_cloud_notify.stats().accounts", switched_off));
	end);

	it("is told once in a while, and then of all", function ()
		local client, room = new_account(paced);
		local first, said = socket.gettime(), 1;
		muc:say(room, "one");
		assert.equal("one", told().summary["last-message-body"]);
		repeat
			said = said + 1;
			muc:say(room, "number " .. said);
			local is_told = loop.wait_until(function () return account_app.pushes[1]; end, interval / 10);
		until is_told or socket.gettime() - first > 5 * interval;
		assert.truthy(account_app.pushes[1]);
		assert.is_true(#account_app.pushes <= (socket.gettime() - first + 0.5) / interval);
		assert.is_true(said == 2 or account_app.pushes[1].summary["last-message-body"] ~= "number 2", "all in one");
		client:join(room, "me");
		account_app.component:sync();
	end);

	it("is told once what waits while the module is reloaded, and what comes after it", function ()
		local _, room = new_account(paced);
		muc:say(room, "one");
		assert.equal("one", told().summary["last-message-body"]);
		muc:say(room, "two");
		server:reload_module("muc_cloud_notify", paced);
		assert.equal("two", told().summary["last-message-body"]);
		muc:say(room, "three");
		assert.equal("three", told().summary["last-message-body"]);
		account_app:expect_no_push();
	end);

	it("is told of the next message where another module fails, and of none twice", function ()
		local _, room = new_account();
		local hook = [[
			module.failing = module.failing or function () error("on purpose"); end;
			module[...](module, prosody.hosts.localhost.events, "message/bare/groupchat", module.failing, 2);
		]];
		server:admin(hook, "hook_object_event");
		assert_untold(room);
		server:admin(hook, "unhook_object_event");
		account_app:expect_no_push();
		muc:say(room, "again");
		assert.equal("again", told().summary["last-message-body"]);
		account_app:expect_no_push();
	end);

	it("is told after a kill what it had yet to hear of", function ()
		local _, room, bare_jid = new_account(held);
		muc:say(room, "told");
		assert.equal("told", told().summary["last-message-body"]);
		muc:say(room, "pending");
		account_app:expect_no_push();
		assert(loop.wait_until(function ()
			return server:admin("return prosody.hosts[...].modules.muc_cloud_notify.stats().unstored", held) == 0;
		end, nil, 0.01), "not everything is stored");
		local length = #server:log();
		muc:restart "kill";
		account_app = server:app_server(account_phones.app_host);
		-- By then the app server may not be connected yet, and mod_cloud_notify does not try again.
		server:wait_for_log("Sending important push notification for " .. bare_jid:gsub("%p", "%%%0"), nil, length);
	end);

	-- Loads the module of a service anew, while the accounts with devices cannot be listed so many times.
	local function load_anew(service, failures)
		server:admin([[
			local manager, service, failures = require "core.modulemanager", ...;
			local methods = getmetatable(require "core.storagemanager".open("localhost", "cloud_notify")).__index;
			prosody.lists_before = prosody.lists_before or methods.users;
			function methods:users()
				if self.store == "cloud_notify" and failures > 0 then
					failures = failures - 1;
					error "on purpose";
				end
				return prosody.lists_before(self);
			end
			assert(manager.unload(service, "muc_cloud_notify"));
			assert(manager.load(service, "muc_cloud_notify"));
		]], service, failures);
	end

	it("is told what the last run has left where the accounts cannot be listed for a moment", function ()
		local _, room = new_account(paced);
		for failures = 0, 2, 2 do
			account_app:start_anew();
			muc:say(room, "one");
			told();
			muc:say(room, "two");
			local length = #server:log();
			load_anew(paced, failures);
			assert.equal("1", tostring(told().summary["message-count"]));
			account_app:expect_no_push();
			local errors = select(2, server:log(length):gsub("accounts of localhost with devices cannot be listed", ""));
			assert.equal(failures > 0 and 1 or 0, errors);
		end
	end);

	it("is told after a kill, a stop, and where its host gets the module later", function ()
		local _, room = new_account();
		muc:say(room, "before");
		told();
		muc:wait_until_stored();
		for _, finish in ipairs { "kill", "stop" } do
			muc:restart(finish);
			account_app = server:app_server(account_phones.app_host);
			muc:say(room, finish);
			assert.equal(finish, told().summary["last-message-body"]);
			muc:wait_until_stored();
		end
		local manager = "return require 'core.modulemanager'[...]('localhost', 'cloud_notify') and true";
		server:admin(manager, "unload");
		assert_untold(room);
		server:admin(manager, "load");
		server:settle();
		muc:say(room, "again");
		assert.equal("again", told().summary["last-message-body"]);
	end);
end);
