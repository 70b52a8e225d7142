-- The part of the benchmark that has to be inside the server. For the benchmark only.
--
-- What is global here can be called through the console of the harness, see bench/server.lua.

-- luacheck: globals make_hostile_room make_rooms destroy_rooms put_out_rooms say_in_rooms listen
-- luacheck: globals swallow_publishes count_publishes enable_all
-- luacheck: globals module burst make_room collect trim load_floor unload_floor floor hook_time broadcast_times

local async = require "util.async"; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;
local parse = require "util.xml".parse;
local st = require "util.stanza";
local timer = require "util.timer";

local clock = os.clock;

local measured_modules = { "muc_cloud_notify", "muc_undelivered" }; -- the second one is loaded by the first
local broadcast_event = "muc-broadcast-message";
burst = 100; -- IQs of the floor that are sent in one turn of the event loop

local muc = module:depends "muc";
local events = prosody.hosts[module.host].events;

-- A room with affiliations, of which no module has heard. groups: list of { prefix, first, count, host }
function make_room(node, groups, is_persistent)
	local room = assert(muc.create_room(node.."@"..module.host));
	for _, group in ipairs(groups) do
		local first = group.first or 1;
		for i = first, first + group.count - 1 do
			room._affiliations[group.prefix..i.."@"..group.host] = "member";
		end
	end
	room:set_persistent(is_persistent or false);
	if is_persistent then
		assert(room:save(true));
	end
	module:fire_event("muc-room-restored", { jid = room.jid, room = room });
	return room.jid;
end

-- A room whose members have nicknames that are hard to look for.
function make_hostile_room(node, prefix, count, host)
	local room = assert(muc.create_room(node.."@"..module.host));
	for i = 1, count do
		local jid = prefix..i.."@"..host;
		room._affiliations[jid] = "member";
		room._affiliation_data = room._affiliation_data or {};
		room._affiliation_data[jid] = { reserved_nickname = (","):rep(960)..i };
	end
	room:set_historylength(0); -- what Prosody itself keeps is not to be measured
	module:fire_event("muc-room-restored", { jid = room.jid, room = room });
	return room.jid;
end

local swallowed = {}; -- domain -> how many stanzas were sent there

-- From now on nothing that is sent to a domain arrives, nor is answered.
function swallow_publishes(domain)
	swallowed[domain] = 0;
	events.add_handler("route/remote", function (event)
		if event.stanza.attr.to ~= domain then return; end
		swallowed[domain] = swallowed[domain] + 1;
		return true;
	end, 1000);
end

function count_publishes(domain)
	return swallowed[domain];
end

-- Enables from users of a host. Returns how many of them have led to a result, and how long all took, in seconds.
function enable_all(prefix, first, last, host, app_server)
	local answered, results, began = 0, 0, clock();
	local wait, done = async.waiter();
	local function send(reply)
		answered = answered + 1;
		if reply.attr.type == "result" then results = results + 1; end
		if answered == last - first + 1 then done(); end
	end
	for i = first, last do
		local user = prefix..i.."@"..host;
		local iq = st.iq({ type = "set", id = "x", from = user.."/phone", to = module.host })
			:tag("enable", { xmlns = "urn:xmpp:push:0", jid = app_server, node = user }):reset();
		events.fire_event("iq-set/host/urn:xmpp:push:0:enable", { origin = { send = send }, stanza = iq });
	end
	wait();
	return results, clock() - began;
end

local function jid_of(node, number)
	return node..number.."@"..module.host;
end

-- Empty rooms, and away with them. Prosody's create_room() asks for each option of each of them.
function make_rooms(node, first, last)
	for i = first, last do
		local room = muc.new_room(jid_of(node, i), {});
		assert(muc.track_room(room));
		module:fire_event("muc-room-created", { room = room });
	end
end

function destroy_rooms(node, first, last)
	for i = first, last do
		muc.get_room_from_jid(jid_of(node, i)):destroy();
	end
end

-- What mod_muc does with the rooms that have not been used for longest.
function put_out_rooms(node, first, last)
	for i = first, last do
		local room = muc.get_room_from_jid(jid_of(node, i));
		assert(room:save(nil, true));
		muc.forget_room(room);
	end
end

local function look() end

-- A module that looks at every push, or no more.
function listen(is_listening)
	module[is_listening and "hook" or "unhook"](module, "cloud_notify/push", look);
end

-- Makes the garbage of what was before no matter of what comes next.
function collect()
	collectgarbage();
	collectgarbage();
end

-- Gives back all the memory that can be given back.
function trim()
	collect();
	-- It takes whatever the first argument is for what to leave at the top of the heap; the rest is given back.
	local malloc_trim = package.loadlib("libc.so.6", "malloc_trim");
	if malloc_trim then
		malloc_trim(nil);
	end
	return malloc_trim ~= nil;
end

-- The floor: what the server needs for the same IQs when nothing has to be found out or built.

local prebuilt, ids;

