-- What a stanza weighs in memory.
--
-- A stanza of Lua tables weighs more than its text: 340 bytes an element, 98 an attribute, whatever is in them.
--
-- Weights are estimates of what collectgarbage("count") would say, rather too high: names of attributes are mostly shared.
--
-- This file is MIT/X11 licensed.

local next, type = next, type;

-- A table with its hash part for the fields of a stanza, the tables of its attributes and children, its places in its parent's.
local weight_of_element = 400;
-- An entry of a hash part that is half empty, and the heads of two strings.
local weight_of_attribute = 98;
local weight_of_string = 25;

-- elements: how many there were before. Returns how many there are with this one and those in it, what their structure weighs,
-- and the length of their texts and attributes. It stops where there are too many elements, which are more than `max_elements`.
local function measure_further(element, max_elements, elements)
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
			elements, its_structure, its_length = measure_further(child, max_elements, elements);
			if elements > max_elements then break; end
			structure, length = structure + its_structure, length + its_length;
		end
	end
	return elements, structure + attributes * weight_of_attribute + strings * weight_of_string, length;
end

-- The number of elements in a stanza, what its structure weighs, and the length of its texts and attributes. It stops where there
-- are more than `max_elements`.
local function measure(stanza, max_elements)
	return measure_further(stanza, max_elements, 0);
end

return { measure = measure, of_element = weight_of_element, of_string = weight_of_string };
