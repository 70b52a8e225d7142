-- What was measured, in the order in which it is shown.

local statistics = require "bench.statistics";

local results = {};

local results_methods = {};
local results_mt = { __index = results_methods };

-- options: sizes, versions, start_room; is_quick: the bars are not for these sizes
function results.new(options)
	return setmetatable({
		by_id = {};
		is_quick = options.is_quick;
		list = {};
		sizes = options.sizes;
		start_room = options.start_room;
		versions = options.versions;
	}, results_mt);
end

-- 12345 -> 12,345
function results.number(value)
	local text = string.format("%d", value):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "");
	return text;
end

results_methods.number = results.number;

-- From now on results are of this version of Prosody.
function results_methods:set_version(version)
	self.version = version;
end

local function add(self, result, versions)
	local known = self.by_id[result.id];
	if not known then
		known = { id = result.id, size = result.size, text = result.text, unit = result.unit, digits = result.digits, limit = result.limit,
			strict = result.strict, common = #versions > 1 or nil, values = {} };
		self.by_id[result.id] = known;
		table.insert(self.list, known);
	end
	local samples = result.samples;
	local median, low, high = statistics.summary(samples);
	local value = { median = median, min = low, max = high, samples = samples };
	if result.spread == "quartiles" then -- of so many samples some always are far off
		value.low, value.high = statistics.quartiles(samples);
	end
	if result.limit and not self.is_quick then
		value.met = median < result.limit or not result.strict and median == result.limit;
	end
	for _, version in ipairs(versions) do
		known.values[version] = value;
	end
end

-- result: id, text, unit, digits; samples; limit, the bar, which must not be exceeded, nor reached when it is strict;
-- spread = "quartiles" to show these instead of the least and the greatest
function results_methods:add(result)
	add(self, result, { self.version });
end

-- A result that does not depend on Prosody.
function results_methods:add_common(result)
	add(self, result, self.versions);
end

-- The bar as text; "" where there is none.
function results.bar(result)
	if not result.limit then return ""; end
	if result.limit == 0 then return "0"; end
	local limit = string.format(result.limit % 1 == 0 and "%d" or "%g", result.limit);
	return string.format("%s %s%s", result.strict and "<" or "≤", limit, result.unit == "×" and "" or " " .. (result.unit or ""));
end

local function show(value, digits)
	if value == math.huge or value ~= value then return "?"; end
	if digits == 0 then
		local rounded = math.floor(math.abs(value) + 0.5);
		return (value < 0 and rounded > 0 and "-" or "") .. results.number(rounded);
	end
	return string.format("%." .. digits .. "f", value);
end

-- A value as text: the median, and how far the samples are apart.
function results.value(result, version)
	local value = result.values[version];
	if not value then return "–"; end
	local text = show(value.median, result.digits);
	if result.unit and result.unit ~= "×" then
		text = text .. " " .. result.unit;
	end
	if #value.samples > 1 then
		text = string.format("%s (%s–%s)", text, show(value.low or value.min, result.digits), show(value.high or value.max, result.digits));
	end
	return text;
end

-- Whether the bar is met: "yes", "no", or on what it is; "" where there is none.
function results.met(result, versions)
	if not result.limit then return ""; end
	local met, judged = {}, 0;
	for _, version in ipairs(versions) do
		local value = result.values[version];
		if value and value.met ~= nil then
			judged = judged + 1;
			if value.met then table.insert(met, version); end
		end
	end
	if judged == 0 then return "–"; end
	if #met == judged then return "yes"; end
	return #met == 0 and "no" or "only " .. table.concat(met, ", ");
end

return results;
