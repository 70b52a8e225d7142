-- Forwards messages to the accounts of members on other servers: a message of type "groupchat" to the bare JID, which servers with
-- mod_cloud_notify, and Tigase's, push to the devices of the account and do not keep.
--
-- Nobody answers that with a result, and most servers with an error, which says no more than that the domain was reached. Only this
-- server says that it was not.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;
local st = require "util.stanza";

local forwarded_ids = part "shared/forwarded_ids";
local guard = part "shared/guard";
local stanza_error = part "shared/stanza_error";

local xmlns_reference = "urn:xmpp:reference:0";

-- Before mod_muc, which takes an error for one of an occupant's (one whose session has a bare JID may be there).
local before_others = 200;

-- What the domain's own server cannot mean by an answer: it has answered.
local reached = "service-unavailable";

-- The message to forward for a push. words: see push_words() in engine_types.lua; bare_jid: of the member; fallback: the text
-- where there is none, nil for none
local function make(id, words, bare_jid, fallback)
	local stanza = st.message { type = "groupchat", id = forwarded_ids.new(id), from = words.sender or words.room, to = bare_jid };
	local body = words.body or fallback;
	if body then stanza:text_tag("body", body); end
	if words.is_mention then
		-- That of the message may name them in a way that only the room understands.
		stanza:tag("reference", { xmlns = xmlns_reference, type = "mention", uri = "xmpp:"..bare_jid }):up();
	end
	return stanza;
end

-- Whether an error was made by this server: as the one that a message to a domain out of reach comes back with.
local function is_own(event)
	return event.origin.dummy or prosody.hosts[jid_host(event.stanza.attr.from)] ~= nil;
end

local function watch(engine)
	local function take_answer(event)
		local stanza = event.stanza;
		local id = forwarded_ids.answered_push(stanza);
		if not id then return nil; end
		local error_type, condition = stanza_error.read(stanza);
		if not is_own(event) then error_type, condition = "cancel", reached; end
		module:log("debug", "A forwarded message came back from %s: %s/%s", stanza.attr.from, error_type, condition);
		engine:handle_error(id, stanza.attr.from, error_type, condition, monotonic());
		return true;
	end

	for _, to in ipairs { "bare", "full", "host" } do
		module:hook("message/"..to, guard.answer("take in the answer to a forwarded message", take_answer), before_others);
	end

	-- Returns the message to forward for a push that was polled; nil where there is none. fields: those of the summary form
	local function message(id, bare_jid, fields)
		local is_mention, sender, body, room = engine:push_words(id);
		if not room then return nil; end
		return make(id, { is_mention = is_mention, sender = sender, body = body, room = room }, bare_jid, fields and fields["last-message-body"]);
	end

	return { message = message };
end

return { watch = watch };
