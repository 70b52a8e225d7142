-- A publish to an app server (XEP-0357), as a server sends it.

local st = require "util.stanza";

local tables = require "harness.tables";

local xmlns_pubsub = "http://jabber.org/protocol/pubsub";

local publish = {};

local function add_form(stanza, form_type, fields)
	stanza:tag("x", { xmlns = "jabber:x:data", type = "submit" })
		:tag("field", { var = "FORM_TYPE", type = "hidden" }):text_tag("value", form_type):up();
	for _, name in ipairs(tables.sorted_keys(fields)) do
		stanza:tag("field", { var = name }):text_tag("value", fields[name]):up();
	end
	return stanza:up();
end

-- options: to; node, secret; fields of the summary form; extra, a child of the notification
function publish.stanza(options)
	local iq = st.stanza("iq", { type = "set", to = options.to })
		:tag("pubsub", { xmlns = xmlns_pubsub })
			:tag("publish", { node = options.node }):tag("item"):tag("notification", { xmlns = "urn:xmpp:push:0" });
	add_form(iq, "urn:xmpp:push:summary", options.fields or { ["message-count"] = "1" });
	if options.extra then iq:add_child(options.extra); end
	iq:up():up():up();
	if options.secret then
		iq:tag("publish-options");
		add_form(iq, xmlns_pubsub .. "#publish-options", { secret = options.secret });
	end
	return iq:reset();
end

return publish;
