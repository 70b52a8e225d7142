-- Builds publishes (XEP-0357, section 7). What is the same for many is built once and shared.
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

-- How many forms are kept as stanzas, so that the next push to the device need not make one: two
-- generations of so many.
local forms_kept = 2000;

-- Never changed, and so shared by all publishes that leave the process.
local pubsub_attr = { xmlns = xmlns_pubsub };

local function add_field(form, name, value, field_type)
	form:tag("field", { xmlns = xmlns_data, var = name, type = field_type })
		:tag("value", { xmlns = xmlns_data }):text(value):up():up();
end

-- The <item/> of pushes that say the same: summary is a table of the summary form's fields.
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

-- The <publish-options/> around a form.
local function publish_options(form)
	return st.stanza("publish-options", { xmlns = xmlns_pubsub }):add_child(form);
end

-- The IQ. A node and options may be nil or false. Written out, for there is one for every push, and the
-- builder of util.stanza takes five times as long.
local function iq(id, from, to, node, push_item, options)
	local publish = setmetatable({
		name = "publish", attr = { xmlns = xmlns_pubsub, node = node or nil }, tags = { push_item }, push_item,
	}, stanza_mt);
	local pubsub = setmetatable({
		name = "pubsub", attr = pubsub_attr, tags = { publish, options or nil }, publish, options or nil,
	}, stanza_mt);
	return setmetatable({
		name = "iq", attr = { type = "set", id = id, from = from, to = to }, tags = { pubsub }, pubsub,
	}, stanza_mt);
end

-- to_stanza(form) makes a stanza of a form of the engine's. Returns a function that gives the
-- <publish-options/> around it, always the same one while it is kept.
local function keep_options(to_stanza)
	local young, old, count = {}, {}, 0;
	return function (form)
		local options = young[form];
		if options then return options; end
		options = old[form] or publish_options(to_stanza(form));
		if count >= forms_kept then
			young, old, count = {}, young, 0;
		end
		young[form] = options;
		count = count + 1;
		return options;
	end
end

return { item = item, publish_options = publish_options, iq = iq, keep_options = keep_options };
