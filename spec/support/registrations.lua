-- Registrations with a room (XEP-0045, section 7.10), with the field for messages that are forwarded.

local st = require "util.stanza";

local xmlns_register = "jabber:iq:register";
local form_type = "http://jabber.org/protocol/muc#register";
local field_var = "{http://tigase.org/protocol/muc}offline";

local registrations = { field_var = field_var };

local function request(room, iq_type)
	return st.stanza("iq", { type = iq_type, to = room }):tag("query", { xmlns = xmlns_register });
end

-- The form with a choice, the text of the field, nil for no field. kind: the type of the form, if it is another one
function registrations.submission(room, nick, choice, kind)
	local iq = request(room, "set"):tag("x", { xmlns = "jabber:x:data", type = kind or "submit" });
	iq:tag("field", { var = "FORM_TYPE", type = "hidden" }):text_tag("value", form_type):up();
	iq:tag("field", { var = "muc#register_roomnick" }):text_tag("value", nick):up();
	if choice then
		iq:tag("field", { var = field_var }):text_tag("value", choice):up();
	end
	return iq:reset();
end

-- Submits it, and returns the type of the reply, and what get_error() does.
function registrations.submit(user, ...)
	local reply = user:iq(registrations.submission(...));
	return reply.attr.type, reply:get_error();
end

-- What ends a registration.
function registrations.removal(room)
	return request(room, "set"):tag("remove"):reset();
end

-- Ends a registration, and returns the same.
function registrations.remove(user, room)
	local reply = user:iq(registrations.removal(room));
	return reply.attr.type, reply:get_error();
end

-- What the form shows to a user: the texts of all fields for forwarding; nil where there is no form.
function registrations.shown(user, room)
	local form = user:iq(request(room, "get"):reset()):find("{jabber:iq:register}query/{jabber:x:data}x");
	if not form then return nil; end
	local texts = {};
	for field in form:childtags("field") do
		if field.attr.var == field_var then
			assert(field.attr.type == "boolean");
			table.insert(texts, field:get_child_text("value") or "nothing");
		end
	end
	return texts;
end

-- What the affiliation data of a room says of a member: true, false or nil. Also returns the nickname.
function registrations.stored(server, room, bare_jid)
	local data = server:admin("return room(...)._affiliation_data[select(2, ...)]", room, bare_jid) or {};
	return data.offline_delivery, data.reserved_nickname;
end

return registrations;
