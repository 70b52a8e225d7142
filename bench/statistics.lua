-- What a list of samples comes to.

local statistics = {};

local function sorted(samples)
	local list = table.move(samples, 1, #samples, 1, {});
	table.sort(list);
	return list;
end

function statistics.median(samples)
	local list = sorted(samples);
	local middle = (#list + 1) // 2;
	if #list % 2 == 1 then return list[middle]; end
	return (list[middle] + list[middle + 1]) / 2;
end

-- The median, the least and the greatest.
function statistics.summary(samples)
	local list = sorted(samples);
	return statistics.median(samples), list[1], list[#list];
end

-- The first and the third quartile.
function statistics.quartiles(samples)
	local list = sorted(samples);
	return list[math.max(1, #list // 4)], list[math.max(1, (3 * #list + 3) // 4)];
end

return statistics;
