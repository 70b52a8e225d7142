-- Two processes that have one MUC domain and one database: one serves, the other waits, and takes over.

local lfs = require "lfs";

local loop = require "harness.loop";
local postgresql = require "harness.postgresql";
local prosody = require "harness.prosody";
local relay = require "harness.relay";
local tables = require "harness.tables";

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

-- The nodes that a message in a room is pushed to, of which there are so many.
local function told(muc, room, count)
	muc.app:clear();
	muc:say(room);
	local nodes = {};
	for node in pairs(databases.counts(muc.app, count)) do table.insert(nodes, node); end
	table.sort(nodes);
	return nodes;
end

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
		two.server:wait_for_log("warn\tprocess " .. one.server.pid .. " on [^\n]* served " .. host);
		local before, length = database:contents(), #two.server:log();
		local her = two.server:user(user.jid);
		assert.same(on_standby, refusal(two.muc:enable(her, "n2")));
		assert.same(on_standby, refusal(two.muc:disable(her, "n1")));
		-- A message is broadcast there as ever, and told to nobody.
		two.muc:say(room, "said where nobody serves");
		assert.truthy(two.muc.bob:receive(nil, function (stanza) return stanza:get_child_text("body") == "said where nobody serves"; end));
		two.server:admin("module:fire_event('user-deleted', ...)", { username = "member-1", host = "users.localhost" });
		two.server:wait_for_log("Another process serves " .. host .. ": process " .. one.server.pid, nil, length);
		two.server:wait_for_log("What was said before is not pushed from here", nil, length);
		two.muc.app:expect_no_push();
		assert.equal(before, database:contents());
		assert.same({ "n1" }, told(one.muc, room, 1));
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

	it("hand over at once when the one that serves is killed on the same machine, with all that was not answered", function ()
		start(one);
		one.server:wait_for_log("warn\tprocess " .. two.server.pid .. " on [^\n]* served " .. host);
		two.muc.app.answer = "silence";
		two.muc:say(room, "not answered");
		databases.counts(two.muc.app, 3);
		local seconds = hand_over(two, one, "kill");
		assert.is_true(seconds < 8, ("it took %.1f s"):format(seconds));
		assert.same({ n1 = { "3" }, n3 = { "2" }, n4 = { "1" } }, databases.counts(one.muc.app, 3));
	end);

	it("tell everybody when the one that serves is killed in a fan-out", function ()
		local nodes, devices = {}, 300;
		for i = 1, devices do nodes[i] = "fan-" .. i; end
		local crowd = one.muc:new_room();
		assert.equal(devices, databases.enable_members(one.muc, crowd, nodes));
		start(two);
		two.server:wait_for_log("warn\tprocess " .. one.server.pid .. " on [^\n]* served " .. host);
		one.muc.bob:join(crowd, "bob");
		one.muc.bob:say(crowd, "to all");
		loop.wait_until(function () return #one.muc.app.pushes > 20; end);
		one.muc.app.answer = "silence";
		hand_over(one, two, "kill");
		local reached, counts = {}, databases.counts(two.muc.app, devices - #one.muc.app.pushes);
		for _, push in ipairs(one.muc.app.pushes) do reached[push.node] = true; end
		for node, of_node in pairs(counts) do
			assert.same({ "1" }, of_node);
			reached[node] = true;
		end
		for _, node in ipairs(nodes) do assert.is_true(reached[node], node); end
		assert.equal("result", (two.muc:disable(two.server:user(user.jid))));
		start(one);
	end);

	it("serve one of them when both begin at the same time", function ()
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
			end, nil, 0.01));
			assert.is_true((serves[1] == nil) ~= (serves[2] == nil));
		end
	end);
end);

