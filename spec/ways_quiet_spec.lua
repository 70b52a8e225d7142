-- Who is told nothing through the account they have, here or elsewhere, nor through a device: as the operator, the room, their presence or
-- their host says so. Beside each the twin that is told.

local st = require "util.stanza";

local loop = require "harness.loop";
local tables = require "harness.tables";

local account_phones = require "spec.support.account_phones";
local before_due = require "spec.support.before_due";
local registrations = require "spec.support.registrations";
local versions = require "spec.support.versions";

local never, auto, paced, held = "never.localhost", "auto.localhost", "paced.localhost", "held.localhost";
local interval = 1;
-- Longer than it takes until a kill. After it, a first try fails, as the component is not there yet, and the next one comes after this time.
local interval_held = 3;
local plain_host = account_phones.plain_host;

-- What is asked of the storage of hosts: how often stores were opened, and read.
local count_storage = [[
	local storagemanager = require "core.storagemanager";
	local counts = {};
	prosody.storage_counts = counts;
	local open = storagemanager.open;
	for _, host in ipairs { ... } do
		local count = { opened = 0, read = 0 };
		counts[host] = count;
		local methods = getmetatable(open(host, "accounts")).__index;
		for _, name in ipairs { "get", "users" } do
			local original = methods[name];
			methods[name] = function (...) count.read = count.read + 1; return original(...); end
		end
	end
	function storagemanager.open(host, ...)
		if counts[host] then counts[host].opened = counts[host].opened + 1; end
		return open(host, ...);
	end
]];

