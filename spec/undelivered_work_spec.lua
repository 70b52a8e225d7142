-- What a bounce costs does not grow with what somebody has made: work is counted in instructions of the Lua machine.

local laboratory = require "spec.support.undelivered_laboratory";
local undelivered = require "spec.support.undelivered";

-- Instructions for a bounce, those of mod_muc included.
local max_work = 20000;

laboratory.describe("the bounds of mod_muc_undelivered", function (lab)
	describe("of the work for a bounce", function ()
		it("hold for many visits and many messages of one id", function ()
			lab:meet(laboratory.hosts.long_lists);
			local honest, works = lab:try(laboratory.hosts.long_lists, [[
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
			]], lab.room);
			assert.truthy(honest <= max_work, honest);
			for i = 2, #works do -- the first one puts the messages into the index
				assert.truthy(works[i] <= max_work, ("%d instructions for bounce %d"):format(works[i], i));
			end
			assert.equal("hello", lab.service:bodies(laboratory.hosts.long_lists)[1]);
		end);

		it("hold for many private messages of one id", function ()
			lab:meet();
			local works = lab:try(nil, [[
				local room_jid, works = ..., {};
				for i = 1, 300 do
					prosody.core_post_stanza(prosody.hosts["users.localhost"],
						st.message({ type = "chat", from = "bob@users.localhost/desk", to = room_jid .. "/Ann", id = "same" }, "psst"), false);
				end
				for i = 1, 40 do
					works[i] = lab.work(function () lab.bounce("ann@users.localhost/phone", room_jid .. "/Bob", "same"); end);
				end
				return works;
			]], lab.room);
			for i = 2, #works do assert.truthy(works[i] <= max_work, works[i]); end
			assert.same({}, lab.service:bodies());
		end);

		it("hold for a user with a thousand sessions", function ()
			lab:meet();
			local works = lab:try(nil, [[
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
			]], lab.room);
			for _, work in ipairs(works) do assert.truthy(work <= max_work, work); end
			assert.same({ "one", "two" }, lab.service:bodies());
		end);

		it("names a user's other sessions where there are as many as somebody has", function ()
			lab:meet();
			local sessions = {};
			for i = 1, 12 do
				local each = lab.service:user("ann/device-" .. i);
				each:join(lab.room, "Ann");
				sessions[i] = each.jid;
			end
			undelivered.bounce(lab.ann, lab.room .. "/Bob", undelivered.say(lab.bob, lab.room, "lunch?"));
			local found = {};
			for jid in lab.service:seen()[1].elsewhere:gmatch "%S+" do table.insert(found, jid); end
			table.sort(found);
			table.sort(sessions);
			assert.same(sessions, found);
		end);

		it("hold for looks into archives, and an honest bounce finds its message", function ()
			lab:meet(laboratory.hosts.archiving);
			local reads = lab:try(laboratory.hosts.archiving, [[
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
			]], lab.room);
			-- mod_muc_mam reads it for each who enters.
			assert.truthy(reads <= 50 + 10, reads);
			local bodies = lab.service:bodies(laboratory.hosts.archiving);
			assert.truthy((" "..table.concat(bodies, " ").." "):find(" message 1 ", 1, true), table.concat(bodies, ","));
		end);

		it("hold for looks into archives for the domains of one owner together, and leave others theirs", function ()
			local reads, honest = lab:try(laboratory.hosts.archiving, [[
				local of_module = prosody.hosts[host].modules.muc_undelivered.module;
				local part = require "util.envload".envloadfile(of_module:get_directory() .. "/lua/shared/part.lua", of_module.environment)();
				local pages = part "muc_undelivered/pages".new(10, part "muc_undelivered/memory".new(1000000));
				local function may_read(room, bare_jid)
					local record = { history = { room_jid = room .. "@" .. host, number = 1 } };
					return pages.for_bounce(record, part "muc_undelivered/shares".owner_of(bare_jid)) ~= nil;
				end
				local reads = 0;
				for i = 1, 100 do
					if may_read("own-" .. i, "mallory@s" .. i .. ".evil.example") then reads = reads + 1; end
				end
				return reads, may_read("honest", "ann@good.example");
			]]);
			assert.truthy(reads >= 20 and reads <= 22, reads);
			assert.is_true(honest);
		end);

		it("hold for looks into the archives of a thousand rooms for authors", function ()
			local reads = lab:try(laboratory.hosts.archiving, [[
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
end);