-- What takes 15 s: both versions at the same time.
describe("a process that is not heard of any more", function ()
	local cases = {};
	local cluster; -- that goes away

	-- way: a relay to the database, nil: it is reached without one
	local function start(database, version, way)
		local sql = way and tables.merge(tables.merge({}, database.global.sql), { host = way.address, port = way.port });
		local server, muc = database:start(version, { global = { modules_enabled = { "keep_database_connections" }, sql = sql } });
		return { server = server, muc = muc };
	end

	lazy_setup(function ()
		cluster = postgresql.start();
		for _, version in ipairs(prosody.versions) do
			local case = { version = version, database = databases.new(), copy = databases.new() };
			case.one = start(case.database, version);
			case.user, case.room = case.one.muc:new_member();
			assert.equal("result", case.one.muc:enable(case.user, "n1"));
			assert.same({ "n1" }, told(case.one.muc, case.room, 1));
			-- What is in a database that was copied, or restored, or was left behind by a machine that is gone.
			case.three = start(case.copy, version);
			case.user_of_copy, case.room_of_copy = case.three.muc:new_member();
			assert.equal("result", case.three.muc:enable(case.user_of_copy, "n1"));
			case.three.server:kill();
			case.copy:execute([[UPDATE "prosody" SET "value" = ? WHERE "store" = ?]],
				[[{"id":"another","counter":7,"machine":"elsewhere","kernel":"another","pid_space":1,"pid":1,"started":1}]], store);
			local outage = databases.new(cluster);
			case.four = start(outage, version);
			case.user_in_outage, case.room_in_outage = case.four.muc:new_member();
			assert.equal("result", case.four.muc:enable(case.user_in_outage, "n1"));
			assert.same({ "n1" }, told(case.four.muc, case.room_in_outage, 1));
			case.five = start(outage, version);
			case.five.server:wait_for_log("warn\tprocess " .. case.four.server.pid .. " on [^\n]* served " .. host);
			-- Only the first one of these goes by a way that is cut off.
			case.shared = databases.new();
			case.way = relay.start(case.shared.global.sql.host, case.shared.global.sql.port);
			case.six = start(case.shared, version, case.way);
			case.user_cut_off, case.room_cut_off = case.six.muc:new_member();
			assert.equal("result", case.six.muc:enable(case.user_cut_off, "n1"));
			assert.same({ "n1" }, told(case.six.muc, case.room_cut_off, 1));
			case.seven = start(case.shared, version);
			case.seven.server:wait_for_log("warn\tprocess " .. case.six.server.pid .. " on [^\n]* served " .. host);
			table.insert(cases, case);
		end
	end);

	lazy_teardown(function ()
		prosody.close_all();
		cluster:close();
		for _, case in ipairs(cases) do case.way:close(); end
	end);

	it("is given up after 15 s, and what was said meanwhile is told", function ()
		for _, case in ipairs(cases) do
			case.two = start(case.database, case.version);
			case.length = #case.three.server:log();
			case.three.server:start_again();
			case.three.muc:connect();
			case.three.server:wait_for_log("warn\tprocess 1 on elsewhere served " .. host, nil, case.length);
			case.two.server:wait_for_log("warn\tprocess " .. case.one.server.pid .. " on [^\n]* served " .. host);
			case.one.server:freeze();
			case.since = loop.now();
			case.one.muc.bob:say(case.room, "to the one that is frozen");
			case.way:cut();
			case.cut_at = loop.now();
		end
		cluster:stop();
		for _, case in ipairs(cases) do
			case.two.muc:say(case.room, "to the one that waits");
			case.three.muc:say(case.room_of_copy, "to the copy");
			assert.same(on_standby, refusal(case.two.muc:enable(case.two.server:user(case.user.jid), "n2")));
			case.seven.muc:say(case.room_cut_off, "to the one that waits");
			-- Whether anybody can take over it cannot know.
			case.six.muc.app:clear();
			case.six.muc:say(case.room_cut_off, "to the one that is cut off");
			assert.same({ n1 = { "2" } }, databases.counts(case.six.muc.app, 1));
			local answer = refusal(case.six.muc:enable(case.user_cut_off, "n2"));
			assert.same({ "error", "wait" }, { answer[1], answer[2] });
		end
		for _, case in ipairs(cases) do
			local of_copy = databases.wait_until_serving(case.three.server, case.since, case.length, 25);
			local seconds = databases.wait_until_serving(case.two.server, case.since, 0, 25);
			assert.is_true(seconds > 10 and seconds < 22, ("it took %.1f s"):format(seconds));
			assert.is_true(of_copy < 20, ("it took %.1f s"):format(of_copy));
			assert.same({ n1 = { "2" } }, databases.counts(case.two.muc.app, 1)); -- and the message before
			assert.same({ n1 = { "1" } }, databases.counts(case.three.muc.app, 1));
			assert.equal("result", (case.two.muc:enable(case.two.server:user(case.user.jid), "n2")));
		end
	end);

	it("goes on if it is the database that has been away for so long", function ()
		local seconds = loop.now() - cases[1].since;
		assert.is_true(seconds > 15, ("it was away for %.1f s"):format(seconds));
		for _, case in ipairs(cases) do
			assert.same({ "n1" }, told(case.four.muc, case.room_in_outage, 1));
			case.length = #case.five.server:log();
		end
		cluster:start_again();
		for _, case in ipairs(cases) do
			case.five.server:wait_for_log("Another process serves " .. host .. ": process " .. case.four.server.pid, 60, case.length);
			assert.equal("result", (case.four.muc:enable(case.user_in_outage, "n2")));
			assert.same({ "n1", "n2" }, told(case.four.muc, case.room_in_outage, 2));
			assert.is_nil(case.four.server:log():find(" serves " .. host .. " now", 1, true));
			assert.is_nil(case.five.server:log():find("are registered", 1, true));
		end
	end);

	it("is followed where it alone is cut off from the database, and serves no more once it sees that", function ()
		for _, case in ipairs(cases) do
			local seconds = databases.wait_until_serving(case.seven.server, case.cut_at, 0, 25);
			assert.is_true(seconds > 10, ("it took %.1f s"):format(seconds));
			-- What is in the database, and what was said there: not what the other one alone was told.
			assert.same({ n1 = { "2" } }, databases.counts(case.seven.muc.app, 1));
			assert.equal("result", (case.seven.muc:enable(case.seven.server:user(case.user_cut_off.jid), "n2")));
			assert.same({ "n1", "n2" }, told(case.seven.muc, case.room_cut_off, 2));
			-- Until it can look, the other one goes on with what it knows.
			assert.same({ "n1" }, told(case.six.muc, case.room_cut_off, 1));
			assert.is_nil(case.six.server:log():find(" serves " .. host .. " now", 1, true));
			case.seven.muc:wait_until_stored();
			case.contents = case.shared:contents();
			case.length = #case.six.server:log();
			case.way:mend();
			-- The first thing that comes to it then is to be stored.
			local answer = refusal(case.six.muc:enable(case.user_cut_off, "n3"));
			assert.same({ "error", "wait" }, { answer[1], answer[2] });
		end
		for _, case in ipairs(cases) do
			local other = "process " .. case.seven.server.pid .. " on [^\n]* ";
			case.six.server:wait_for_log("error\t" .. other .. "serves " .. host .. " now", nil, case.length);
			case.six.server:wait_for_log("warn\t" .. other .. "served " .. host, nil, case.length);
			assert.same({}, told(case.six.muc, case.room_cut_off, 0));
			assert.same(on_standby, refusal(case.six.muc:enable(case.user_cut_off, "n3")));
			assert.equal(case.contents, case.shared:contents(), "it has stored what it knew");
			assert.same({ "n1", "n2" }, told(case.seven.muc, case.room_cut_off, 2));
		end
	end);

	it("serves no more when it comes back", function ()
		for _, case in ipairs(cases) do
			local length = #case.one.server:log();
			case.one.muc.app:clear();
			case.one.server:signal("CONT");
			case.one.server:wait_for_log("error\tprocess " .. case.two.server.pid .. " on [^\n]* serves " .. host .. " now", nil, length);
			case.one.server:wait_for_log("warn\tprocess " .. case.two.server.pid .. " on [^\n]* served " .. host, nil, length);
			assert.truthy(case.one.muc.bob:receive(nil, function (stanza) return stanza:get_child_text("body") == "to the one that is frozen"; end));
			case.one.muc.app:expect_no_push();
			assert.same({ "n1", "n2" }, told(case.two.muc, case.room, 2));
		end
	end);

	it("stops to serve as soon as it sees that somebody else does", function ()
		for _, case in ipairs(cases) do
			case.length = #case.three.server:log();
			case.copy:execute([[UPDATE "prosody" SET "value" = ? WHERE "store" = ?]],
				[[{"id":"another","counter":8,"machine":"elsewhere","pid":1}]], store);
		end
		for _, case in ipairs(cases) do
			case.three.server:wait_for_log("error\tprocess 1 on elsewhere serves " .. host .. " now", nil, case.length);
			case.three.server:wait_for_log("warn\tprocess 1 on elsewhere served " .. host, nil, case.length);
			assert.same({}, told(case.three.muc, case.room_of_copy, 0));
		end
	end);
end);

