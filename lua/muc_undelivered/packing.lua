-- How a message is kept, and what that weighs.
--
-- A stanza of Lua tables weighs more than its text: 340 bytes an element, 98 an attribute, whatever is in them. An ordinary
-- message is kept as it is, for that costs nothing. One of many elements or attributes is kept as its text. Of one that
-- is larger than any honest one nothing is kept but what it is found by.
--
-- Weights are estimates of what collectgarbage("count") would say, rather too high: names of attributes are mostly shared.
--
-- Bounds: `max_length` bytes of text and attributes in a message, and `max_elements` elements.
--
-- This file is MIT/X11 licensed.

local next, tostring, type = next, tostring, type;

local sha1 = require "util.hashes".sha1; -- COMPAT 0.12: no prosody.* names
local parse = require "util.xml".parse;

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";

local max_length = 64 * 1024;
local max_elements = 500;

-- Structure in bytes, beside the texts, from which on the text of a message is kept. An ordinary message has some 3 kB.
local max_structure = 8 * 1024;

-- A table with its hash part for the fields of a stanza, the tables of its attributes and children, its places in its parent's.
local weight_of_element = 400;
-- An entry of a hash part that is half empty, and the heads of two strings.
local weight_of_attribute = 98;
local weight_of_string = 25;

-- elements: how many there were before. Returns how many there are with this one and those in it, what their structure weighs,
-- and the length of their texts and attributes. It stops where there are too many elements, which are more than `max_elements`.
local function measure(element, elements)
	local attributes, strings, length = 0, 0, 0;
	local structure = weight_of_element;
	elements = elements + 1;
	for name, value in next, element.attr do
		attributes = attributes + 1;
		length = length + #name + #value;
	end
	for i = 1, #element do
		local child = element[i];
		if type(child) == "string" then
			strings = strings + 1;
			length = length + #child;
		else
			local its_structure, its_length;
			elements, its_structure, its_length = measure(child, elements);
			if elements > max_elements then break; end
			structure, length = structure + its_structure, length + its_length;
		end
	end
	return elements, structure + attributes * weight_of_attribute + strings * weight_of_string, length;
end

-- What a bounce may say of a message whose stanza is not at hand.
local function describe(stanza)
	local body = stanza:get_child_text("body");
	return { body = body and sha1(body), is_marked_private = stanza:get_child("x", xmlns_muc_user) ~= nil };
end

-- Returns what is to be kept of a stanza, which is itself, its text, or false for nothing; its weight; and what has to be
-- known of it, nil where it is kept as it is.
local function pack(stanza)
	local elements, structure, length = measure(stanza, 0);
	if elements <= max_elements and length <= max_length then
		if structure <= max_structure then return stanza, structure + length; end
		local text = tostring(stanza);
		if #text <= max_length then
			return text, #text + weight_of_string + weight_of_element, describe(stanza);
		end
	end
	return false, weight_of_element, describe(stanza);
end

-- The stanza that was packed, nil where it was not kept. Not a copy.
local function unpack(packed)
	if type(packed) == "string" then return (parse(packed)) or nil; end
	return packed or nil;
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

return { pack = pack, describe = describe, unpack = unpack, has_body = has_body, is_marked_private = is_marked_private };
