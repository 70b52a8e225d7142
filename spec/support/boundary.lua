-- An engine in the process of the test, and what crosses the boundary to it: for the specs of the contract in
-- lua/muc_cloud_notify/engine_types.lua.

local jid_prep = require "util.jid".prep;
local st = require "util.stanza";
local xml = require "util.xml";

local boundary = {
	native = assert(package.loadlib("./muc_cloud_notify.so", "luaopen_muc_cloud_notify"))();
	host = "conference.localhost";
	room = "den@conference.localhost";
	user = "alice@users.localhost";
	form = [[<x xmlns='jabber:x:data' type='submit'>
	<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>
	<field var='secret'><value>a &amp; b &lt;ü☃𝄞&gt;</value></field></x>]];
};

function boundary.merged(set, changes)
	for name, value in pairs(changes or {}) do set[name] = value; end
	return set;
end

-- Every message is pushed, and at once, without a journal, unless it is said otherwise.
function boundary.options(changes)
	local set = boundary.merged({}, boundary.native.default_options);
	return boundary.merged(boundary.merged(set, { default_level = "always", journal = false, push_interval = 0 }), changes);
end

function boundary.open(changes)
	return boundary.native.open(boundary.host, boundary.options(changes), st.stanza_mt);
end

function boundary.close()
	boundary.native.close(boundary.host);
end

function boundary.enable_iq(attributes, children)
	return xml.parse(("<iq xmlns='jabber:client' type='set' id='1'><enable xmlns='urn:xmpp:push:0' %s>%s</enable></iq>")
		:format(attributes or "jid='push.localhost' node='n1'", children or ""));
end

function boundary.message(body)
	return st.message({ type = "groupchat", from = boundary.room.."/bob", to = boundary.room, id = "m1" }):body(body or "Hello");
end

function boundary.facts(changes)
	local set = { room = boundary.room; sender = "bob@users.localhost"; members_only = false; public = true; keep_original = false };
	return boundary.merged(set, changes);
end

-- What an engine holds: nothing, but for these.
function boundary.stats(changes)
	return boundary.merged({
		users = 0, devices = 0, accounts = 0, forwarded = 0, queued = 0, parked = 0, in_flight = 0, spreading = 0, unstored = 0;
	}, changes);
end

-- What an IQ with <enable/> from the user makes of a record.
function boundary.prepare_enable(engine, iq, record, unix_time)
	local app_server = iq.tags[1].attr.jid;
	local facts = {
		user = boundary.user, app_server = app_server and jid_prep(app_server), is_local = false, is_member = false;
	};
	return engine:prepare_enable(facts, iq, record, unix_time);
end

-- Says who the members of a room are.
function boundary.set_members(engine, room, members, without_consent)
	engine:begin_members(room);
	engine:add_members(room, members, without_consent);
	while not engine:end_members(room) do end -- luacheck: ignore 542
end

-- Registers the user's device, and makes the user an absent member of the room.
function boundary.make_absent_member(engine, iq)
	local change = assert(boundary.prepare_enable(engine, iq or boundary.enable_iq(), nil, 1));
	engine:set_registrations(boundary.user, change.record);
	boundary.set_members(engine, boundary.room, { [boundary.user] = false });
	engine:set_occupants(boundary.room, {}, 1);
	return change;
end

-- The next push, by the names of its values and of what they stand for.
function boundary.push(engine, scope)
	local id, device, summary = engine:poll_push(10, scope or "all-rooms");
	if not id then return nil; end
	local user, app_server, node, form = engine:addressee(device);
	return {
		id = id, device = device, summary = engine:summary(summary), summary_number = summary;
		user = user, app_server = app_server, node = node, form = form, details = engine:push_details(id);
	};
end

-- The numbers of the devices whose addressee has changed since the last look.
function boundary.changed(engine)
	local devices = {};
	for event in engine.poll_event, engine do
		assert(event.type == "addressee-changed", event.type);
		table.insert(devices, event.device);
	end
	return devices;
end

return boundary;
