-- Who has a device now is looked for in the rooms: nothing is missed meanwhile, and nobody else notices.

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local versions = require "spec.support.versions";

-- What happens within one turn of the event loop: enable(user), disable(user), say(room).
local prelude = [[
	local service = module.host;
	local function request(name, user)
		local iq = st.iq({ type = "set", id = "x", from = user .. "/phone", to = service })
			:tag(name, { xmlns = "urn:xmpp:push:0", jid = "push.localhost", node = user });
		prosody.hosts[service].events.fire_event("iq-set/host/urn:xmpp:push:0:" .. name, {
			origin = { send = function (reply) assert(reply.attr.type == "result", tostring(reply)); end }; stanza = iq:reset();
		});
	end
	local function enable(user) request("enable", user); end
	local function disable(user) request("disable", user); end
	local count = 0;
	local function say(room_jid)
		count = count + 1;
		local message = st.message({ type = "groupchat", from = room_jid .. "/Olga", to = room_jid, id = "m" .. count }):body("Hello");
		room(room_jid):broadcast_message(message);
	end
	-- How often one of a room's lists of affiliations is gone through.
	local readings = 0;
	local function count_readings(of_room)
		local each_affiliation = of_room.each_affiliation;
		function of_room:each_affiliation(...)
			readings = readings + 1;
			return each_affiliation(self, ...);
		end
	end
	local function make_rooms(how_many)
		for number = 1, how_many do
			local new_room = muc.new_room("many-" .. number .. "@" .. service, {});
			muc.track_room(new_room);
			prosody.hosts[service].events.fire_event("muc-room-created", { room = new_room });
		end
	end
	local function fill(of_room, affiliations)
		for number = 1, affiliations do
			of_room._affiliations["user" .. number .. "@elsewhere.example"] = "member";
		end
	end
]];

