-- Messages that are held, as they are stored: what the engine reads of them. Texts are only among it where app servers may know them, as in
-- the outbox; where not, it is known of a message that there was one, which it is, and whom it names by a reference or a reply.
--
-- This file is MIT/X11 licensed.

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names
local parse_xml = require "util.xml".parse;

-- What the engine reads beside bodies: what a message is, what it is about, and whom it names.
local is_kept = {
	["stanza-id"] = true, ["origin-id"] = true, retract = true, moderated = true, replace = true, ["apply-to"] = true;
	reply = true, reference = true, fallback = true;
};

-- Beside one of these a body is there for clients that cannot read the message.
local marks_encryption = {
	["urn:xmpp:eme:0"] = true, ["urn:xmpp:openpgp:0"] = true, ["jabber:x:encrypted"] = true;
	["eu.siacs.conversations.axolotl"] = true, ["urn:xmpp:omemo:0"] = true, ["urn:xmpp:omemo:1"] = true, ["urn:xmpp:omemo:2"] = true;
};

-- Stands for what a message says, where that is not stored or cannot be read: as the engine takes any message that is encrypted.
local xmlns_encryption = "urn:xmpp:eme:0";

-- So much of a text is looked at for mentions, and much less is told.
local longest_text = 16 * 1024;

local function shorten(text)
	if #text <= longest_text then return text; end
	return (text:sub(1, longest_text):gsub("[\192-\255][\128-\191]*$", "")); -- what may be a part of a character
end

local function add_without_texts(stanza, element)
	stanza:tag(element.name, element.attr);
	for _, child in ipairs(element.tags) do add_without_texts(stanza, child); end
	stanza:up();
end

-- What may change an earlier message.
local revises = { retract = true, moderated = true, replace = true, ["apply-to"] = true };

local function may_revise(message)
	for _, child in ipairs(message.tags) do
		if revises[child.name] then return true; end
	end
	return false;
end

-- What is stored of a message. is_important: whether it counts at all; has_texts: whether what it says may be stored
local function outline(message, is_important, has_texts)
	local outlined, has_said = st.stanza("message", message.attr), false;
	for _, child in ipairs(message.tags) do
		has_texts = has_texts and not marks_encryption[child.attr.xmlns];
	end
	for _, child in ipairs(message.tags) do
		local is_own = child.attr.xmlns == nil or child.attr.xmlns == message.attr.xmlns;
		if is_own and child.name == "body" then
			has_said = true;
			if has_texts then outlined:text_tag("body", shorten(child:get_text()), child.attr); end
		elseif not is_own and is_kept[child.name] then
			add_without_texts(outlined, child);
		end
	end
	if not (has_said and has_texts) and (has_said or is_important) then
		outlined:tag("encryption", { xmlns = xmlns_encryption }):up();
	end
	return outlined;
end

local function copy(facts)
	local copied = {};
	for name, value in pairs(facts) do copied[name] = value; end
	return copied;
end

-- Nil where there is nothing to tell of it. message: as in held_messages.lua; time: on the clock of util.time.monotonic
local function pack(message, time, is_important, has_texts)
	if message.kind == "message" and not is_important and not may_revise(message.details.stanza) then return nil; end
	local details, facts = message.details, copy(message.details.facts);
	local stanza = details.stanza and outline(details.stanza, is_important, has_texts);
	facts.keep_original = nil; -- other modules are shown the whole of it or nothing
	facts.sent = facts.sent and time - facts.sent;
	return {
		kind = message.kind, facts = facts, xml = stanza and tostring(stanza), age = time - details.sent;
		presences = message.presences, times = message.times, number = message.number;
	};
end

-- The same from what is stored. Nil where it makes no sense. time: when it was written
local function unpack(packed, time)
	local facts = type(packed.facts) == "table" and copy(packed.facts);
	if not facts or type(packed.age) ~= "number" or type(packed.presences) ~= "number" or type(packed.number) ~= "number" then return nil; end
	local stanza = packed.xml and parse_xml(packed.xml);
	if not stanza and packed.kind ~= "forgotten" and (packed.xml or packed.kind == "message") then return nil; end
	facts.keep_original, facts.sent = false, facts.sent and time - facts.sent;
	facts.members_only, facts.public = facts.members_only == true, facts.public == true;
	return {
		kind = packed.kind, details = { facts = facts, stanza = stanza, sent = time - packed.age, messages = 1 };
		presences = packed.presences, times = math.tointeger(packed.times) or 1, number = packed.number;
	};
end

return { pack = pack, unpack = unpack };
