-- The outline of a message that is too large to be kept: what kind of message it was can be told from that. Not only text can be
-- large, but also reactions, and new keys for everybody's devices.
--
-- There is none of a message with a body, for what that says would be missing, nor of one with more elements than fit.
--
-- Bounds: the elements in the message and in these, `max_elements` in all; `max_children` in each; `max_length` bytes of a text or
-- an attribute.
--
-- This file is MIT/X11 licensed.

local st = require "util.stanza"; -- COMPAT 0.12: no prosody.* names

local max_elements = 48;
local max_children = 16;
local max_length = 128;

-- Stands for a text that is longer.
local long_text = "...";

local function short_attributes(attr)
	local short = {};
	for name, value in pairs(attr) do
		if #name + #value <= max_length then short[name] = value; end
	end
	return short;
end

-- An element with the first texts and, where it has any, with new_child(element) for the first elements in it.
local function outline_of(element, new_child)
	local outline = st.stanza(element.name, short_attributes(element.attr));
	for i = 1, math.min(#element, 2 * max_children) do
		local child = element[i];
		if type(child) == "string" then
			outline:add_direct_child(#child <= max_length and child or long_text);
		elseif #outline.tags < max_children then
			outline:add_direct_child(new_child(child));
		end
	end
	return outline;
end

-- The outline of a message, nil where there is none.
local function of(message)
	if #message.tags > max_children or message:get_child("body") then return nil; end
	local elements = 0;
	for _, child in ipairs(message.tags) do
		elements = elements + 1 + math.min(#child.tags, max_children);
	end
	if elements > max_elements then return nil; end
	return outline_of(message, function (child)
		return outline_of(child, function (grandchild)
			return outline_of({ name = grandchild.name, attr = grandchild.attr, grandchild:get_text() });
		end);
	end);
end

return { of = of };
