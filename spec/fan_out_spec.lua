-- A message in a room of more absent members than are told at once: it comes to them in slices, to each of them once.

local prosody = require "harness.prosody";

local loop = require "harness.loop";
local versions = require "spec.support.versions";

local room = "den@conference.localhost";
local members = 1500;
local most_unhurried_stop = 0.25; -- in seconds: half of what a stop may take to write

-- Members with a device each, in the stores from which they are read at the next start.
local make_members = [[
	local room_jid, count = ...;
	local room = room(room_jid);
	local store = require "core.storagemanager".open(module.host, "muc_cloud_notify");
	for number = 1, count do
		local user = "user"..number.."@users.localhost";
		room._affiliations[user] = "member";
		assert(store:set(user, { ["push.localhost<"..user] = { jid = "push.localhost", node = user, timestamp = 1 } }));
	end
	room:save(true);
]];

-- The room says some things in one turn of the event loop.
local say_all = [[
	local room_jid, texts = ...;
	local room = room(room_jid);
	for text in texts:gmatch("%S+") do
		room:broadcast_message(st.message({ type = "groupchat", from = room_jid, to = room_jid, id = text }):body(text));
	end
]];

versions.describe("a large room", function (version)
	local server, app, olga;

	local function connect()
		app = server:app_server("push.localhost");
		olga = server:user("olga@users.localhost/desk");
	end

	before_each(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			muc = {
				modules_enabled = { "muc_cloud_notify" }; muc_push_default = "always"; push_notification_with_body = true;
				muc_room_default_persistent = true;
			};
		};
		connect();
		olga:create_room(room, "Olga");
		server:admin(make_members, room, members);
		server:stop();
		server:start_again();
		connect();
		olga:join(room, "Olga");
		server:wait_for_log(members.." device(s) of "..members, 60);
	end);

	after_each(prosody.close_all);

	-- The pushes until there were so many, by node.
	local function pushes(count)
		loop.wait_until(function () return #app.pushes >= count; end, 30);
		app.component:sync();
		app.component:sync();
		local of_node = {};
		for _, push in ipairs(app.pushes) do
			of_node[push.node] = of_node[push.node] or {};
			table.insert(of_node[push.node], push);
		end
		app:clear();
		return of_node;
	end

	-- With a journal, what is told before all are told of what was said next is pushed without it: its recipients are not all stored.
	local function without_those_before(of_node, count)
		for _, of in pairs(of_node) do
			while of[2] and tonumber(of[1].count) < count do table.remove(of, 1); end
		end
		return of_node;
	end

	-- missing: a node that is not pushed to; other_text: what it may be as well
	local function each_once(of_node, count, text, missing, other_text)
		local nodes = 0;
		for node, of in pairs(of_node) do
			nodes = nodes + 1;
			assert.equal(1, #of, node);
			local told = of[1].summary["last-message-body"];
			assert.same({ tostring(count), text }, { of[1].count, told == other_text and text or told }, node);
			assert.is_not.equal(missing, node);
		end
		assert.equal(members - (missing and 1 or 0), nodes);
	end

	it("has a message pushed to each of its members once", function ()
		olga:say(room, "Hello");
		each_once(pushes(members), 1, "Hello");
		olga:say(room, "Again");
		each_once(pushes(members), 2, "Again");
		assert.falsy(server:log():find("error\t", 1, true));
	end);

	it("has a message pushed to all but who enters before it comes to them", function ()
		local ann = server:user("user1@users.localhost/phone");
		olga:say(room, "Hello");
		ann:join(room, "Ann");
		local of_node = pushes(members - 1);
		olga:say(room, "Again");
		each_once(pushes(members - 1), 2, "Again", ann.bare_jid);
		assert.is_true(#(of_node[ann.bare_jid] or {}) <= 1);
	end);

	it("has what is spreading pushed after a restart", function ()
		app.answer = "silence";
		server:admin(say_all, room, "One Two");
		local began = loop.now();
		server:stop();
		-- A machine that takes so long for it stores some without their texts, and says so.
		local is_in_haste = loop.now() - began > most_unhurried_stop and server:log():find("is stored without the texts", 1, true);
		server:start_again();
		connect();
		each_once(pushes(members), 2, "Two", nil, is_in_haste and "New Message!");
	end);

	it("has what is said while a message spreads pushed with it", function ()
		olga:say(room, "Hello"); -- by then the room is read, and nothing is held any more
		each_once(pushes(members), 1, "Hello");
		server:admin(say_all, room, "One Two Three");
		local of_node = pushes(members);
		each_once(prosody.has_journal and without_those_before(of_node, 4) or of_node, 4, "Three");
	end);
end);
