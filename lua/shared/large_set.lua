-- A set of strings that may become large: in many small tables, each of which is dropped once it is empty.
--
-- One large table would hold up the event loop: it is copied as a whole when it grows, the garbage collector goes through it as a
-- whole, and it stays that large when nothing is left in it.
--
-- This file is MIT/X11 licensed.

local tables = 1024;

-- How much of a string tells which table it is in.
local most_bytes = 32;

local function place_of(text)
	local hash = #text;
	for i = 1, math.min(#text, most_bytes) do
		hash = (hash * 31 + text:byte(i)) & 0xffffffff;
	end
	return hash % tables;
end

local function new()
	local texts, counts = {}, {}; -- place -> text -> true; place -> how many

	local function has(text)
		local others = texts[place_of(text)];
		return others ~= nil and others[text] == true;
	end

	local function add(text)
		local place = place_of(text);
		local others = texts[place];
		if not others then
			texts[place], counts[place] = { [text] = true }, 1;
		elseif not others[text] then
			others[text], counts[place] = true, counts[place] + 1;
		end
	end

	local function remove(text)
		local place = place_of(text);
		local others = texts[place];
		if not others or not others[text] then return; end
		if counts[place] == 1 then
			texts[place], counts[place] = nil, nil;
		else
			others[text], counts[place] = nil, counts[place] - 1;
		end
	end

	return { has = has, add = add, remove = remove };
end

return { new = new };
