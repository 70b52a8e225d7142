-- Two processes that have one MUC domain and one database: one serves, the other waits, and takes over.

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local databases = require "spec.support.databases";
local logs = require "spec.support.logs";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local host = "conference.localhost";
local store = "muc_cloud_notify_standby";

local transient = { type = "wait", condition = "resource-constraint" };

local function refusal(...)
	local result, error_type, condition, text = ...;
	assert.truthy(result == "result" or text and text ~= "");
	return { result, error_type, condition };
end

local on_standby = { "error", "wait", "recipient-unavailable" };

-- What this module has logged above the level of information.
local function complaints(server, from)
	local entries, found = logs.entries(server:log(from)), {};
	for _, entry in ipairs(table.move(entries.error, 1, #entries.error, #entries.warn + 1, entries.warn)) do
		if entry:find(":muc_cloud_notify\t", 1, true) then table.insert(found, entry); end
	end
	return found;
end

versions.describe("two processes of one domain", function (version)
	local database;
	local one, two = {}, {}; -- { server, muc }, each
	local user, room;

	local function start(process)
		if not process.server then
			process.server, process.muc = database:start(version, { muc = { muc_push_retry_delay = 0.1 } });
		else
			process.server:start_again();
			process.muc:connect();
		end
	end

	-- Ends the process that serves in some way. Returns the seconds until the other one has taken over.
	local function hand_over(from, to, finish)
		local length, since = #to.server:log(), loop.now();
		from.server[finish](from.server);
		return databases.wait_until_serving(to.server, since, length);
	end

	lazy_setup(function ()
		database = databases.new();
		start(one);
		user, room = one.muc:new_member();
		assert.equal("result", one.muc:enable(user, "n1"));
	end);

	it("push from one of them, while the other one waits, says so, and refuses to register devices", function ()
		start(two);
		two.server:wait_for_log("warn\tprocess " .. one.server.pid .. " on [^\n]* served " .. host, 5);
		local before, length = database:contents(), #two.server:log();
		local her = two.server:user(user.jid);
		assert.same(on_standby, refusal(two.muc:enable(her, "n2")));
		assert.same(on_standby, refusal(two.muc:disable(her, "n1")));
		-- A message is broadcast there as ever, and told to nobody.
		two.muc:say(room, "said where nobody serves");
		assert.truthy(two.muc.bob:receive(5, function (stanza) return stanza:get_child_text("body") == "said where nobody serves"; end));
		two.server:admin("module:fire_event('user-deleted', ...)", { username = "member-1", host = "users.localhost" });
		two.server:wait_for_log("Another process serves " .. host .. ": process " .. one.server.pid, 10, length);
		two.muc.app:expect_no_push();
		assert.equal(before, database:contents());
		assert.same({ "n1" }, (one.muc:pushed(room)));
		assert.equal("result", one.muc:enable(user, "n3"));
	end);

	it("hand over at once when the one that serves is stopped, with all that waits", function ()
		one.muc.app.answer = transient;
		one.muc:say(room, "not taken");
		databases.counts(one.muc.app, 2);
		local seconds = hand_over(one, two, "stop");
		assert.is_true(seconds < 8, ("it took %.1f s"):format(seconds));
		-- The message above, and the one before, which had been taken.
		assert.same({ n1 = { "2" }, n3 = { "1" } }, databases.counts(two.muc.app, 2));
		assert.equal("result", two.muc:enable(two.server:user(user.jid), "n4"));
	end);

	it("hand over at once when the one that serves is killed on the same machine", function ()
		start(one);
		one.server:wait_for_log("warn\tprocess " .. two.server.pid .. " on [^\n]* served " .. host, 5);
		local seconds = hand_over(two, one, "kill");
		assert.is_true(seconds < 8, ("it took %.1f s"):format(seconds));
		assert.same({ "n1", "n3", "n4" }, (one.muc:pushed(room)));
	end);

	it("serve one of them when both begin at the same time", function ()
		start(two);
		for _ = 1, 2 do
			one.muc:manage "unload";
			two.muc:manage "unload";
			database:execute([[DELETE FROM "prosody" WHERE "store" = ?]], store);
			local lengths = { #one.server:log(), #two.server:log() };
			one.muc:manage "load";
			two.muc:manage "load";
			local serves, waits = {}, {};
			assert(loop.wait_until(function ()
				for i, process in ipairs { one, two } do
					local log = process.server:log(lengths[i]);
					serves[i], waits[i] = log:find("are registered", 1, true), log:find("\twarn\tprocess %d+ on [^\n]* served ");
				end
				return (serves[1] or waits[1]) and (serves[2] or waits[2]);
			end, 10, 0.01));
			assert.is_true((serves[1] == nil) ~= (serves[2] == nil));
		end
	end);
end);

-- What takes 15 s: both versions at the same time.
describe("a process that is not heard of any more", function ()
	local cases = {};

	local function start(database, version)
		local server, muc = database:start(version);
		return { server = server, muc = muc };
	end

	lazy_setup(function ()
		for _, version in ipairs(prosody.versions) do
			local case = { version = version, database = databases.new(), copy = databases.new() };
			case.one = start(case.database, version);
			case.user, case.room = case.one.muc:new_member();
			assert.equal("result", case.one.muc:enable(case.user, "n1"));
			assert.same({ "n1" }, (case.one.muc:pushed(case.room)));
			-- What is in a database that was copied, or restored, or was left behind by a machine that is gone.
			case.three = start(case.copy, version);
			case.user_of_copy, case.room_of_copy = case.three.muc:new_member();
			assert.equal("result", case.three.muc:enable(case.user_of_copy, "n1"));
			case.three.server:kill();
			case.copy:execute([[UPDATE "prosody" SET "value" = ? WHERE "store" = ?]],
				[[{"id":"another","counter":7,"machine":"elsewhere","kernel":"another","pid_space":1,"pid":1,"started":1}]], store);
			table.insert(cases, case);
		end
	end);

	lazy_teardown(prosody.close_all);

	it("is given up after 15 s, and what was said meanwhile is told", function ()
		for _, case in ipairs(cases) do
			case.two = start(case.database, case.version);
			case.length = #case.three.server:log();
			case.three.server:start_again();
			case.three.muc:connect();
			case.three.server:wait_for_log("warn\tprocess 1 on elsewhere served " .. host, 5, case.length);
			case.two.server:wait_for_log("warn\tprocess " .. case.one.server.pid .. " on [^\n]* served " .. host, 5);
			case.one.server:freeze();
			case.since = loop.now();
			case.one.muc.bob:say(case.room, "to the one that is frozen");
		end
		for _, case in ipairs(cases) do
			case.two.muc:say(case.room, "to the one that waits");
			case.three.muc:say(case.room_of_copy, "to the copy");
			assert.same(on_standby, refusal(case.two.muc:enable(case.two.server:user(case.user.jid), "n2")));
		end
		for _, case in ipairs(cases) do
			local of_copy = databases.wait_until_serving(case.three.server, case.since, case.length, 25);
			local seconds = databases.wait_until_serving(case.two.server, case.since, 0, 25);
			assert.is_true(seconds > 10 and seconds < 22, ("it took %.1f s"):format(seconds));
			assert.is_true(of_copy < 20, ("it took %.1f s"):format(of_copy));
			assert.same({ n1 = { "1" } }, databases.counts(case.two.muc.app, 1));
			assert.same({ n1 = { "1" } }, databases.counts(case.three.muc.app, 1));
			assert.equal("result", (case.two.muc:enable(case.two.server:user(case.user.jid), "n2")));
		end
	end);

	it("serves no more when it comes back", function ()
		for _, case in ipairs(cases) do
			local length = #case.one.server:log();
			case.one.muc.app:clear();
			case.one.server:signal("CONT");
			case.one.server:wait_for_log("error\tprocess " .. case.two.server.pid .. " on [^\n]* serves " .. host .. " now", 5, length);
			case.one.server:wait_for_log("warn\tprocess " .. case.two.server.pid .. " on [^\n]* served " .. host, 5, length);
			assert.truthy(case.one.muc.bob:receive(5, function (stanza) return stanza:get_child_text("body") == "to the one that is frozen"; end));
			case.one.muc.app:expect_no_push();
			assert.same({ "n1", "n2" }, (case.two.muc:pushed(case.room)));
		end
	end);

	it("stops to serve as soon as it sees that somebody else does", function ()
		for _, case in ipairs(cases) do
			case.length = #case.three.server:log();
			case.copy:execute([[UPDATE "prosody" SET "value" = ? WHERE "store" = ?]],
				[[{"id":"another","counter":8,"machine":"elsewhere","pid":1}]], store);
		end
		for _, case in ipairs(cases) do
			case.three.server:wait_for_log("error\tprocess 1 on elsewhere serves " .. host .. " now", 10, case.length);
			case.three.server:wait_for_log("warn\tprocess 1 on elsewhere served " .. host, 5, case.length);
			assert.same({}, (case.three.muc:pushed(case.room_of_copy)));
		end
	end);
end);

versions.describe_storages("a process that is started again", function (version, storage)
	local server, muc, user, room;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			global = storage.global; muc = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true };
		});
		user, room = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
	end);

	for _, finish in ipairs { "kill", "stop" } do
		it("serves at once after a " .. finish, function ()
			local length = #server:log();
			muc:restart(finish);
			user = server:user(user.jid);
			assert.equal("result", (muc:enable(user, "n1")));
			assert.same({ "n1" }, (muc:pushed(room)));
			assert.same({}, complaints(server, length));
		end);
	end

	it("goes on at once after a reload", function ()
		local length = #server:log();
		for _ = 1, 3 do muc:manage "reload"; end
		assert.equal("result", (muc:enable(user, "n1")));
		assert.same({ "n1" }, (muc:pushed(room)));
		assert.same({}, complaints(server, length));
	end);
end);
