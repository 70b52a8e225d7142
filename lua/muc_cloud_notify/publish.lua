-- Builds publishes (XEP-0357, section 7). What is the same for many is built once and shared: an <item/> by all
-- pushes that say the same, and what surrounds it by all pushes to the same device.
--
-- So a publish must not be changed: who may do that gets a copy. Nor is it worth anything once there is another
-- one for its device.
--
-- Every element gets its xmlns, as from Prosody's parser: an app server in this process finds the same as
-- one at the other end of a connection.
--
-- This file is MIT/X11 licensed.

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names
local stanza_mt = st.stanza_mt;

local xmlns_data = "jabber:x:data";
local xmlns_pubsub = "http://jabber.org/protocol/pubsub";
local xmlns_push = "urn:xmpp:push:0";
local form_type = "urn:xmpp:push:summary";
local summary_fields = { "message-count", "last-message-sender", "last-message-body" };

-- How many <item/>s are kept. Most of the pushes for a message say the same.
local items_kept = 32;
-- How many addressees are kept. Each costs the garbage collector time for as long as it is kept, which is time that
-- everybody waits: a thousand make a cycle of it one to two milliseconds longer.
local addressees_kept = 1000;

local pubsub_attr = { xmlns = xmlns_pubsub };

local function element(name, attr, tags)
	local children = table.move(tags, 1, #tags, 1, { name = name, attr = attr, tags = tags });
	return setmetatable(children, stanza_mt);
end

local function add_field(form, name, value, field_type)
	form:tag("field", { xmlns = xmlns_data, var = name, type = field_type })
		:tag("value", { xmlns = xmlns_data }):text(value):up():up();
end

-- summary: a table of the summary form's fields
local function item(summary)
	local stanza = st.stanza("item", { xmlns = xmlns_pubsub })
		:tag("notification", { xmlns = xmlns_push })
			:tag("x", { xmlns = xmlns_data, type = "submit" });
	add_field(stanza, "FORM_TYPE", form_type, "hidden");
	for _, name in ipairs(summary_fields) do
		if summary[name] then
			add_field(stanza, name, summary[name]);
		end
	end
	return stanza:reset();
end

-- Returns a function that gives the <item/> for a summary, in a list of its own: always the same one while it is kept.
local function keep_items()
	local kept, count = {}, 0;
	return function (summary)
		local key = {};
		for i, name in ipairs(summary_fields) do
			key[i] = summary[name] or "";
		end
		key = table.concat(key, "\0"); -- which is in no XML
		if not kept[key] then
			if count == items_kept then
				kept, count = {}, 0;
			end
			kept[key], count = { item(summary) }, count + 1;
		end
		return kept[key];
	end
end

-- Where the pushes of a device go, and what they all have in common. A node and a form may be nil.
local function addressee(user, app_server, node, form)
	local publish = element("publish", { xmlns = xmlns_pubsub, node = node }, {});
	local options = form and element("publish-options", pubsub_attr, { form });
	return {
		user = user, app_server = app_server, publish = publish;
		tags = { element("pubsub", pubsub_attr, { publish, options }) };
	};
end

-- Keeps where the pushes of devices go, so that the next push to a device need not find it out. Devices are numbers, as
-- from engine:turn(). Returns a function that gives the addressee, nil where the device is gone; and one that forgets it.
local function keep_addressees(engine)
	local kept, count = {}, 0;

	local function find(device)
		local found = kept[device];
		if found then return found; end
		local user, app_server, node, form = engine:addressee(device);
		if not user then return nil; end
		if count == addressees_kept then
			kept, count = {}, 0;
		end
		found = addressee(user, app_server, node, form);
		kept[device], count = found, count + 1;
		return found;
	end

	local function forget(device)
		if kept[device] then
			kept[device], count = nil, count - 1;
		end
	end

	return find, forget;
end

-- The IQ. Written out, for there is one for every push, and the builder of util.stanza takes five times as long.
local function iq(id, from, to, push_items)
	to.publish[1], to.publish.tags = push_items[1], push_items;
	return setmetatable({
		name = "iq", attr = { type = "set", id = id, from = from, to = to.app_server }, tags = to.tags, to.tags[1],
	}, stanza_mt);
end

return { keep_items = keep_items, addressee = addressee, keep_addressees = keep_addressees, iq = iq };
