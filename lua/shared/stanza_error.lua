-- Reads the error in a stanza (RFC 6120, section 8.3) as it was meant.
--
-- On a stream, <error/> has the namespace of the stream. There are libraries that always give it the one of a client's
-- stream, as slixmpp does for a component: Prosody then sees an element that has nothing to do with the stanza.
--
-- This file is MIT/X11 licensed.

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local xmlns_stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";

-- Those that a stanza may have, other than the one of its stream, which Prosody leaves out.
local is_xmlns_of_stanza = {
	["jabber:client"] = true, ["jabber:server"] = true, ["jabber:component:accept"] = true, ["jabber:component:connect"] = true, [""] = true;
};

-- RFC 6120, section 8.3.3
local is_defined_condition = {};
for name in ("bad-request conflict feature-not-implemented forbidden gone internal-server-error item-not-found jid-malformed"
	.." not-acceptable not-allowed not-authorized policy-violation recipient-unavailable redirect registration-required"
	.." remote-server-not-found remote-server-timeout resource-constraint service-unavailable subscription-required"
	.." undefined-condition unexpected-request"):gmatch("%S+") do
	is_defined_condition[name] = true;
end

local function find_error(stanza)
	local error = stanza:get_child("error");
	if error then return error; end
	for _, child in ipairs(stanza.tags) do
		if child.name == "error" and is_xmlns_of_stanza[child.attr.xmlns] then return child; end
	end
end

-- Returns the type of the error, nil where it has none, and its condition. Both are nil where there is no error.
local function read(stanza)
	local error = find_error(stanza);
	if not error then return nil, nil; end
	local condition;
	for _, child in ipairs(error.tags) do
		local xmlns = child.attr.xmlns;
		if xmlns == xmlns_stanzas and child.name ~= "text" then
			return error.attr.type, child.name;
		elseif not condition and (xmlns == nil or is_xmlns_of_stanza[xmlns]) and is_defined_condition[child.name] then
			condition = child.name; -- it has inherited the wrong namespace
		end
	end
	return error.attr.type, condition or "undefined-condition";
end

-- Whether it is not from whom it seems to be: nothing is sent to other servers, as no module for that is loaded. Prosody says so in the name of
-- the host that the stanza was sent from, by an error that would be one of the addressee otherwise.
local function is_unrouted(event)
	local attr, hosts = event.stanza.attr, prosody.hosts;
	return event.origin == hosts[jid_host(attr.to)] and hosts[jid_host(attr.from)] == nil;
end

return { read = read, is_unrouted = is_unrouted };