versions.describe("a way to a member", function (version)
	local server, muc, phones;
	local count = 0;

	local function options(more)
		return account_phones.options(tables.merge({ allow_unaffiliated_register = true, muc_push_retry_delay = 0.1 }, more));
	end

	lazy_setup(function ()
		server, muc, phones = account_phones.start(version, {
			muc = options();
			mucs = {
				[never] = options { muc_push_default = "never" };
				[auto] = options { muc_push_default = "auto" };
				[paced] = options { muc_push_account_interval = interval };
				[held] = options { muc_push_account_interval = interval_held, muc_push_journal = true };
			};
		});
	end);

	before_each(function ()
		muc.app:start_anew();
		phones:start_anew();
		count = count + 1;
	end);

	-- A client whose account has a device.
	local function new_account()
		local client = server:client(("ann-%d@localhost/phone"):format(count), { stream_management = false });
		account_phones.enable(client, "phone-"..count);
		server:settle();
		return client;
	end

	-- An account elsewhere whose owner has asked a room for its messages.
	local function new_forward(room)
		local account = server:user(("carl-%d@users.localhost"):format(count));
		muc.bob:affiliate(room, account.jid, "member");
		assert.equal("result", (registrations.submit(server:user(account.jid.."/desk"), room, "Carl", "1")));
		account:clear();
		return account;
	end

	-- The texts that an account elsewhere has got forwarded so far. It answers each as Prosody does.
	local function forwarded(account)
		muc.bob.component:sync();
		local texts = {};
		repeat
			local message = account:receive(0, function (stanza) return (stanza.attr.id or ""):find "^muc%-forwarded%-"; end);
			if message then
				table.insert(texts, message:get_child_text("body"));
				account:send(st.error_reply(message, "cancel", "service-unavailable"));
				muc.bob.component:sync();
			end
		until not message;
		return texts;
	end

	for _, service in ipairs { never, "conference.localhost" } do
		it(service == never and "is not taken where nobody is to be told" or "is taken where all are to be told", function ()
			local client = new_account();
			local room = muc:new_room({ client.bare_jid, ("dora-%d@users.localhost"):format(count) }, service);
			local dora = server:user(("dora-%d@users.localhost/phone"):format(count));
			assert.equal("result", (muc:enable(dora, "dora", nil, service)));
			local carl = new_forward(room);
			muc:say(room, "hello");
			local is_told = service ~= never;
			assert.same(is_told and { "hello" } or {}, forwarded(carl));
			assert.same(is_told and { "dora 1 hello" } or {}, muc:take_pushes());
			if is_told then phones:expect_push(); else phones:expect_no_push(); end
			-- Not even of a mention.
			muc:say(room, "Carl: look");
			assert.same(is_told and { "Carl: look" } or {}, forwarded(carl));
			if not is_told then phones:expect_no_push(); end
		end);
	end

	it("is taken in a public room for who is mentioned alone", function ()
		local client = new_account();
		local room = muc:new_room({}, auto);
		server:admin([[
			local room = muc_of(jid.host(...)).get_room_from_jid(...);
			room:set_public(true);
			room:set_members_only(false);
		]], room);
		muc.bob:say(room, "it is public now");
		muc.bob.component:sync();
		muc.bob:affiliate(room, client.bare_jid, "member", "Ann");
		local carl = new_forward(room);
		muc:say(room, "hello all");
		phones:expect_no_push();
		assert.same({}, forwarded(carl));
		muc:say(room, "Ann: hello");
		assert.equal("Ann: hello", phones:expect_push().summary["last-message-body"]);
		assert.same({}, forwarded(carl));
		muc:say(room, "Carl: hello");
		assert.same({ "Carl: hello" }, forwarded(carl));
		phones:expect_no_push();
	end);

	it("is not taken any more for who is back before the interval is over", function ()
		local client, room, carl, desk;
		local function say(text)
			muc:say(room, text);
			muc.bob.component:sync();
		end
		before_due(interval, function (begin)
			count = count + 1;
			client = new_account();
			room = muc:new_room({ client.bare_jid }, paced);
			carl = new_forward(room);
			desk = server:user(carl.jid.."/desk");
			phones:start_anew();
			begin();
			say "one";
			assert.equal("one", phones:expect_push().summary["last-message-body"]);
			assert.same({ "one" }, forwarded(carl));
			say "two";
			client:join(room, "Ann");
			desk:join(room, "Carl");
		end);
		assert.is_nil(loop.wait_until(function () return phones.pushes[1]; end, 1.5 * interval, 0.05));
		assert.same({}, forwarded(carl));
		client:leave(room);
		desk:leave(room);
		say "three";
		assert.equal("three", phones:expect_push().summary["last-message-body"]);
		assert.truthy(loop.wait_until(function () return forwarded(carl)[1] == "three"; end, nil, 0.05));
	end);

	it("is taken again after a kill for what was still to be forwarded, and twice at most", function ()
		local room = muc:new_room({}, held);
		local carl = new_forward(room);
		muc:say(room, "told");
		assert.same({ "told" }, forwarded(carl));
		muc:say(room, "pending");
		assert.same({}, forwarded(carl));
		assert(loop.wait_until(function ()
			return server:admin("return prosody.hosts[...].modules.muc_cloud_notify.stats().unstored", held) == 0;
		end, nil, 0.01), "not everything is stored");
		muc:restart "kill";
		phones = server:app_server(account_phones.app_host);
		carl = server:user(carl.jid);
		local texts = {};
		assert(loop.wait_until(function ()
			for _, text in ipairs(forwarded(carl)) do table.insert(texts, text); end
			return texts[1];
		end, nil, 0.02), "not told");
		server:settle(20);
		for _, text in ipairs(forwarded(carl)) do table.insert(texts, text); end
		assert.is_true(#texts <= 2, #texts);
		for _, text in ipairs(texts) do assert.equal("pending", text); end
	end);

	it("costs the storage of a host without mod_cloud_notify nothing", function ()
		local client, plain = new_account(), server:client(("ann-%d@%s/phone"):format(count, plain_host), { stream_management = false });
		local room = muc:new_room { client.bare_jid, plain.bare_jid };
		muc:say(room, "before");
		phones:expect_push();
		server:admin(count_storage, "localhost", plain_host);
		muc:manage "unload";
		muc:manage "load";
		muc:say(room, "after");
		assert.equal("after", phones:expect_push().summary["last-message-body"]);
		plain:join(room, "Plain");
		plain:leave(room);
		muc:say(room, "at last");
		assert.equal("at last", phones:expect_push().summary["last-message-body"]);
		local counts = server:admin "return prosody.storage_counts";
		assert.is_true(counts.localhost.opened > 0 and counts.localhost.read > 0);
		assert.same({ opened = 0, read = 0 }, counts[plain_host]);
	end);
end);
