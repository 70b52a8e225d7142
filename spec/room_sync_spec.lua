-- Loading and reading in slices: a message that comes in before they are done is held, and reaches everybody.

local prosody = require "harness.prosody";

local versions = require "spec.support.versions";

local room = "den@conference.localhost";

-- A room that takes many turns of the event loop to read, and a message while it is being read.
local restore_and_broadcast = [[
	local room_jid, changed_jid, leaving_nick = ...;
	local room = room(room_jid);
	for number = 1, 20000 do
		room._affiliations["user"..number.."@elsewhere.example"] = "member";
	end
	module:fire_event("muc-room-restored", { jid = room_jid, room = room });
	room:broadcast_message(st.message({ type = "groupchat", from = room_jid.."/Olga", to = room_jid, id = "held" }):body("Early"));
	module:log("info", "The message is broadcast");
	if changed_jid then room:set_affiliation(true, changed_jid, "member"); end
	if leaving_nick then room:set_role(true, room_jid.."/"..leaving_nick, nil); end
]];

local add_affiliations = [[
	local room = room(...);
	for number = 1, 20000 do
		room._affiliations["user"..number.."@elsewhere.example"] = "member";
	end
]];

-- Records of many users, in the store from which they are loaded at the next start.
local store_many = [[
	local store = require "core.storagemanager".open(module.host, "muc_cloud_notify");
	for number = 1, 4000 do
		assert(store:set("user"..number.."@elsewhere.example", {
			["nowhere.example<"..number] = { jid = "nowhere.example", node = tostring(number), timestamp = 1 };
		}));
	end
]];

-- Somebody registers with the room, or leaves it, in each turn of the event loop, whenever a part of it was read; ann is
-- removed, and cyd becomes a member.
local change_in_each_turn = [[
	local room_jid, gone, new = ...;
	local room = room(room_jid);
	room.save = function () return true; end; -- to store it so often would take all the time
	local changes = 0;
	local function change()
		changes = changes + 1;
		room:set_affiliation(true, "passer-by"..(changes % 50).."@elsewhere.example", changes % 100 < 50 and "member" or "none");
		if changes == 3 then room:set_affiliation(true, gone, "none"); end
		if changes == 4 then room:set_affiliation(true, new, "member"); end
			return not room.is_calm and 0 or nil;
	end
	module:add_timer(0, change);
]];

local broadcast = [[
	local room = room(...);
	room:broadcast_message(st.message({ type = "groupchat", from = room.jid.."/Olga", to = room.jid, id = "held" }):body("Early"));
	module:log("info", "The message is broadcast");
]];

