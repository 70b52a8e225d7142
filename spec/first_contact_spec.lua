-- First contact: who registers an app server says whom the service is to write to, and nobody has asked those. A domain that
-- has never taken a publish gets ten at most, whoever names it; one that takes them gets everything at once.

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local members = 60;
local unknown = { type = "cancel", condition = "service-unavailable" };

versions.describe("first contact", function (version)
	local server, muc, silent, refusing, resource;
	local users = {};

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost", "silent.localhost", "refusing.localhost" };
			muc = {
				modules_enabled = { "muc_cloud_notify" };
				muc_push_default = "always";
				muc_push_retry_delay = 600; -- longer than this spec takes
				muc_room_default_persistent = true;
				push_max_devices = 10;
			};
		};
		muc = muc_service.new(server);
		silent, refusing = server:app_server("silent.localhost"), server:app_server("refusing.localhost");
		silent.answer, refusing.answer = "silence", unknown;
		for n = 1, members do
			users[n] = server:user(("victim-%d@users.localhost/phone"):format(n));
		end
	end);

	-- A new room with all users as members, none of whom is in it.
	local function new_room()
		local bare_jids = {};
		for n, user in ipairs(users) do
			bare_jids[n] = user.jid:match("^[^/]+");
		end
		return muc:new_room(bare_jids);
	end

	-- All users register a device there; what is a function says for each where.
	local function enable_all(jid)
		for n, user in ipairs(users) do
			local to = type(jid) == "function" and jid(n) or jid;
			assert.equal("result", user:enable({ jid = to, node = "n" .. n }).attr.type);
		end
	end

	local function disable_all(jid)
		for n, user in ipairs(users) do
			local to = type(jid) == "function" and jid(n) or jid;
			assert.equal("result", user:disable({ jid = to }).attr.type);
		end
	end

	-- How many pushes have left for a domain, by the log.
	local function sent_to(domain)
		local count = 0;
		for _ in server:log():gmatch("Pushing to %S+ through [^\n]-" .. domain:gsub("%p", "%%%0")) do
			count = count + 1;
		end
		return count;
	end

	for _, case in ipairs {
		{ "answers nothing", "silent.localhost", function () return silent.count; end, 10 };
		{ "answers that it knows nothing of it", "refusing.localhost", function () return refusing.count; end, 5 };
		{ "does not exist", "nowhere.invalid", function () return sent_to("nowhere.invalid"); end, 5 };
	} do
		local what, domain, count, least = table.unpack(case);

		it("sends ten pushes at most to a domain that " .. what .. ", whatever is registered there", function ()
			resource = (resource or 0) + 1;
			local here = resource;
			local rooms = { new_room(), new_room() };
			local function address(n)
				return n % 2 == 0 and ("d%d@%s"):format(n, domain) or ("%s/%d-%d"):format(domain, here, n);
			end
			enable_all(address);
			muc:say(rooms[1]);
			loop.wait_until(function () return count() >= least; end);
			for round = 1, 3 do
				muc:say(rooms[round % 2 + 1]);
				disable_all(address);
				here = here + 100;
				enable_all(address);
				muc:say(rooms[1]);
			end
			silent.component:sync();
			refusing.component:sync();
			assert.is_true(count() >= least and count() <= 10, ("%d publishes"):format(count()));
			disable_all(address);
		end);
	end

	it("sends everything at once to an app server that takes it", function ()
		local room = new_room();
		enable_all("push.localhost");
		for message = 1, 3 do
			local before, started = muc.app.count, loop.now();
			muc:say(room);
			loop.wait_until(function () return muc.app.count >= before + members; end);
			assert.equal(before + members, muc.app.count, message);
			assert.is_true(loop.now() - started < 1, "within a second");
		end
		disable_all("push.localhost");
	end);

	it("remembers over a restart who has not answered and who has", function ()
		local room = new_room();
		enable_all("silent.localhost");
		enable_all("push.localhost");
		muc:restart("stop");
		local seen = server:app_server("silent.localhost");
		seen.answer = "silence";
		local before = muc.app.count;
		muc:say(room);
		loop.wait_until(function () return muc.app.count >= before + members; end);
		assert.equal(before + members, muc.app.count);
		seen.component:sync();
		assert.equal(0, seen.count);
	end);
end);
