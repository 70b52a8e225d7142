-- What strangers can do to the server with stanzas as large as Prosody takes them from other servers: how late everybody else is,
-- and what is kept. Where Prosody itself has much to do with such a stanza, the same is done in a MUC service without the module, by
-- turns, and what counts is how much later it is with it: less than nothing where that is within what differs from one time to the next.

local raw_component = require "bench.raw_component";

local measurement = { name = "hostile" };

local late_bar, kept_bar = 20, 2; -- ms; × what was sent
local text_size = 500000; -- below the limit of a stanza of another server, or of a component (512 kB)
local undelivered_bytes = 8 * 1024 * 1024; -- muc_undelivered_bytes

local last_id = 0;

local function new_id()
	last_id = last_id + 1;
	return string.format("hostile-%d.", last_id);
end

-- In milliseconds: how late a timer was at worst while something was done.
local function lateness(server, action)
	server:call("collect");
	server:wait_until_idle();
	server:probe_start();
	action();
	server:wait_until_idle();
	return server:probe_stop() * 1e3;
end

-- Sends texts of a user that is in a room, and waits until the room has sent the last of them to the user.
local function say(server, user, room, content, count, id)
	local sent, last = 0, nil;
	for _ = 1, count do
		last = id or new_id();
		local text = string.format("<message type='groupchat' id='%s' from='%s@%s/desk' to='%s'>%s</message>",
			last, user, server.users_host, room, content);
		server.users:send(text);
		sent = sent + #text;
	end
	if not server.users:wait_for_echo(last, server.timeout) then
		server:problem("a hostile message in %s was not passed on", room);
	end
	return sent;
end

-- Sends a request, and waits for whatever is answered. Returns whether that is a result, and how much was sent.
local function request(server, user, payload)
	local users, id = server.users, new_id();
	users.requests[id] = true;
	local text = string.format("<iq type='set' id='%s' from='%s@%s/desk' to='%s'>%s</iq>", id, user, server.users_host, server.service, payload);
	users:send(text);
	raw_component.wait(function () return users.requests[id] ~= true; end, server.timeout);
	local reply = users.requests[id];
	users.requests[id] = nil;
	if reply == true then
		server:problem("a hostile request was not answered");
		return false, #text;
	end
	return reply:find("^%s*<iq[^>]* type='result'") ~= nil, #text;
end

local function enable(node, form)
	return string.format("<enable xmlns='urn:xmpp:push:0' jid='nobody.invalid' node='%s'>%s</enable>", node, form or "");
end

local function add_late(results, id, what, samples)
	results:add { id = id, text = "hostile: lateness, " .. what; unit = "ms", digits = 1, limit = late_bar, strict = true, samples = samples };
end

local function add_kept(results, id, what, kept, sent)
	results:add {
		id = id, text = "– kept of " .. what .. ", over what was sent";
		unit = "×", digits = 2, limit = kept_bar, samples = { math.max(0, kept) / sent };
	};
end

-- The same for what mod_muc_undelivered keeps, which has an option.
local function add_kept_for_bounces(results, id, what, kept, sent)
	add_kept(results, id, what, kept, sent);
	results:add {
		id = id .. "_bytes", text = "– the same, over muc_undelivered_bytes (8 MB)";
		unit = "×", digits = 2, limit = 1, samples = { math.max(0, kept) / undelivered_bytes };
	};
end

-- A publish-options form of many elements.
local function large_forms(results, server)
	local form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options"
		.. "</value></field>" .. ("<a/>"):rep(8000) .. "</x>";
	-- What the process needs while it reads one is free after that, but not all of it is given back to the system.
	request(server, "hostile0", enable("n", form));
	local before, sent, taken = server:memory(), 0, 0;
	local late = lateness(server, function ()
		for i = 1, results.sizes.hostile_users do
			local is_result, size = request(server, "hostile" .. i, enable("n", form));
			sent, taken = sent + size, taken + (is_result and 1 or 0);
		end
	end);
	add_late(results, "hostile_form", string.format("%d enables with a form of 8,000 elements", results.sizes.hostile_users), { late });
	results:add { id = "hostile_form_taken", text = "– of these enables registered", digits = 0, limit = 0, samples = { taken } };
	add_kept(results, "hostile_form_kept", "the forms", server:memory() - before, sent);
	for i = 1, results.sizes.hostile_users do
		request(server, "hostile" .. i, "<disable xmlns='urn:xmpp:push:0' jid='nobody.invalid'/>");
	end
end

-- In rooms of both services, by turns: how late everybody is with the module, without, and how much later with it.
local function add_later(results, server, rooms, id, what, content)
	local late, bare, later = {}, {}, {};
	local function in_room(room)
		return lateness(server, function () say(server, "bob", room, content, 1); end);
	end
	for i = 0, results.sizes.hostile_repetitions do -- the first time does not count: memory is made for such a stanza
		if i % 2 == 0 then
			bare[i], late[i] = in_room(rooms.plain), in_room(rooms.hostile);
		else
			late[i], bare[i] = in_room(rooms.hostile), in_room(rooms.plain);
		end
		later[i] = late[i] - bare[i];
	end
	bare[0], late[0], later[0] = nil, nil, nil;
	add_late(results, id, what, late);
	results:add { id = id .. "_bare", text = "– the same without the module", unit = "ms", digits = 1, samples = bare };
	results:add {
		id = id .. "_later", text = "– more than without the module"; unit = "ms", digits = 1, limit = late_bar, strict = true, samples = later;
	};
end