-- What a server has written down of who serves, in internal storage.
local function internal_tenure(server)
	return lfs.attributes(server.data_dir .. "/conference%2elocalhost/" .. store .. ".dat");
end

versions.describe("internal storage", function (version)
	after_each(prosody.close_all);

	it("has no standby unless that is asked for", function ()
		local server, muc = muc_service.start(version, { muc = muc_service.with_body() });
		local user = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
		muc:restart("stop");
		assert.is_nil(internal_tenure(server));
	end);

	it("may have one, which its own Prosody does not wait for", function ()
		local server, muc = muc_service.start(version, {
			muc = muc_service.with_body { muc_push_standby = true, muc_push_default = "always", muc_room_default_persistent = true };
		});
		local user, room = muc:new_member();
		assert.equal("result", muc:enable(user, "n1"));
		assert.truthy(internal_tenure(server));
		for _, finish in ipairs { "kill", "stop" } do
			muc:restart(finish);
			assert.equal("result", muc:enable(server:user(user.jid), "n1"));
			assert.same({ "n1" }, told(muc, room, 1));
		end
		assert.same({}, complaints(server, 0));
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
			assert.same({ "n1" }, told(muc, room, 1));
			assert.same({}, complaints(server, length));
		end);
	end

	it("goes on at once after a reload", function ()
		local length = #server:log();
		for _ = 1, 3 do muc:manage "reload"; end
		assert.equal("result", (muc:enable(user, "n1")));
		assert.same({ "n1" }, told(muc, room, 1));
		assert.same({}, complaints(server, length));
	end);
end);