versions.describe("the rooms of somebody who has a device now", function (version)
	local server, app, olga, rooms;

	before_each(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			muc = {
				modules_enabled = { "muc_cloud_notify" }; muc_push_slice = 0.1; muc_push_default = "always";
				muc_room_default_persistent = true, muc_room_cache_size = 10000;
			};
		};
		app, olga, rooms = server:app_server("push.localhost"), server:user("olga@users.localhost/desk"), {};
		for i = 1, 3 do
			rooms[i] = string.format("room-%d@conference.localhost", i);
			olga:create_room(rooms[i], "Olga");
			olga:affiliate(rooms[i], "ann@users.localhost", "member");
			olga:say(rooms[i], "Nobody has a device, so the room is quiet");
		end
		olga:affiliate(rooms[3], "ann@users.localhost", "none");
		olga.component:sync();
	end);

	after_each(prosody.close_all);

	local function run(code, ...)
		return server:admin(prelude .. code, ...);
	end

	local function nodes()
		app.component:sync();
		local found = {};
		for i, push in ipairs(app.pushes) do found[i] = push.node .. " " .. push.count; end
		app:clear();
		table.sort(found);
		return found;
	end

	it("are known to a message of the same turn, also where a room was quiet", function ()
		run([[ local first, second, third = ...; enable("ann@users.localhost"); say(first); say(third); ]], table.unpack(rooms));
		server:settle();
		assert.same({ "ann@users.localhost 1" }, nodes());
		run([[ local first, second, third = ...; say(second); say(third); ]], table.unpack(rooms));
		server:settle();
		assert.same({ "ann@users.localhost 2" }, nodes());
	end);

	it("are known also when the device goes and comes again while they are looked for", function ()
		run([[
			local first, second = ...;
			enable("ann@users.localhost"); say(second); disable("ann@users.localhost"); enable("ann@users.localhost"); say(first); say(second);
		]], table.unpack(rooms));
		server:settle();
		assert.same({ "ann@users.localhost 2" }, nodes());
	end);

	it("are those of before and after a change of an affiliation while they are looked for", function ()
		run([[
			local first, second, third = ...;
			enable("ann@users.localhost");
			room(first):set_affiliation(true, "ann@users.localhost", "none");
			room(third):set_affiliation(true, "ann@users.localhost", "member");
			say(first); say(third);
		]], table.unpack(rooms));
		server:settle();
		assert.same({ "ann@users.localhost 1" }, nodes());
		run([[ say(...); ]], rooms[1]);
		server:settle();
		assert.same({}, nodes());
	end);

	it("are known to what comes back from a session, and to the list of those who are absent", function ()
		local absent = run([[
			enable("ann@users.localhost");
			return prosody.hosts[service].modules.muc_cloud_notify.absent_members(...);
		]], rooms[1]);
		assert.same({ "ann@users.localhost" }, absent);
	end);

	it("are not those where they are there", function ()
		local ann = server:user("ann@users.localhost/desk");
		ann:join(rooms[1], "Ann");
		run([[ local first, second = ...; enable("ann@users.localhost"); say(first); say(second); ]], table.unpack(rooms));
		server:settle();
		assert.same({ "ann@users.localhost 1" }, nodes());
		ann:leave(rooms[1]);
		ann.component:sync();
		run([[ say(...); ]], rooms[1]);
		server:settle();
		assert.same({ "ann@users.localhost 2" }, nodes());
	end);

	it("are not those of which Prosody only calls them the owner", function ()
		server:reconfigure({ admins = { "ann@users.localhost" } }, { admins = { "ann@users.localhost" } });
		server:reload_config();
		run([[ local first, second, third = ...; enable("ann@users.localhost"); say(third); say(first); ]], table.unpack(rooms));
		server:settle();
		assert.same({ "ann@users.localhost 1" }, nodes());
	end);

	it("are found in one pass for many users, without a look at more than is theirs", function ()
		local passes, looked_at = run([[
			local first = ...;
			local large = room(first);
			fill(large, 20000);
			local passes, looked_at = 0, 0;
			local affiliations = large._affiliations;
			large._affiliations = setmetatable({}, {
				__index = function (_, key) looked_at = looked_at + 1; return affiliations[key]; end;
				__pairs = function ()
					passes = passes + 1;
					return function (_, key) looked_at = looked_at + 1; return next(affiliations, key); end;
				end;
			});
			for i = 1, 300 do enable("many-" .. i .. "@users.localhost"); end
			settle(100);
			large._affiliations = affiliations;
			return passes, looked_at;
		]], rooms[1]);
		assert.equal(1, passes);
		assert.is_true(looked_at > 0 and looked_at <= 2 * 300 + 1, looked_at);
	end);

	it("are found without a list of all rooms, or notes of each", function ()
		local walks, bytes = run([[
			make_rooms(5000);
			settle(5);
			local last = room("many-5000@" .. service);
			local is_found = false;
			last._affiliations = setmetatable({}, { __pairs = function () is_found = true; return next, {}; end });
			local live_rooms, walks = muc.live_rooms, 0;
			function muc.live_rooms() walks = walks + 1; return live_rooms(); end
			collectgarbage();
			collectgarbage("stop");
			local before = collectgarbage "count";
			enable("ann@users.localhost");
			repeat settle(1); until is_found;
			local bytes = (collectgarbage "count" - before) * 1024;
			collectgarbage("restart");
			muc.live_rooms = live_rooms;
			return walks, bytes;
		]], rooms[1]);
		assert.equal(0, walks);
		assert.is_true(bytes < 40 * 5000, bytes);
	end);

	it("are found where their place in a room that is being read was passed already", function ()
		run([[ enable("ben@users.localhost"); ]]);
		olga:affiliate(rooms[2], "ben@users.localhost", "member");
		server:settle();
		run([[
			local second = ...;
			local large = room(second);
			fill(large, 20000);
			local each_affiliation, has_ended = large.each_affiliation, false;
			function large:each_affiliation(...)
				local iterate, state, first = each_affiliation(self, ...);
				return function (...)
					local bare_jid, affiliation, data = iterate(...);
					if not bare_jid and not has_ended then
						has_ended = true;
						enable("ann@users.localhost");
						say(second);
					end
					return bare_jid, affiliation, data;
				end, state, first;
			end
			module:fire_event("muc-room-restored", { jid = second, room = large });
			settle(200);
			assert(has_ended);
		]], rooms[2]);
		assert.same({ "ann@users.localhost 1", "ben@users.localhost 1" }, nodes());
	end);

	it("are found while somebody enables all the time, and nobody's room is read again for it", function ()
		run([[ enable("ben@users.localhost"); ]]);
		olga:affiliate(rooms[2], "ben@users.localhost", "member");
		server:settle();
		local readings, turns = run([[
			local first, second = ...;
			local large = room(second);
			fill(large, 30000);
			count_readings(large);
			module:fire_event("muc-room-restored", { jid = second, room = large });
			say(second); -- is held until the room is read
			local coverage_known, turns = false, 0;
			local absent = prosody.hosts[service].modules.muc_cloud_notify;
			-- Strangers enable in each turn, and Ann, a member, in one of them.
			for turn = 1, 400 do
				enable("stranger-" .. turn % 90 .. "@elsewhere-" .. turn % 20 .. ".example");
				if turn == 3 then enable("ann@users.localhost"); end
				settle(1);
				turns = turn;
			end
			return readings, turns;
		]], table.unpack(rooms));
		assert.equal(400, turns);
		assert.equal(1, readings);
		local found = nodes();
		assert.truthy(table.concat(found, "\n"):find("ben@users.localhost 1", 1, true), table.concat(found, "\n"));
		run([[ say(...); ]], rooms[2]);
		assert.truthy(loop.wait_until(function () return table.concat(nodes(), "\n"):find("ann@users.localhost", 1, true); end));
	end);

	describe("when very many others ask to be searched for", function ()
		-- ask(name, user): a request that may be answered later, in answers[name .. " " .. user]. look_ups(of_room, func): how often
		-- affiliations are looked at meanwhile.
		local crowd = [[
			local answers, counts = {}, { enable = {}, disable = {} };
			local function ask(name, user)
				local iq = st.iq({ type = "set", id = "x", from = user .. "/phone", to = service })
					:tag(name, { xmlns = "urn:xmpp:push:0", jid = "push.localhost", node = user });
				prosody.hosts[service].events.fire_event("iq-set/host/urn:xmpp:push:0:" .. name, {
					origin = { send = function (reply)
						local error_type, condition = reply:get_error();
						local answer = reply.attr.type == "result" and "result" or error_type .. "/" .. condition;
						answers[name .. " " .. user] = answer;
						counts[name][answer] = (counts[name][answer] or 0) + 1;
					end }; stanza = iq:reset();
				});
			end
			local function count_answers(name)
				local copy = {};
				for answer, count in pairs(counts[name]) do copy[answer] = count; end
				return copy;
			end
			local function look_ups(of_room, func)
				local affiliations, count = of_room._affiliations, 0;
				of_room._affiliations = setmetatable({}, {
					__index = function (_, key) count = count + 1; return affiliations[key]; end;
					__pairs = function ()
						return function (_, key) count = count + 1; return next(affiliations, key); end;
					end;
				});
				func();
				of_room._affiliations = affiliations;
				return count;
			end
			local function settle_until(is_done)
				for _ = 1, 2000 do
					if is_done() then return; end
					settle(1);
				end
				error("not settled");
			end
		]];

		it("a message costs as little as with few, and others have their turns", function ()
			local work, at_once, honest, still_wait, refused = run(crowd .. [[
				local first = ...;
				fill(room(first), 20000);
				for i = 1, 4000 do
					local user = "m-" .. i .. "@host-" .. i % 50 .. ".evil.example";
					ask("enable", user);
					ask("disable", user);
				end
				local at_once = count_answers("enable");
				local work = look_ups(room(first), function () say(first); say(first); end);
				ask("enable", "ann@users.localhost");
				ask("enable", "dan@other.example");
				local is_known = next(answers) and answers["enable ann@users.localhost"];
				settle_until(function () return answers["enable ann@users.localhost"] and answers["enable dan@other.example"]; end);
				say(first);
				local honest = { is_known or "waits", answers["enable ann@users.localhost"], answers["enable dan@other.example"] };
				return work, at_once, honest, counts.enable.result < 2000, counts.enable["wait/resource-constraint"];
			]], rooms[1]);
			assert.truthy(work <= 3 * 1001, work);
			assert.same({ result = 1000, ["wait/resource-constraint"] = 2000 }, at_once);
			assert.same({ "waits", "result", "result" }, honest);
			assert.same({ true, 2002 }, { still_wait, refused }); -- two of the others had to give up their places
			server:settle();
			assert.same({ "ann@users.localhost 1" }, nodes());
		end);

		it("accounts of this server are all let in, and what one asks for is done in its order", function ()
			local counts, at_once = run(crowd .. [[
				local accounts = require "core.storagemanager".open("localhost", "accounts");
				for i = 1, 2300 do
					assert(accounts:set("account-" .. i, { password = "harness" }));
					ask("enable", "account-" .. i .. "@localhost");
				end
				local at_once = counts.enable.result;
				ask("disable", "account-2200@localhost");
				settle_until(function () return counts.enable.result == 2300; end);
				return { count_answers("enable"), answers["disable account-2200@localhost"],
					prosody.hosts[service].modules.muc_cloud_notify.stats().users }, at_once;
			]]);
			assert.equal(1000, at_once);
			assert.same({ { result = 2300 }, "result", 2299 }, counts);
		end);
	end);
end);