-- Broadcasts with many elements.
local function many_elements(results, server, rooms)
	local content = "<body>Hello</body>" .. ("<a/>"):rep(text_size // 4);
	add_later(results, server, rooms, "hostile_elements", string.format("a message of %s elements", results.number(text_size // 4)), content);
	local before = server:memory();
	local sent = say(server, "bob", rooms.hostile, content, results.sizes.hostile_messages);
	local what = results.number(results.sizes.hostile_messages) .. " such messages";
	add_kept_for_bounces(results, "hostile_elements_kept", what, server:memory() - before, sent);
end

-- The most comparisons: nicknames of commas in a message of commas.
local function commas(results, server, rooms)
	local content = "<body>" .. (","):rep(text_size) .. "</body>";
	local what = string.format("a message of %s commas to %s members with nicknames of commas",
		results.number(text_size), results.number(results.sizes.hostile_members));
	add_later(results, server, rooms, "hostile_commas", what, content);
end

-- A module that looks at each push, and a long message.
local function listener(results, server, rooms)
	local content = "<body>" .. ("a "):rep(text_size // 2) .. "</body>";
	server:call("listen", true);
	add_later(results, server, rooms, "hostile_listener", string.format("a message of %d kB to them with a listener of cloud_notify/push",
		text_size // 1000), content);
	server:call("listen", false);
end

-- Joins and leaves, broadcasts of one id, and then bounces.
local function bounces(results, server, rooms)
	local room, jid = rooms.hostile, "d1@" .. server.users_host .. "/desk";
	local join = string.format("<presence from='%s' to='%s/d1'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>",
		jid, room);
	local leave = string.format("<presence type='unavailable' from='%s' to='%s/d1'/>", jid, room);
	local function come_and_go(times)
		for _ = 1, times // 50 do
			server.users:send((join .. leave):rep(50));
			server:wait_until_idle();
		end
	end
	come_and_go(50); -- as for the forms
	local before = server:memory();
	server.users:join("d1", room, server.timeout);
	say(server, "bob", room, "<body>Hello</body>", 100, "one-id");
	server.users:send(leave);
	local stays = results.sizes.hostile_stays;
	come_and_go(stays);
	local kept, sent = server:memory() - before, stays * (#join + #leave);
	add_kept_for_bounces(results, "hostile_stays_kept", results.number(stays) .. " joins and leaves", kept, sent);
	local samples = {};
	for i = 1, results.sizes.hostile_repetitions do
		samples[i] = lateness(server, function ()
			server.users:send(string.format("<message type='error' id='one-id' from='%s' to='%s'><error type='cancel'>"
				.. "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>", jid, room));
			server:wait_until_idle();
		end);
	end
	add_late(results, "hostile_bounce", "a bounce after them, with 100 broadcasts of its id", samples);
end

-- The console waits for no more than so many rooms.
local rooms_at_once = 1000;

local function for_many_rooms(server, action, node, count)
	for first = 1, count, rooms_at_once do
		server:call(action, node, first, math.min(first + rooms_at_once - 1, count));
	end
end

-- Enables and disables, where the rooms of the user are looked for each time.
local function pairs_of_requests(results, server)
	for_many_rooms(server, "make_rooms", "many-", results.sizes.hostile_rooms);
	local samples = {};
	for i = 1, results.sizes.hostile_repetitions do
		samples[i] = lateness(server, function ()
			for _ = 1, 5 do
				request(server, "hostile", enable("n"));
				request(server, "hostile", "<disable xmlns='urn:xmpp:push:0' jid='nobody.invalid'/>");
			end
		end);
	end
	for_many_rooms(server, "destroy_rooms", "many-", results.sizes.hostile_rooms);
	add_late(results, "hostile_pairs", string.format("an enable and a disable, with %s rooms", results.number(results.sizes.hostile_rooms)), samples);
end

-- A session that is in many rooms, of which most are not in memory, loses its connection.
local function lost_session(results, server)
	local count = results.sizes.lost_rooms;
	for i = 1, count do
		server:make_room("lost-" .. i, { { prefix = "d", count = 10, host = server.users_host } }, true);
	end
	local client = server:client("carol@localhost/phone");
	client:enable { jid = "nobody.invalid", node = "n", to = server.service };
	for i = 1, count do
		client:join(string.format("lost-%d@%s", i, server.service), "carol");
	end
	server:call("put_out_rooms", "lost-", count // 4 + 1, count);
	local late = lateness(server, function ()
		client:cut();
		raw_component.wait(function ()
			return server:admin("return prosody.full_sessions[...].hibernating ~= nil", "carol@localhost/phone");
		end, server.timeout);
	end);
	add_late(results, "hostile_session", string.format("a session in %s rooms is lost, most of them not in memory", results.number(count)), { late });
end

function measurement.run(results, server)
	local rooms = { plain = "plain@" .. server.plain_service };
	rooms.hostile = server:call("make_hostile_room", "hostile", "d", results.sizes.hostile_members, server.users_host);
	server.users:join("bob", rooms.hostile, server.timeout);
	server.users:join("bob", rooms.plain, server.timeout);
	-- As in the other room: what Prosody itself keeps is not to be measured.
	server:admin("prosody.hosts[...].modules.muc.get_room_from_jid(select(2, ...)):set_historylength(0)", server.plain_service, rooms.plain);
	say(server, "bob", rooms.hostile, "<body>Hello</body>", 1); -- reads the room
	raw_component.pause(0.5);
	for _, part in ipairs { large_forms, pairs_of_requests, bounces, many_elements, commas, listener, lost_session } do
		local ok, err = pcall(part, results, server, rooms);
		if not ok then server:problem("hostile: %s", err); end
	end
	server.app:reset();
end

return measurement;