-- texts: the IQs as they were on the wire, which are sent again and again: what is kept in Lua makes every cycle of the
-- garbage collector longer, and pushes are measured next to it; count: how many are going to be sent
function load_floor(texts, count)
	prebuilt, ids = {}, {};
	local id_length;
	for i, text in ipairs(texts) do
		prebuilt[i] = assert(parse(text));
		id_length = #prebuilt[i].attr.id;
	end
	for i = 1, count do
		local id = "floor-"..i;
		ids[i] = id..("-"):rep(id_length - #id);
	end
end

function unload_floor()
	prebuilt, ids = nil, nil;
end

-- Sends `count` of them in bursts.
function floor(count)
	local sent, answered = 0, 0;
	local function take_in(event)
		if event.stanza.attr.type ~= "result" then return; end
		answered = answered + 1;
		if answered == count then
			-- Not from inside the event that it belongs to.
			timer.add_task(0, function () module:unhook("iq/host", take_in); end);
		end
		return true;
	end
	module:hook("iq/host", take_in, 1000);
	timer.add_task(0, function ()
		for _ = 1, math.min(burst, count - sent) do
			local stanza = prebuilt[sent % #prebuilt + 1];
			sent = sent + 1;
			stanza.attr.id = ids[sent];
			module:send(stanza);
		end
		return sent < count and 0 or nil;
	end);
end

-- The hooks of the modules that are measured.
local function measured_handlers()
	local found = {};
	for _, name in ipairs(measured_modules) do
		local loaded, count = prosody.hosts[module.host].modules[name], #found;
		for object, event, handler in loaded.module.event_handlers:iter(nil, nil, nil) do
			if object == events and event == broadcast_event then
				table.insert(found, handler);
			end
		end
		assert(#found > count, name.." does not hook "..broadcast_event);
	end
	return found;
end

local last_id = 0;

local function new_message(room, nick)
	last_id = last_id + 1;
	return st.message({ type = "groupchat", from = room.jid.."/"..nick, id = "bench-"..last_id })
		:text_tag("body", "Message "..last_id.." of the benchmark");
end

-- Somebody says something in each of some rooms.
function say_in_rooms(node, first, last)
	for i = first, last do
		local room = muc.get_room_from_jid(jid_of(node, i));
		room:broadcast_message(new_message(room, "bob"));
	end
end

-- What the module takes in its hook for one message, in seconds.
function hook_time(room_jid, nick)
	local room = muc.get_room_from_jid(room_jid);
	local handlers = measured_handlers();
	local event = { room = room, stanza = new_message(room, nick) };
	collectgarbage("stop"); -- a cycle comes once in many messages, and takes as long as many
	local started = monotonic();
	for _, handler in ipairs(handlers) do
		handler(event);
	end
	local seconds = monotonic() - started;
	collectgarbage("restart");
	return seconds;
end

local function settle()
	local wait, done = async.waiter();
	timer.add_task(0.02, function () done(); end);
	wait();
end

-- Seconds of CPU per broadcast. A cycle of the garbage collector takes as long as many broadcasts and comes once in
-- many, so that it would hit one side or the other: it has to wait.
local function broadcasts(room, nick, count)
	local stanzas = {};
	for i = 1, count do
		stanzas[i] = new_message(room, nick);
	end
	collect();
	collectgarbage("stop");
	local started = clock();
	for i = 1, count do
		room:broadcast_message(stanzas[i]);
	end
	local seconds = clock() - started;
	collectgarbage("restart");
	return seconds / count;
end

-- Seconds of CPU per broadcast without and with the module's hooks, measured by turns: two lists.
function broadcast_times(room_jid, nick, pairs_wanted, count)
	local room = muc.get_room_from_jid(room_jid);
	local handlers, priorities = measured_handlers(), {};
	for i, handler in ipairs(handlers) do
		priorities[i] = events._event_map[broadcast_event][handler];
	end
	local function without()
		for _, handler in ipairs(handlers) do
			events.remove_handler(broadcast_event, handler);
		end
		local ok, seconds = pcall(broadcasts, room, nick, count);
		for i, handler in ipairs(handlers) do
			events.add_handler(broadcast_event, handler, priorities[i]);
		end
		settle();
		return ok and seconds or error(seconds, 0);
	end
	local function with()
		local seconds = broadcasts(room, nick, count);
		settle();
		return seconds;
	end
	local bare, hooked = {}, {};
	for i = 1, pairs_wanted do
		-- What comes second may find the caches warmer.
		if i % 2 == 0 then
			bare[i], hooked[i] = without(), with();
		else
			hooked[i] = with();
			bare[i] = without();
		end
	end
	return bare, hooked;
end

-- How long the module takes at a stop, whose handler comes between these.
local stop_began;
module:hook_global("server-stopping", function () stop_began = monotonic(); end, -309);
module:hook_global("server-stopping", function ()
	module:log("info", "The stop took %.6f s", monotonic() - stop_began);
end, -311);
