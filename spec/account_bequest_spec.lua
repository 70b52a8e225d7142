-- A server that is killed in the moment between a record of registrations being stored and the engine's hearing of it, where a device that
-- is registered takes the place of the account's devices, or these take its place: what was unread is told by what is there after that.

local account_phones = require "spec.support.account_phones";
local versions = require "spec.support.versions";

-- The process ends as soon as a record of registrations is stored, before anybody hears of that.
local die_after_write = [[
	local methods = getmetatable(require "core.storagemanager".open(module.host, "muc_cloud_notify")).__index;
	local set = methods.set;
	function methods:set(...)
		local ok, err = set(self, ...);
		if self.store == "muc_cloud_notify" then
			os.execute("kill -KILL "..require "util.pposix".getpid());
		end
		return ok, err;
	end
]];

versions.describe("a kill after a record is stored", function (version)
	local server, muc, phones;
	local count, node = 0, nil;

	lazy_setup(function ()
		server, muc, phones = account_phones.start(version, {
			-- Nothing is told twice before a restart.
			muc = account_phones.options { muc_push_account_interval = 3600, muc_push_retry_delay = 0.1, muc_push_journal = true };
		});
	end);

	before_each(function ()
		muc.app:start_anew();
		phones:start_anew();
		count = count + 1;
		node = "ann-"..count;
	end);

	-- A client whose account has a device, and a room where it is a member, and absent.
	local function new_member()
		local client = server:client(("ann-%d@localhost/phone"):format(count), { stream_management = false });
		account_phones.enable(client, "phone");
		server:settle();
		return client, muc:new_room { client.bare_jid };
	end

	-- The server has ended by itself, and is started again.
	local function start_again()
		server:kill();
		server:start_again();
		muc:connect();
		phones = server:app_server(account_phones.app_host);
		muc:wait_until_loaded();
	end

	-- The next push to the device that was registered in the test.
	local function next_push()
		local push = muc.app:expect_push_for(node);
		return { push.summary["last-message-body"], push.summary["message-count"] };
	end

	local function die_after_next_write()
		muc:wait_until_stored();
		server:admin(die_after_write);
	end

	it("leaves what the account had yet to hear of to a device that takes its place", function ()
		local client, room = new_member();
		muc:say(room, "one");
		phones:expect_push();
		muc:say(room, "two");
		die_after_next_write();
		assert.is_false(pcall(muc.enable, muc, client, node), "nothing is confirmed");
		start_again();
		assert.same({ "two", "2" }, next_push());
	end);

	it("leaves what a device had yet to hear of to the account that takes its place", function ()
		local client, room = new_member();
		assert.equal("result", (muc:enable(client, node)));
		muc.app.answer = "silence";
		muc:say(room, "one");
		muc.app:expect_push();
		muc:say(room, "two");
		die_after_next_write();
		assert.is_false(pcall(muc.disable, muc, client, node), "nothing is confirmed");
		local length = #server:log();
		start_again();
		server:wait_for_log("Pushing to "..client.bare_jid.." through the devices of the account", nil, length);
	end);

	it("leaves nothing to a device that takes the place of nothing", function ()
		local client, room = new_member();
		muc:say(room, "one");
		phones:expect_push();
		client:join(room, "Ann");
		client:leave(room);
		die_after_next_write();
		assert.is_false(pcall(muc.enable, muc, client, node), "nothing is confirmed");
		start_again();
		muc:say(room, "two");
		assert.same({ "two", "1" }, next_push());
	end);
end);
