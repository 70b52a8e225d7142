-- Requests to a MUC service, with what other modules add to them.

local st = require "util.stanza";
local xml = require "util.xml";

local service = "conference.localhost";
local xmlns_disco_info = "http://jabber.org/protocol/disco#info";
local xmlns_push = "urn:xmpp:push:0";

local requests = {};

-- How often each feature is in the disco#info of the service.
function requests.features(user)
	local reply = user:iq(st.stanza("iq", { type = "get", to = service }):tag("query", { xmlns = xmlns_disco_info }):reset());
	local found = {};
	for feature in reply:get_child("query", xmlns_disco_info):childtags("feature") do
		found[feature.attr.var] = (found[feature.attr.var] or 0) + 1;
	end
	return found;
end

-- An enable request with XML in it.
function requests.enable(user, node, children)
	local request = xml.parse(string.format("<enable xmlns='%s' jid='push.localhost' node='%s'>%s</enable>", xmlns_push, node, children or ""));
	return user:iq(st.stanza("iq", { type = "set", to = service }):add_child(request));
end

return requests;
