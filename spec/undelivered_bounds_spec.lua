-- What mod_muc_undelivered keeps has a weight: bytes as the garbage collector counts them. What somebody writes leaves others
-- their share.

local laboratory = require "spec.support.undelivered_laboratory";
local undelivered = require "spec.support.undelivered";

laboratory.describe("the bounds of mod_muc_undelivered", function (lab)
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
				local held, estimated = lab:try(laboratory.hosts.small, [[
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
				assert.truthy(estimated <= laboratory.small_bytes, estimated);
				-- What the collector counts has some of the server's own going on.
				assert.truthy(held <= estimated * 1.05 + 100000, ("%d bytes are held, %d were counted"):format(held, estimated));
				assert.truthy(estimated <= held * 2 + 100000, ("%d bytes are held, %d were counted"):format(held, estimated));
			end);
		end

		it("keeps the messages of ordinary rooms", function ()
			local kept = lab:try(nil, [[
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
			lab.bob:send(xml:format(lab.bob.jid, lab.room));
			lab.bob.component:sync();
		end

		it("has a message of 60 kB, and of 400 elements, as it was", function ()
			lab:meet();
			say_xml("<message type='groupchat' from='%s' to='%s' id='long'><body>" .. ("word "):rep(12000) .. "</body></message>");
			local parts = "<z xmlns='urn:z' y:q='&lt;&amp;\" ä' xmlns:y='urn:y'>" .. ("<a b='1'>t &gt; &apos;</a>"):rep(397) .. "</z>";
			say_xml("<message type='groupchat' from='%s' to='%s' id='many'><body>many</body>" .. parts .. "</message>");
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "long");
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "many", { echo = "<body>many</body>" });
			local seen = lab.service:seen();
			assert.equal(2, #seen);
			assert.equal(("word "):rep(12000), seen[1].body);
			assert.equal("many", seen[2].body);
			local part = require "util.xml".parse(seen[2].xml):get_child("z", "urn:z");
			assert.equal(397, #part.tags);
			assert.equal("t > '", part.tags[397]:get_text());
			assert.equal("<&\" ä", part.attr["urn:y\1q"]);
			assert.equal(lab.bob.bare_jid, seen[2].sender);
		end);

		it("has of larger ones only what they are found by", function ()
			lab:meet();
			say_xml("<message type='groupchat' from='%s' to='%s' id='long'><body>" .. ("word "):rep(15000) .. "</body></message>");
			say_xml("<message type='groupchat' from='%s' to='%s' id='many'><body>many</body>" .. ("<a/>"):rep(600) .. "</message>");
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "many", { echo = "<body>another</body>" });
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "many", { echo = "<body>many</body>" });
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "long");
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "long");
			local seen = lab.service:seen();
			assert.equal(2, #seen);
			for i, id in ipairs { "many", "long" } do
				assert.same({ id, lab.bob.bare_jid }, { seen[i].bounce_id, seen[i].sender });
				assert.is_nil(seen[i].xml);
			end
		end);

		it("is no more than it may be after a reload", function ()
			local before, after = lab:try(laboratory.hosts.small, [[
				for i = 1, 20 do lab.say(lab.room("room", "mallory@evil.example"), st.message({ id = tostring(i) }, ("x"):rep(40000))); end
				local before = lab.saved().bytes;
				require "core.configmanager".set(host, "muc_undelivered_bytes", 200000);
				require "core.modulemanager".reload(host, "muc_undelivered");
				local after = lab.saved().bytes;
				require "core.configmanager".set(host, "muc_undelivered_bytes", ]] .. laboratory.small_bytes .. [[);
				return before, after;
			]]);
			assert.truthy(before > 400000, before);
			assert.truthy(after > 40000 and after <= 200000, after);
		end);
	end);

	describe("of who leaves", function ()
		it("keeps the nickname, and no presence", function ()
			lab:meet();
			local id = undelivered.say(lab.bob, lab.room, "lunch?");
			local count = "collectgarbage(); collectgarbage(); return collectgarbage 'count' * 1024;";
			lab.ann.component:sync();
			local before = lab:try(nil, count);
			lab.ann:send(("<presence type='unavailable' from='%s' to='%s/Ann'><status>%s</status></presence>")
				:format(lab.ann.jid, lab.room, ("x"):rep(200000)));
			lab.bob:expect { name = "presence", type = "unavailable", from = lab.room .. "/Ann" };
			lab.ann.component:sync();
			local held = lab:try(nil, count) - before;
			assert.truthy(held < 150000, held);
			undelivered.bounce(lab.ann, lab.room .. "/Bob", id);
			local seen = lab.service:seen();
			assert.same({ lab.room .. "/Ann", "lunch?", false }, { seen[1].nick, seen[1].body, seen[1].was_present });
		end);

		it("counts the visits of a session up to 20, and finds the newest", function ()
			lab:meet();
			local chain = lab:try(nil, [[
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
			]], lab.room);
			assert.equal(20, chain);
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "m60");
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "m50");
			undelivered.bounce(lab.ann, lab.room .. "/Bob", "m10");
			assert.same({ "message 60", "message 50" }, lab.service:bodies());
		end);
	end);

	describe("of shares", function ()
		-- A room of honest users of another server, and messages of somebody else's.
		local function fill(code)
			return lab:try(nil, [[
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

		it("leave a room its messages when somebody writes from hundreds of domains below their own", function ()
			local kept, others = fill [[
				for i = 1, 50 do lab.say(lab.room("other", "user@other.example"), st.message({ id = "m" .. i }, "x")); end
				for i = 1, 2400 do
					lab.say(lab.room("own-" .. i % 400, "mallory@s" .. i % 400 .. ".evil.example"), st.message({ id = "m" }, "x"));
				end
				if true then return lab.kept("honest@" .. host), lab.kept("other@" .. host); end
			]];
			assert.same({ 100, 50 }, { kept, others });
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
			local work = lab:try(nil, [[
				for i = 1, 2000 do lab.say(lab.room("room-" .. i, "u@server-" .. i .. ".example"), st.message({ id = "m" }, "x")); end
				return lab.work(function ()
					for i = 1, 400 do lab.say(lab.room("more-" .. i, "u@more-" .. i .. ".example"), st.message({ id = "m" }, "x")); end
				end) / 400;
			]]);
			assert.truthy(work <= 5000, work);
		end);

		it("are not counted anew when space is short, whoever has been in a room", function ()
			local work = lab:try(nil, [[
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
			lab:meet();
			local id = undelivered.say(lab.bob, lab.room, "lunch?");
			lab.ann:leave(lab.room);
			local own = lab.service:new_room();
			local ended = lab:try(nil, [[
				local own = ...;
				local own_room = { jid = own, _data = { occupant_id_salt = "salt" }, get_occupant_jid = function () end };
				lab.say({ jid = own, _occupants = {}, _data = { history_length = 0 } }, st.message { id = "m" });
				for i = 1, 12000 do
					lab.tell_of_leaving(own_room, own .. "/x", "mallory@evil.example", { ["mallory@evil.example/" .. i] = {} });
				end
				return #lab.saved().ended;
			]], own);
			assert.truthy(ended <= 10000, ended);
			undelivered.bounce(lab.ann, lab.room .. "/Bob", id);
			assert.same({ "lunch?" }, lab.service:bodies());
		end);
	end);
end);
