-- How a message is kept, and what that weighs.
--
-- A stanza of Lua tables weighs more than its text, see stanza_weight.lua. An ordinary message is kept as it is, for that costs
-- nothing. One of many elements or attributes is kept as its text. Of one that is larger than any honest text nothing is kept
-- but what it is found by, and its outline.
--
-- Bounds: `max_length` bytes of text and attributes in a message, and `max_elements` elements.
--
-- This file is MIT/X11 licensed.

local part = ...;

local tostring, type = tostring, type;

local sha1 = require "util.hashes".sha1; -- COMPAT 0.12: no prosody.* names
local parse = require "util.xml".parse;

local outlines = part "muc_undelivered/outline";
local stanza_weight = part "shared/stanza_weight";

local measure = stanza_weight.measure;

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";

local max_length = 64 * 1024;
local max_elements = 500;

-- Structure in bytes, beside the texts, from which on the text of a message is kept. An ordinary message has some 3 kB.
local max_structure = 8 * 1024;

-- What a bounce may say of a message whose stanza is not at hand.
local function describe(stanza)
	local body = stanza:get_child_text("body");
	return { body = body and sha1(body), is_marked_private = stanza:get_child("x", xmlns_muc_user) ~= nil };
end

-- Returns what is to be kept of a stanza, which is itself, its text, or false for nothing; its weight; and what has to be
-- known of it, nil where it is kept as it is.
local function pack(stanza)
	local elements, structure, length = measure(stanza, max_elements);
	if elements <= max_elements and length <= max_length then
		if structure <= max_structure then return stanza, structure + length; end
		local text = tostring(stanza);
		if #text <= max_length then
			return text, #text + stanza_weight.of_string + stanza_weight.of_element, describe(stanza);
		end
	end
	local description, weight = describe(stanza), stanza_weight.of_element;
	description.outline = outlines.of(stanza);
	if description.outline then
		local _, its_structure, its_length = measure(description.outline, max_elements);
		weight = weight + its_structure + its_length;
	end
	return false, weight, description;
end

-- The stanza that was packed, nil where it was not kept. Not a copy.
local function unpack(packed)
	if type(packed) == "string" then return (parse(packed)) or nil; end
	return packed or nil;
end

-- The outline of a message that was not kept, see outline.lua; nil where there is none. Not a copy.
local function outline_of(description)
	return description and description.outline;
end

-- Whether a packed message has a body. description: the third result of pack()
local function has_body(packed, description, body)
	if description then return description.body == sha1(body); end
	return packed:get_child_text("body") == body;
end

-- Whether it has the mark that mod_muc gives to private messages, and any client may give to its messages.
local function is_marked_private(packed, description)
	if description then return description.is_marked_private; end
	return packed:get_child("x", xmlns_muc_user) ~= nil;
end

return { pack = pack, describe = describe, unpack = unpack, outline_of = outline_of, has_body = has_body, is_marked_private = is_marked_private };
