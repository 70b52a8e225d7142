-- What mod_muc_undelivered keeps has a weight, and what a bounce costs does not grow with what somebody has made: work is
-- counted in instructions of the Lua machine, and bytes as the garbage collector counts them.

local prosody = require "harness.prosody";

local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local modules = { "muc_undelivered", "spec_undelivered" };

local small = "small.localhost"; -- where little may be kept
local small_bytes = 512 * 1024;
local long_lists = "lists.localhost"; -- where a room may have all messages that are kept
local archiving = "archiving.localhost";

-- Instructions for a bounce, those of mod_muc included.
local max_work = 20000;

-- In the server: known as `lab` to the pieces of code below.
local laboratory = [[
	local lab = { host = host };

	-- A room as far as the module looks at it, with the occupant that its messages are from.
	function lab.room(name, sender)
		local jid = name .. "@" .. host;
		return {
			jid = jid, _occupants = { [jid .. "/x"] = sender and { bare_jid = sender } };
			_data = { history_length = 0 }, get_persistent = function () end, get_whois = function () return "anyone"; end;
		};
	end

	function lab.say(room, stanza)
		stanza.attr.from, stanza.attr.type = room.jid .. "/x", "groupchat";
		prosody.hosts[host].events.fire_event("muc-broadcast-message", { room = room, stanza = stanza });
	end

	function lab.saved() return prosody.hosts[host].modules.muc_undelivered.module.save(); end

	function lab.kept(room_jid)
		local record, count = lab.saved().rooms[room_jid], 0;
		for _ in pairs(record and record.history.slots or {}) do count = count + 1; end
		return count;
	end

	-- How many bytes more there are after something was done.
	function lab.bytes(func)
		local function count()
			collectgarbage(); collectgarbage();
			return collectgarbage "count" * 1024;
		end
		local before = count();
		func();
		return count() - before;
	end

	-- How many instructions something takes.
	function lab.work(func)
		local count = 0;
		debug.sethook(function () count = count + 100; end, "", 100);
		func();
		debug.sethook();
		return count;
	end

	function lab.enter(room_jid, real_jid, nick)
		prosody.core_post_stanza(prosody.hosts["users.localhost"],
			st.presence({ from = real_jid, to = room_jid .. "/" .. nick }):tag("x", { xmlns = "http://jabber.org/protocol/muc" }):up(), false);
	end

	function lab.leave(room_jid, real_jid, nick)
		prosody.core_post_stanza(prosody.hosts["users.localhost"],
			st.presence { type = "unavailable", from = real_jid, to = room_jid .. "/" .. nick }, false);
	end

	-- Of sessions that the room does not have any more: real_jids is a set.
	function lab.tell_of_leaving(room, nick, bare_jid, real_jids)
		prosody.hosts[host].events.fire_event("muc-broadcast-presence", {
			room = room, stanza = st.presence { from = nick };
			occupant = { nick = nick, bare_jid = bare_jid, each_session = function () return next, real_jids; end };
		});
	end

	function lab.bounce(real_jid, to, id)
		prosody.core_post_stanza(prosody.hosts["users.localhost"], st.message({ type = "error", from = real_jid, to = to, id = id })
			:tag("error", { type = "cancel" }):tag("recipient-unavailable", { xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas" }):up():up(), false);
	end

	function lab.listener() return prosody.hosts[host].modules.spec_undelivered.module; end
]];

versions.describe("the bounds of mod_muc_undelivered", function (version)
	local server, service, room, bob, ann;

	lazy_setup(function ()
		server = prosody.start {
			version = version;
			components = { "users.localhost" };
			plugin_paths = undelivered.plugin_paths;
			muc = { modules_enabled = modules };
			mucs = {
				[small] = { modules_enabled = modules, muc_undelivered_bytes = small_bytes };
				[long_lists] = { modules_enabled = modules, muc_undelivered_messages = 2000 };
				[archiving] = {
					modules_enabled = { "muc_undelivered", "spec_undelivered", "muc_mam" };
					muc_room_default_persistent = true, muc_undelivered_messages = 2;
				};
			};
		};
		service = undelivered.new(server);
	end);

	after_each(function ()
		assert.same({}, service:errors());
	end);

	local function meet(host)
		room = service:new_room(host);
		bob, ann = service:user("bob/desk"), service:user("ann/phone");
		bob:create_room(room, "Bob");
		ann:join(room, "Ann");
		server:admin("room(...):set_historylength(0)", room);
	end

	-- Runs code in the server, which sees lab, `host` and its arguments as `...`.
	local function try(host, code, ...)
		return server:admin(("local host = ...;\n%s\nreturn (function (...) %s end)(select(2, ...))"):format(laboratory, code),
			host or server.muc_host, ...);
	end

	-- Forgets all, for the next test.
	before_each(function ()
		for _, host in ipairs { server.muc_host, small, long_lists, archiving } do
			server:admin([[
				local modulemanager = require "core.modulemanager";
				assert(modulemanager.unload(..., "muc_undelivered"));
				assert(modulemanager.load(..., "muc_undelivered"));
			]], host);
		end
	end);

	describe("of what is kept", function ()
		local kinds = {
			["ordinary messages"] = [[<message ><body>lunch at the usual place?</body><origin-id xmlns='urn:xmpp:sid:0' id='x'/></message>]];
			["messages of empty elements"] = "<message>" .. ("<a/>"):rep(400) .. "</message>";
			["messages of too many elements"] = "<message>" .. ("<a/>"):rep(10000) .. "</message>";
			["messages of nested elements"] = "<message>" .. ("<a>"):rep(400) .. ("</a>"):rep(400) .. "</message>";
			["long texts"] = "<message><body>" .. ("word "):rep(12000) .. "</body></message>";
			["texts that are too long"] = "<message><body>" .. ("word "):rep(50000) .. "</body></message>";
			["long attributes"] = "<message><a x='" .. ("y"):rep(60000) .. "'/></message>";
		};
		for name, xml in pairs(kinds) do
			it("weighs " .. name .. ", and not too little", function ()
				local held, estimated = try(small, [[
					local xml = ...;
					local template = require "util.xml".parse(xml);
					local held = lab.bytes(function ()
						for i = 1, math.min(300, 900000 // #xml) do
							-- Texts of their own, as they come from a stream.
							local stanza = st.clone(template);
							stanza.attr.id = "message " .. i;
							stanza:maptags(function (tag)
								if tag[1] and type(tag[1]) == "string" then tag[1] = i .. tag[1]; end
								if tag.attr.x then tag.attr.x = i .. tag.attr.x; end
								return tag;
							end);
							lab.say(lab.room("room-" .. i % 50, "mallory@evil.example"), stanza);
						end
					end);
					return held, lab.saved().bytes;
				]], xml);
				assert.truthy(estimated <= small_bytes, estimated);
				-- What the collector counts has some of the server's own going on.
				assert.truthy(held <= estimated * 1.05 + 100000, ("%d bytes are held, %d were counted"):format(held, estimated));
				assert.truthy(estimated <= held * 2 + 100000, ("%d bytes are held, %d were counted"):format(held, estimated));
			end);
		end

		it("keeps the messages of ordinary rooms", function ()
			local kept = try(nil, [[
				local parse, kept = require "util.xml".parse, {};
				for i = 1, 100 do
					for number = 1, 15 do
						lab.say(lab.room("room-" .. number, "user" .. i % 7 .. "@server.example"),
							parse(("<message id='%d'><body>lunch at the usual place?</body><markable xmlns='urn:xmpp:chat-markers:0'/></message>"):format(i)));
					end
				end
				for number = 1, 15 do kept[number] = lab.kept("room-" .. number .. "@" .. host); end
				return kept;
			]]);
			for number = 1, 15 do assert.equal(100, kept[number]); end
		end);

		local function say_xml(xml)
			bob:send(xml:format(bob.jid, room));
			bob.component:sync();
		end

		it("has a message of 60 kB, and of 400 elements, as it was", function ()
			meet();
			say_xml("<message type='groupchat' from='%s' to='%s' id='long'><body>" .. ("word "):rep(12000) .. "</body></message>");
			local parts = "<z xmlns='urn:z' y:q='&lt;&amp;\" ä' xmlns:y='urn:y'>" .. ("<a b='1'>t &gt; &apos;</a>"):rep(397) .. "</z>";
			say_xml("<message type='groupchat' from='%s' to='%s' id='many'><body>many</body>" .. parts .. "</message>");
			undelivered.bounce(ann, room .. "/Bob", "long");
			undelivered.bounce(ann, room .. "/Bob", "many", { echo = "<body>many</body>" });
			local seen = service:seen();
			assert.equal(2, #seen);
			assert.equal(("word "):rep(12000), seen[1].body);
			assert.equal("many", seen[2].body);
			local part = require "util.xml".parse(seen[2].xml):get_child("z", "urn:z");
			assert.equal(397, #part.tags);
			assert.equal("t > '", part.tags[397]:get_text());
			assert.equal("<&\" ä", part.attr["urn:y\1q"]);
			assert.equal(bob.bare_jid, seen[2].sender);
		end);

		it("has of larger ones only what they are found by", function ()
			meet();
			say_xml("<message type='groupchat' from='%s' to='%s' id='long'><body>" .. ("word "):rep(15000) .. "</body></message>");
			say_xml("<message type='groupchat' from='%s' to='%s' id='many'><body>many</body>" .. ("<a/>"):rep(600) .. "</message>");
			undelivered.bounce(ann, room .. "/Bob", "many", { echo = "<body>another</body>" });
			undelivered.bounce(ann, room .. "/Bob", "many", { echo = "<body>many</body>" });
			undelivered.bounce(ann, room .. "/Bob", "long");
			undelivered.bounce(ann, room .. "/Bob", "long");
			local seen = service:seen();
			assert.equal(2, #seen);
			for i, id in ipairs { "many", "long" } do
				assert.same({ id, bob.bare_jid }, { seen[i].bounce_id, seen[i].sender });
				assert.is_nil(seen[i].xml);
			end
		end);

		it("is no more than it may be after a reload", function ()
			local before, after = try(small, [[
				for i = 1, 20 do lab.say(lab.room("room", "mallory@evil.example"), st.message({ id = tostring(i) }, ("x"):rep(40000))); end
				local before = lab.saved().bytes;
				require "core.configmanager".set(host, "muc_undelivered_bytes", 200000);
				require "core.modulemanager".reload(host, "muc_undelivered");
				local after = lab.saved().bytes;
				require "core.configmanager".set(host, "muc_undelivered_bytes", ]] .. small_bytes .. [[);
				return before, after;
			]]);
			assert.truthy(before > 400000, before);
			assert.truthy(after > 40000 and after <= 200000, after);
		end);
	end);

	describe("of who leaves", function ()
		it("keeps the nickname, and no presence", function ()
			meet();
			local id = undelivered.say(bob, room, "lunch?");
			local count = "collectgarbage(); collectgarbage(); return collectgarbage 'count' * 1024;";
			ann.component:sync();
			local before = try(nil, count);
			ann:send(("<presence type='unavailable' from='%s' to='%s/Ann'><status>%s</status></presence>"):format(ann.jid, room, ("x"):rep(200000)));
			bob:expect { name = "presence", type = "unavailable", from = room .. "/Ann" };
			ann.component:sync();
			local held = try(nil, count) - before;
			assert.truthy(held < 150000, held);
			undelivered.bounce(ann, room .. "/Bob", id);
			local seen = service:seen();
			assert.same({ room .. "/Ann", "lunch?", false }, { seen[1].nick, seen[1].body, seen[1].was_present });
		end);

		it("counts the visits of a session up to 20, and finds the newest", function ()
			meet();
			local chain = try(nil, [[
				local room_jid = ...;
				local real_jid = "ann@users.localhost/phone";
				for i = 1, 60 do
					room(room_jid):broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "m" .. i }, "message " .. i));
					lab.leave(room_jid, real_jid, "Ann");
					lab.enter(room_jid, real_jid, "Ann");
				end
				local count, visit = 0, lab.saved().rooms[room_jid].visits.newest[real_jid];
				while visit do count, visit = count + 1, visit.earlier; end
				return count;
			]], room);
			assert.equal(20, chain);
			undelivered.bounce(ann, room .. "/Bob", "m60");
			undelivered.bounce(ann, room .. "/Bob", "m50");
			undelivered.bounce(ann, room .. "/Bob", "m10");
			assert.same({ "message 60", "message 50" }, service:bodies());
		end);
	end);

	describe("of the work for a bounce", function ()
		it("hold for many visits and many messages of one id", function ()
			meet(long_lists);
			local honest, works = try(long_lists, [[
				local room_jid = ...;
				local real_jid = "ann@users.localhost/phone";
				local room = prosody.hosts[host].modules.muc.get_room_from_jid(room_jid);
				room:broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "honest" }, "hello"));
				local honest = lab.work(function () lab.bounce("ann@users.localhost/phone", room_jid .. "/Bob", "honest"); end);
				for i = 1, 120 do
					lab.enter(room_jid, real_jid, "Ann");
					room:broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "same" }, "message " .. i));
					lab.leave(room_jid, real_jid, "Ann");
				end
				for i = 1, 100 do
					room:broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "same" }, "late " .. i));
				end
				local works = {};
				for i = 1, 40 do
					works[i] = lab.work(function () lab.bounce(real_jid, room_jid .. "/Bob", i % 2 == 0 and "same" or "unknown"); end);
				end
				return honest, works;
			]], room);
			assert.truthy(honest <= max_work, honest);
			for i = 2, #works do -- the first one puts the messages into the index
				assert.truthy(works[i] <= max_work, ("%d instructions for bounce %d"):format(works[i], i));
			end
			assert.equal("hello", service:bodies(long_lists)[1]);
		end);

		it("hold for many private messages of one id", function ()
			meet();
			local works = try(nil, [[
				local room_jid, works = ..., {};
				for i = 1, 300 do
					prosody.core_post_stanza(prosody.hosts["users.localhost"],
						st.message({ type = "chat", from = "bob@users.localhost/desk", to = room_jid .. "/Ann", id = "same" }, "psst"), false);
				end
				for i = 1, 40 do
					works[i] = lab.work(function () lab.bounce("ann@users.localhost/phone", room_jid .. "/Bob", "same"); end);
				end
				return works;
			]], room);
			for i = 2, #works do assert.truthy(works[i] <= max_work, works[i]); end
			assert.same({}, service:bodies());
		end);

		it("hold for a user with a thousand sessions", function ()
			meet();
			local works = try(nil, [[
				local room_jid, works = ..., {};
				local room = prosody.hosts[host].modules.muc.get_room_from_jid(room_jid);
				local left = {};
				for i = 1, 1000 do left["eve@users.localhost/" .. i] = {}; end
				lab.tell_of_leaving(room, room_jid .. "/Eve", "eve@users.localhost", left);
				lab.enter(room_jid, "eve@users.localhost/last", "Eve");
				room:broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "a" }, "one"));
				room:broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "b" }, "two"));
				lab.leave(room_jid, "eve@users.localhost/last", "Eve");
				for _, id in ipairs { "a", "b" } do
					table.insert(works, lab.work(function () lab.bounce("eve@users.localhost/last", room_jid .. "/Bob", id); end));
				end
				return works;
			]], room);
			for _, work in ipairs(works) do assert.truthy(work <= max_work, work); end
			assert.same({ "one", "two" }, service:bodies());
		end);

		it("names a user's other sessions where there are as many as somebody has", function ()
			meet();
			local sessions = {};
			for i = 1, 12 do
				local each = service:user("ann/device-" .. i);
				each:join(room, "Ann");
				sessions[i] = each.jid;
			end
			undelivered.bounce(ann, room .. "/Bob", undelivered.say(bob, room, "lunch?"));
			local found = {};
			for jid in service:seen()[1].elsewhere:gmatch "%S+" do table.insert(found, jid); end
			table.sort(found);
			table.sort(sessions);
			assert.same(sessions, found);
		end);

		it("hold for looks into archives, and an honest bounce finds its message", function ()
			meet(archiving);
			local reads = try(archiving, [[
				local room_jid = ...;
				local room = prosody.hosts[host].modules.muc.get_room_from_jid(room_jid);
				local methods = getmetatable(require "core.storagemanager".open(host, "muc_log", "archive")).__index;
				local find, reads = methods.find, 0;
				methods.find = function (...) reads = reads + 1; return find(...); end;
				for i = 1, 50 do
					room:broadcast_message(st.message({ type = "groupchat", from = room_jid .. "/Bob", id = "m" .. i }, "message " .. i));
					lab.bounce("ann@users.localhost/phone", room_jid .. "/Bob", i == 3 and "m1" or "unknown-" .. i);
					lab.enter(room_jid, "ann@users.localhost/phone", "Ann");
				end
				methods.find = find;
				return reads;
			]], room);
			-- mod_muc_mam reads it for each who enters.
			assert.truthy(reads <= 50 + 10, reads);
			local bodies = service:bodies(archiving);
			assert.truthy((" "..table.concat(bodies, " ").." "):find(" message 1 ", 1, true), table.concat(bodies, ","));
		end);

		it("hold for looks into the archives of a thousand rooms for authors", function ()
			local reads = try(archiving, [[
				local methods = getmetatable(require "core.storagemanager".open(host, "muc_log", "archive")).__index;
				local find, reads = methods.find, 0;
				methods.find = function (...) reads = reads + 1; return find(...); end;
				for i = 1, 1000 do
					prosody.hosts[host].modules.muc_undelivered.author_of(lab.room("room-" .. i), "unknown");
				end
				methods.find = find;
				return reads;
			]]);
			assert.truthy(reads >= 10 and reads <= 31, reads);
		end);
	end);

	describe("of shares", function ()
		-- A room of honest users of another server, and messages of somebody else's.
		local function fill(code)
			return try(nil, [[
				for i = 1, 100 do
					lab.say(lab.room("honest", "user" .. i % 5 .. "@good.example"), st.message({ id = "m" .. i }, "message " .. i));
				end
				]] .. code .. [[
				return lab.kept("honest@" .. host), lab.saved().bytes;
			]]);
		end

		it("leave a room its messages when somebody writes in a thousand of their own", function ()
			local kept, bytes = fill [[
				for i = 1, 5000 do lab.say(lab.room("own-" .. i % 1000, "mallory" .. i .. "@evil.example"), st.message({ id = "m" }, "x")); end
			]];
			assert.equal(100, kept);
			assert.truthy(bytes > 1000000, bytes);
		end);

		it("leave a room its messages when somebody writes long ones", function ()
			local kept = fill [[
				for i = 1, 400 do lab.say(lab.room("own-" .. i % 100, "mallory@evil.example"), st.message({ id = "m" }, ("x"):rep(60000))); end
			]];
			assert.equal(100, kept);
		end);

		it("leave a room its messages when an account of this server does", function ()
			local kept = fill [[
				for i = 1, 5000 do lab.say(lab.room("own-" .. i % 1000, "mallory@users.localhost"), st.message({ id = "m" }, "x")); end
			]];
			assert.equal(100, kept);
		end);

		it("do not forget what is from those who hold the most when there is space", function ()
			local kept, others = fill [[
				for i = 1, 100 do lab.say(lab.room("busy", "user@busy.example"), st.message({ id = "m" .. i }, "x")); end
				if true then return lab.kept("honest@" .. host), lab.kept("busy@" .. host); end
			]];
			assert.same({ 100, 100 }, { kept, others });
		end);

		it("look at all that is kept once for many messages", function ()
			local work = try(nil, [[
				for i = 1, 2000 do lab.say(lab.room("room-" .. i, "u@server-" .. i .. ".example"), st.message({ id = "m" }, "x")); end
				return lab.work(function ()
					for i = 1, 400 do lab.say(lab.room("more-" .. i, "u@more-" .. i .. ".example"), st.message({ id = "m" }, "x")); end
				end) / 400;
			]]);
			assert.truthy(work <= 5000, work);
		end);

		it("are not counted anew when space is short, whoever has been in a room", function ()
			local work = try(nil, [[
				local own_room = { jid = "own@" .. host, _data = { occupant_id_salt = "salt" }, get_occupant_jid = function () end };
				lab.say({ jid = own_room.jid, _occupants = {}, _data = { history_length = 0 } }, st.message { id = "m" });
				local function leave(i)
					lab.tell_of_leaving(own_room, own_room.jid .. "/x", "m@server-" .. i .. ".example", { ["m@server-" .. i .. ".example/x"] = {} });
				end
				for i = 1, 8000 do leave(i); end
				local most = 0;
				for i = 8001, 10500 do most = math.max(most, lab.work(function () leave(i); end)); end
				return most;
			]]);
			assert.truthy(work > 100000 and work <= 1300000, work);
		end);

		it("leave a session its visit when somebody enters and leaves all the time", function ()
			meet();
			local id = undelivered.say(bob, room, "lunch?");
			ann:leave(room);
			local own = service:new_room();
			local ended = try(nil, [[
				local own = ...;
				local own_room = { jid = own, _data = { occupant_id_salt = "salt" }, get_occupant_jid = function () end };
				lab.say({ jid = own, _occupants = {}, _data = { history_length = 0 } }, st.message { id = "m" });
				for i = 1, 12000 do
					lab.tell_of_leaving(own_room, own .. "/x", "mallory@evil.example", { ["mallory@evil.example/" .. i] = {} });
				end
				return #lab.saved().ended;
			]], own);
			assert.truthy(ended <= 10000, ended);
			undelivered.bounce(ann, room .. "/Bob", id);
			assert.same({ "lunch?" }, service:bodies());
		end);
	end);
end);
