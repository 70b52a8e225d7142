-- Builds publishes (XEP-0357, section 7). What is the same for many is built once and shared: an <item/> by all pushes that
-- say the same, and what surrounds it by all pushes to the same device.
--
-- Invariant: a publish is not changed. What may change a stanza gets a copy. Nor is a publish worth anything once there is
-- another one for its device.
--
-- Every element gets its xmlns, as from Prosody's parser: an app server in this process finds the same as one at the other
-- end of a connection.
--
-- This file is MIT/X11 licensed.

local part = ...;

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names

local bounded_cache = part "shared/bounded_cache";

local stanza_mt = st.stanza_mt;

local xmlns_data = "jabber:x:data";
local xmlns_pubsub = "http://jabber.org/protocol/pubsub";
local xmlns_push = "urn:xmpp:push:0";
local form_type = "urn:xmpp:push:summary";
local summary_fields = { "message-count", "last-message-sender", "last-message-body" };

-- Most of the pushes for a message say the same.
local items_kept = 32;
-- Each costs the garbage collector time for as long as it is kept, which is time that everybody waits: a thousand make a
-- cycle of it one to two milliseconds longer.
local addressees_kept = 1000;
-- What they may weigh: those of most clients weigh one to two kilobytes each, and the largest that can be registered fifty.
local bytes_of_addressees = 8 * 1024 * 1024;

local pubsub_attr = { xmlns = xmlns_pubsub };

local function element(name, attr, tags)
	local children = table.move(tags, 1, #tags, 1, { name = name, attr = attr, tags = tags });
	return setmetatable(children, stanza_mt);
end

local function add_field(form, name, value, field_type)
	form:tag("field", { xmlns = xmlns_data, var = name, type = field_type })
		:tag("value", { xmlns = xmlns_data }):text(value):up():up();
end

-- fields: those of the summary form
local function item(fields)
	local stanza = st.stanza("item", { xmlns = xmlns_pubsub })
		:tag("notification", { xmlns = xmlns_push })
			:tag("x", { xmlns = xmlns_data, type = "submit" });
	add_field(stanza, "FORM_TYPE", form_type, "hidden");
	for _, name in ipairs(summary_fields) do
		if fields[name] then
			add_field(stanza, name, fields[name]);
		end
	end
	return stanza:reset();
end

-- About how many bytes an element of a form takes, whatever is in it: two tables, of which one has fields.
local bytes_of_element = 320;
local bytes_of_attribute = 64;

local function weight_of(node)
	if type(node) == "string" then return #node; end
	local weight = bytes_of_element;
	for name, value in pairs(node.attr) do
		weight = weight + bytes_of_attribute + #name + #value;
	end
	for _, child in ipairs(node) do
		weight = weight + weight_of(child);
	end
	return weight;
end

-- The elements around a form, and the strings of an addressee besides.
local function weight_of_addressee(user, app_server, node, form)
	return 4 * bytes_of_element + #user + #app_server + #(node or "") + (form and weight_of(form) or 0);
end

-- Where the pushes of a device go, and what they all have in common. A node, a form and a way may be nil.
local function new_addressee(user, app_server, node, form, way)
	local publish = element("publish", { xmlns = xmlns_pubsub, node = node }, {});
	local options = form and element("publish-options", pubsub_attr, { form });
	return {
		user = user, app_server = app_server, way = way, publish = publish;
		tags = { element("pubsub", pubsub_attr, { publish, options }) };
	};
end

local function new(engine)
	local host = module.host;
	local items, addressees = bounded_cache.new(items_kept), bounded_cache.new(addressees_kept, bytes_of_addressees);
	local get_items, get_addressee = items.get, addressees.get;

	-- The <item/> for a summary, in a list of its own.
	local function items_for(summary)
		local kept = get_items(summary);
		if not kept then
			kept = { item(engine:summary(summary)) };
			items.set(summary, kept);
		end
		return kept;
	end

	-- Nil where the device is gone.
	local function addressee(device)
		local kept = get_addressee(device);
		if kept then return kept; end
		local user, app_server, node, form, way = engine:addressee(device);
		if not user then return nil; end
		kept = new_addressee(user, app_server, node, form, way);
		addressees.set(device, kept, weight_of_addressee(user, app_server, node, form));
		return kept;
	end

	-- The IQ with a push. Written out, for there is one for every push, and the builder of util.stanza takes five times as
	-- long. to: as from addressee(); summary: a number of the engine's; from: a host, nil: the MUC service
	local function iq(id, to, summary, from)
		local push_items = items_for(summary);
		to.publish[1], to.publish.tags = push_items[1], push_items;
		return setmetatable({
			name = "iq", attr = { type = "set", id = id, from = from or host, to = to.app_server }, tags = to.tags, to.tags[1],
		}, stanza_mt);
	end

	return { addressee = addressee, forget_addressee = addressees.forget, iq = iq };
end

return { new = new };