versions.describe("slices", function (version)
	local server, app, olga, ann, ben;

	local function connect()
		app = server:app_server("push.localhost");
		olga, ann, ben = server:user("olga@users.localhost/desk"), server:user("ann@users.localhost/desk"), server:user("ben@users.localhost/desk");
	end

	before_each(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost", "push.localhost" };
			muc = {
				modules_enabled = { "muc_cloud_notify" }; muc_push_slice = 0.1; muc_push_default = "always";
				muc_room_default_persistent = true;
			};
			mucs = { ["mentions.localhost"] = {
				modules_enabled = { "muc_cloud_notify" }; muc_push_slice = 0.1; muc_push_default = "on-mention"; muc_room_default_persistent = true;
			} };
		};
		connect();
		olga:create_room(room, "Olga");
		for _, member in ipairs { ann, ben } do
			olga:affiliate(room, member.bare_jid, "member");
			member:enable { jid = "push.localhost", node = member.bare_jid };
		end
	end);

	after_each(prosody.close_all);

	it("push a message that came in while its room was read, once to all absent members", function ()
		ben:join(room, "Ben");
		local log_length = #server:log();
		server:admin(restore_and_broadcast, room);
		assert.equal(ann.bare_jid, app:expect_push().node);
		app:expect_no_push();
		assert.logs_in_order(server, "The message is broadcast", "is pushed to", log_length);
	end);

	it("read the room anew where it changes meanwhile, and push to nobody that was there at the time", function ()
		ben:join(room, "Ben");
		local log_length = #server:log();
		server:admin(restore_and_broadcast, room, "new@elsewhere.example", "Ben");
		assert.equal(ann.bare_jid, app:expect_push().node);
		app:expect_no_push();
		assert.logs_in_order(server, "The message is broadcast", "is pushed to", log_length);
		olga:say(room, "Late");
		local nodes = { app:expect_push().node, app:expect_push().node };
		table.sort(nodes);
		assert.same({ ann.bare_jid, ben.bare_jid }, nodes);
	end);

	it("read a room to its end though somebody's affiliation changes in each turn", function ()
		local cyd = server:user("cyd@users.localhost/desk");
		cyd:enable { jid = "push.localhost", node = cyd.bare_jid };
		server:admin(restore_and_broadcast, room);
		server:admin(change_in_each_turn, room, ann.bare_jid, cyd.bare_jid);
		local nodes = { app:expect_push().node, app:expect_push().node };
		table.sort(nodes);
		assert.same({ ben.bare_jid, cyd.bare_jid }, nodes);
		server:admin([[room(...).is_calm = true]], room);
		app:expect_no_push();
	end);

	for title, is_taken in pairs { ["know the nickname of a member who has come and gone while the room was read"] = false,
		["know that somebody else has taken a nickname while the room was read"] = true } do
		it(title, function ()
			local service, mentions = "mentions.localhost", "den@mentions.localhost";
			olga:create_room(mentions, "Olga");
			olga:affiliate(mentions, ann.bare_jid, "member");
			ann:enable { jid = "push.localhost", node = ann.bare_jid, to = service };
			server:admin(add_affiliations, mentions);
			local log_length = #server:log();
			local presences = {};
			for _, user in ipairs { ann, is_taken and ben or nil } do
				table.insert(presences, ("<presence from='%s' to='%s/Ann'><x xmlns='http://jabber.org/protocol/muc'/></presence>"):format(user.jid, mentions));
				table.insert(presences, ("<presence from='%s' to='%s/Ann' type='unavailable'/>"):format(user.jid, mentions));
			end
			ann:send(table.concat(presences)); -- in one piece: what is read meanwhile fits into no turn
			olga:say(mentions, "Ann?");
			olga:say(mentions, "Ann!");
			app.component:sync();
			if is_taken then
				app:expect_no_push();
			else
				assert.equal(ann.bare_jid, app:expect_push().node);
			end
			assert.falsy(server:log(log_length):find("Failed", 1, true));
		end);
	end

	for title, is_taken in pairs { ["know who has come and gone while the room was read and others changed their status"] = false,
		["know who has taken a nickname last while the room was read and others changed their status"] = true } do
		it(title, function ()
			local service, mentions = "mentions.localhost", "den@mentions.localhost";
			olga:create_room(mentions, "Olga");
			for _, member in ipairs { ann, ben } do
				olga:affiliate(mentions, member.bare_jid, "member");
				member:enable { jid = "push.localhost", node = member.bare_jid, to = service };
			end
			-- All in one turn: what is read meanwhile fits into none.
			server:admin("do " .. add_affiliations .. " end " .. [[
				local room_jid, olga, ann, ben, is_taken = ...;
				local room = room(room_jid);
				local function come(real_jid, nick, times)
					local presence = st.presence({ from = real_jid, to = room_jid .. "/" .. nick });
					local occupant = {
						nick = room_jid .. "/" .. nick; bare_jid = jid.bare(real_jid); role = "participant"; sessions = { [real_jid] = presence };
						each_session = function (self) return pairs(self.sessions); end;
					};
					local muc_host = prosody.hosts[jid.host(room_jid)];
					for _ = 1, times or 1 do
						muc_host.events.fire_event("muc-broadcast-presence", { room = room, occupant = occupant, stanza = presence });
					end
				end
				prosody.hosts[jid.host(room_jid)].events.fire_event("muc-room-restored", { jid = room_jid, room = room });
				come(olga, "Olga", 1100);
				come(ann, "Nick");
				come(ben, "Nick");
				if is_taken then come(ann, "Nick"); end
			]], mentions, olga.jid, ann.jid, ben.jid, is_taken);
			olga:say(mentions, "Nick!");
			assert.equal(is_taken and ann.bare_jid or ben.bare_jid, app:expect_push().node);
			app:expect_no_push();
		end);
	end

	it("lose no message of a room that is reloaded with the module meanwhile", function ()
		server:admin(restore_and_broadcast, room);
		server:reload_module("muc_cloud_notify");
		local nodes = { app:expect_push().node, app:expect_push().node };
		table.sort(nodes);
		assert.same({ ann.bare_jid, ben.bare_jid }, nodes);
		app:expect_no_push();
	end);

	it("hold no more than they may, and leave space for another room", function ()
		local other = "hall@conference.localhost";
		olga:create_room(other, "Olga");
		olga:affiliate(other, ann.bare_jid, "member");
		-- What is on its way to an occupant would be counted too.
		olga:leave(room);
		olga:leave(other);
		olga.component:sync();
		local log_length = #server:log();
		local kilobytes = server:admin([[
			local first, second = ...;
			local function restore(jid)
				local room = room(jid);
				room:set_historylength(0);
				for number = 1, 20000 do room._affiliations["user"..number.."@elsewhere.example"] = "member"; end
				module:fire_event("muc-room-restored", { jid = jid, room = room });
			end
			local function say(jid, text)
				room(jid):broadcast_message(st.message({ type = "groupchat", from = jid.."/Olga", to = jid, id = text:sub(-9) }):body(text));
			end
			local function count()
				collectgarbage(); collectgarbage();
				return collectgarbage "count";
			end
			restore(first); restore(second);
			say(second, "First");
			local before = count();
			for i = 1, 300 do say(first, ("x"):rep(60000)..i); end
			local elements = st.message({ type = "groupchat", from = first.."/Olga", to = first, id = "elements" }):body("x");
			for _ = 1, 600 do elements:tag("a"):up(); end
			room(first):broadcast_message(elements);
			local kept = count() - before;
			say(second, "Hello");
			return kept;
		]], room, other);
		-- Of 18 MB. The room itself keeps some as its history.
		assert.is_true(kilobytes < 12000, kilobytes .. " kB");
		server:wait_for_log(("A message in " .. other:gsub("%p", "%%%0") .. " is pushed to.*"):rep(2), nil, log_length);
		server:settle();
		local _, told = server:log(log_length):gsub("A message in " .. other:gsub("%p", "%%%0") .. " is pushed to", "");
		assert.equal(2, told);
		local _, in_full = server:log(log_length):gsub("A message in " .. room:gsub("%p", "%%%0") .. " is pushed to", "");
		assert.is_true(in_full > 50 and in_full < 80, in_full);
		-- When they are told there is space again.
		app:clear();
		server:admin(restore_and_broadcast, room);
		server:settle();
		app:expect_push();
	end);

	it("push a message that came in before the registrations were loaded", function ()
		server:admin(store_many);
		server:stop();
		local log_length = #server:log();
		server:start_again();
		server:admin(broadcast, room);
		connect();
		local nodes = { app:expect_push(60).node, app:expect_push(60).node };
		table.sort(nodes);
		assert.same({ ann.bare_jid, ben.bare_jid }, nodes);
		assert.logs_in_order(server, "The message is broadcast", "4002 device(s) of 4002 user(s) are registered", log_length);
	end);
end);
