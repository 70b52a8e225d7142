-- A cache of a bounded size, for what can be found out again. When it is full, it is emptied: of values that come and
-- go, none would be worth the bookkeeping of which was used last.
--
-- On a hot path, `get(key) or find_out(key)` costs one call for what is kept, 0.02 µs.
--
-- This file is MIT/X11 licensed.

-- limit: how many values are kept, at least 1; max_weight: how much they may weigh together, nil for any weight
local function new(limit, max_weight)
	local kept, count = {}, 0;
	local weights, weight = {}, 0; -- of the values that have one

	local function get(key)
		return kept[key];
	end

	local function forget(key)
		if kept[key] ~= nil then
			kept[key], count = nil, count - 1;
			weight = weight - (weights[key] or 0);
			weights[key] = nil;
		end
	end

	-- value: not nil; its_weight: nil for none. A value that is too heavy to be kept is not.
	local function set(key, value, its_weight)
		forget(key);
		its_weight = its_weight or 0;
		if max_weight and its_weight > max_weight then return; end
		if count == limit or max_weight and weight + its_weight > max_weight then
			kept, count, weights, weight = {}, 0, {}, 0;
		end
		kept[key], count = value, count + 1;
		if its_weight > 0 then
			weights[key], weight = its_weight, weight + its_weight;
		end
	end

	return { get = get, set = set, forget = forget };
end

return { new = new };
