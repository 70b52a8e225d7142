-- Which rooms are in memory: all of them can be gone through bit by bit, while rooms come and go.

local loop = require "harness.loop";
local prosody = require "harness.prosody";

local versions = require "spec.support.versions";

-- A MUC service of which only the rooms are there. Each look at a room's JID is counted.
local function new_service()
	local service = { handlers = {}, looks = 0, rooms = {} };

	function service.new_room(room_jid)
		local room = setmetatable({}, { __index = function (_, key)
			if key ~= "jid" then return nil; end
			service.looks = service.looks + 1;
			return room_jid;
		end });
		service.rooms[room] = true;
		return room;
	end

	function service.fire(event, room)
		service.handlers["muc-room-" .. event]({ room = room });
	end

	-- A room that is put out, or destroyed, is not kept here either.
	function service.remove(room)
		service.rooms[room] = nil;
	end

	local environment = setmetatable({
		module = {
			hook = function (_, event, handler) service.handlers[event] = handler; end;
			log = function (_, _, ...) error(string.format(...)); end;
		};
	}, { __index = _G });
	local function part(name)
		return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
	end
	function service.watch()
		return part "muc_cloud_notify/live_rooms".watch {
			live_rooms = function () return next, service.rooms; end;
		};
	end
	return service;
end

local function add_rooms(service, prefix, count)
	local rooms = {};
	for i = 1, count do
		rooms[i] = service.new_room(prefix .. i);
		service.fire("created", rooms[i]);
	end
	return rooms;
end

-- How often a walk comes to each room, by the room.
local function count_visits(live_rooms, during)
	local visits, steps = {}, 0;
	for room in live_rooms.each() do
		steps = steps + 1;
		visits[room] = (visits[room] or 0) + 1;
		if during then during(steps); end
	end
	return visits, steps;
end

describe("the rooms in memory", function ()
	it("are those from before the module was loaded, and those that came later", function ()
		local service = new_service();
		local before = { service.new_room "a", service.new_room "b" };
		local live_rooms = service.watch();
		local after = add_rooms(service, "c", 3);
		service.fire("restored", after[1]); -- a room that is known
		local visits, steps = count_visits(live_rooms);
		assert.equal(5, steps);
		for _, room in ipairs { before[1], before[2], after[1], after[2], after[3] } do
			assert.equal(1, visits[room]);
			assert.equal(room, live_rooms.find(room.jid));
		end
	end);

	it("are gone through whole while others come, go, and take their places", function ()
		local service = new_service();
		local live_rooms = service.watch();
		local kept, going = {}, {};
		for i = 1, 300 do
			table.insert(i % 3 == 0 and kept or going, add_rooms(service, i .. "-", 1)[1]);
		end
		local visits = count_visits(live_rooms, function (step)
			local room = table.remove(going, (step * 7) % math.max(1, #going) + 1);
			if room then
				service.fire("destroyed", room);
				service.remove(room);
			end
			add_rooms(service, "new-" .. step .. "-", 2);
			if step % 10 == 0 then collectgarbage(); end
		end);
		for _, room in ipairs(kept) do assert.equal(1, visits[room]); end
		for room, count in pairs(visits) do assert.equal(1, count, room.jid); end
	end);

	it("are not those that are gone", function ()
		local service = new_service();
		local live_rooms = service.watch();
		local rooms = add_rooms(service, "r", 10);
		local visits = count_visits(live_rooms, function (step)
			if step == 1 then service.fire("destroyed", rooms[5]); end
			if step == 2 then
				service.remove(rooms[7]); -- put out, which nobody tells
				rooms[7] = nil;
				collectgarbage();
			end
		end);
		assert.is_nil(visits[rooms[5]]);
		assert.is_nil(live_rooms.find "r7");
		assert.equal(1, visits[rooms[10]]);
	end);

	it("are the new ones of two with the same name", function ()
		local service = new_service();
		local live_rooms = service.watch();
		local old = add_rooms(service, "room", 1)[1];
		local new = service.new_room "room1";
		service.fire("restored", new); -- while the old one is not collected yet
		assert.equal(new, live_rooms.find "room1");
		assert.same({ [new] = 1 }, (count_visits(live_rooms)));
		service.fire("destroyed", old);
		assert.equal(new, live_rooms.find "room1");
		service.fire("destroyed", new);
		assert.is_nil(live_rooms.find "room1");
		assert.same({}, (count_visits(live_rooms)));
	end);

	it("cost a few looks for each that comes, and no more places than there were rooms at a time", function ()
		local service = new_service();
		local live_rooms = service.watch();
		local rooms = add_rooms(service, "stays", 1000);
		local most = 0;
		for i = 1, 20000 do
			local room = service.new_room("passes" .. i);
			local looks = service.looks;
			service.fire("created", room);
			most = math.max(most, service.looks - looks);
			service.fire("destroyed", room);
			service.remove(room);
		end
		assert.is_true(most <= 20, most);
		local looks = service.looks;
		local _, steps = count_visits(live_rooms);
		assert.equal(#rooms, steps);
		assert.is_true(service.looks - looks <= 3 * #rooms, service.looks - looks);
	end);
end);

versions.describe("a room that was put out", function (version)
	local room, other = "first@conference.localhost", "second@conference.localhost";
	local server, ann, olga;

	before_each(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			muc = { modules_enabled = { "muc_cloud_notify" }, muc_push_consent = true, muc_room_default_persistent = true, muc_room_cache_size = 1 };
		};
		ann, olga = server:user("ann@users.localhost/phone"), server:user("olga@users.localhost/desk");
		olga:create_room(room, "Olga");
		olga:affiliate(room, "ann@users.localhost", "member");
		server:admin([[
			local first = room(...);
			local save = first.save;
			function first.save(...)
				prosody.saves = (prosody.saves or 0) + 1;
				return save(...);
			end
		]], room);
		ann:join(room, "Ann"); -- consents, which is to be stored in a moment
	end);

	after_each(prosody.close_all);

	local function is_occupied()
		return server:admin([[
			local room_jid, bare_jid = ...;
			for _, occupant in room(room_jid):each_occupant() do
				if occupant.bare_jid == bare_jid then return true; end
			end
			return false;
		]], room, "ann@users.localhost");
	end

	it("is not stored over what it was stored with", function ()
		server:admin "collectgarbage(); collectgarbage('stop');";
		olga:create_room(other, "Olga");
		assert.same({ other }, server:admin "local all = {}; for live in muc.live_rooms() do table.insert(all, live.jid); end return all;");
		loop.pause(1.5); -- the module would have stored it by then
		assert.is_true(is_occupied());
	end);

	it("is stored where it is in memory still", function ()
		assert(loop.wait_until(function () return server:admin "return prosody.saves" == 1; end, nil, 0.05));
		assert.is_true(is_occupied());
	end);
end);
