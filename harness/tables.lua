-- Tables of names and values.

local tables = {};

function tables.merge(into, from)
	for key, value in pairs(from or {}) do
		into[key] = value;
	end
	return into;
end

function tables.sorted_keys(map)
	local keys = {};
	for key in pairs(map) do
		table.insert(keys, key);
	end
	table.sort(keys);
	return keys;
end

return tables;
