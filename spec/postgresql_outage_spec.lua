-- PostgreSQL goes away and comes back while messages are pushed and devices are registered.

local loop = require "harness.loop";
local postgresql = require "harness.postgresql";

local databases = require "spec.support.databases";
local versions = require "spec.support.versions";

local members = 40;

versions.describe("PostgreSQL", function (version)
	local cluster, server, muc, room;
	local registered = {}; -- node -> true, where that was confirmed

	lazy_setup(function ()
		cluster = postgresql.start();
		local database = databases.new(cluster);
		server, muc = database:start(version, {
			global = { modules_enabled = { "keep_database_connections" } }; muc = { muc_push_retry_delay = 0.1 };
		});
		room = muc:new_room();
		local nodes = {};
		for i = 1, members do nodes[i] = "early" .. i; end
		assert.equal(members, databases.enable_members(muc, room, nodes));
		for _, node in ipairs(nodes) do registered[node] = true; end
	end);

	lazy_teardown(function () cluster:close(); end);

	-- Members who ask for a device. Each is answered with a result, or asked to wait.
	local function enable_some(prefix)
		local confirmed, refused = 0, 0;
		for i = 1, 5 do
			local node = prefix .. i;
			server:admin([[ local room_jid, user = ...; room(room_jid)._affiliations[user] = "member"; ]], room, node .. "@users.localhost");
			local result, error_type, _, text = muc:enable(server:user(node .. "@users.localhost/phone"), node);
			if result == "result" then
				confirmed, registered[node] = confirmed + 1, true;
			else
				assert.equal("wait", error_type);
				assert.truthy(text);
				refused = refused + 1;
			end
		end
		return confirmed, refused;
	end

	-- Everybody who was confirmed is pushed to, once each, and nobody else. Returns their counts. is_crash: it was not noted before
	-- that what was said earlier had arrived, so that may be pushed again
	local function pushed(text, is_crash)
		local count = 0;
		for _ in pairs(registered) do count = count + 1; end
		muc.app:clear();
		if not muc.bob.nicks[room] then muc.bob:join(room, "bob"); end
		muc.bob:say(room, text);
		local counts = databases.counts(muc.app, count);
		local nodes = {};
		for node, of_node in pairs(counts) do
			assert.is_true(#of_node == 1 or is_crash and #of_node == 2, node);
			nodes[node] = true;
		end
		assert.same(registered, nodes);
		return counts;
	end

	local function garbage_is_collected()
		server:admin("collectgarbage(); collectgarbage();");
	end

	for _, finish in ipairs { "stop", "kill" } do
		it("is away for a while after a " .. finish .. ", and what is confirmed is kept, what is not is answered", function ()
			assert.same({ 5, 0 }, { enable_some("before-" .. finish) });
			cluster[finish](cluster);
			-- Pushes go on with what is known.
			local counts = pushed "while it is away";
			assert.same({ 0, 5 }, { enable_some("during-" .. finish) });
			garbage_is_collected();
			cluster:start_again();
			assert.same({ 5, 0 }, { enable_some("after-" .. finish) });
			garbage_is_collected();
			assert.is_true(server:is_running());
			for node, of_node in pairs(pushed "when it is back") do
				assert.equal(tostring(tonumber((counts[node] or { "0" })[1]) + 1), of_node[1]);
			end
		end);
	end

	it("is restarted in the middle of requests, of which each is stored or refused", function ()
		local sent, answered = 0, 0;
		muc.bob.component:add_handler(function (stanza)
			local node = stanza.name == "iq" and (stanza.attr.id or ""):match("^middle%-(.*)$");
			if not node then return; end
			answered = answered + 1;
			if stanza.attr.type == "result" then
				registered[node] = true;
			else
				assert.equal("wait", (stanza:get_error()));
			end
			return true;
		end);
		local function ask(count)
			for _ = 1, count do
				sent = sent + 1;
				local node = "middle" .. sent;
				muc.bob.component:send(("<iq type='set' id='middle-%s' from='%s@users.localhost/phone' to='%s'>"
					.. "<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='%s'/></iq>"):format(node, node, server.muc_host, node));
			end
		end
		for _ = 1, 5 do
			ask(15);
			loop.turn(0.01);
			cluster:restart();
			ask(5);
		end
		assert(loop.wait_until(function () return answered == sent; end, 60));
		garbage_is_collected();
		for node in pairs(registered) do -- those of them who were confirmed are members from now on
			if node:find("^middle") then
				server:admin([[ local room_jid, user = ...; room(room_jid):set_affiliation(true, user, "member"); ]], room, node .. "@users.localhost");
			end
		end
		server:admin([[ assert(room(...):save(true)); ]], room);
		pushed "after the restarts";
		local length = #server:log();
		muc:restart("kill");
		databases.wait_until_serving(server, 0, length);
		pushed("after a crash", true);
	end);
end);
