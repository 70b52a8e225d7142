-- What was measured, in the order in which it is shown.

local measure = require "bench.process";

local figures = {};

local figures_methods = {};
local figures_mt = { __index = figures_methods };

-- options: sizes, versions, start_room; is_quick: the bars are not for these sizes
function figures.new(options)
	return setmetatable({
		by_id = {};
		is_quick = options.is_quick;
		list = {};
		sizes = options.sizes;
		start_room = options.start_room;
		versions = options.versions;
	}, figures_mt);
end

-- 12345 -> 12,345
function figures.number(value)
	local text = string.format("%d", value):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "");
	return text;
end

figures_methods.number = figures.number;

local function quartiles(samples)
	local list = table.move(samples, 1, #samples, 1, {});
	table.sort(list);
	return list[math.max(1, #list // 4)], list[math.max(1, (3 * #list + 3) // 4)];
end

-- From now on figures are of this version of Prosody.
function figures_methods:set_version(version)
	self.version = version;
end

local function add(self, figure, versions)
	local known = self.by_id[figure.id];
	if not known then
		known = { id = figure.id, size = figure.size, text = figure.text, unit = figure.unit, digits = figure.digits, limit = figure.limit,
			strict = figure.strict, common = #versions > 1 or nil, values = {} };
		self.by_id[figure.id] = known;
		table.insert(self.list, known);
	end
	local samples = figure.samples;
	local median, low, high = measure.summary(samples);
	local value = { median = median, min = low, max = high, samples = samples };
	if figure.spread == "quartiles" then -- of so many samples some always are far off
		value.low, value.high = quartiles(samples);
	end
	if figure.limit and not self.is_quick then
		value.met = median < figure.limit or not figure.strict and median == figure.limit;
	end
	for _, version in ipairs(versions) do
		known.values[version] = value;
	end
end

-- figure: id, text, unit, digits; samples; limit, the bar, which must not be exceeded, nor reached when it is strict;
-- spread = "quartiles" to show these instead of the least and the greatest
function figures_methods:add(figure)
	add(self, figure, { self.version });
end

-- A figure that does not depend on Prosody.
function figures_methods:add_common(figure)
	add(self, figure, self.versions);
end

-- The bar as text; "" where there is none.
function figures.bar(figure)
	if not figure.limit then return ""; end
	if figure.limit == 0 then return "0"; end
	local limit = string.format(figure.limit % 1 == 0 and "%d" or "%g", figure.limit);
	return string.format("%s %s%s", figure.strict and "<" or "≤", limit, figure.unit == "×" and "" or " " .. (figure.unit or ""));
end

local function show(value, digits)
	if value == math.huge or value ~= value then return "?"; end
	if digits == 0 then
		local rounded = math.floor(math.abs(value) + 0.5);
		return (value < 0 and rounded > 0 and "-" or "") .. figures.number(rounded);
	end
	return string.format("%." .. digits .. "f", value);
end

-- A value as text: the median, and how far the samples are apart.
function figures.value(figure, version)
	local value = figure.values[version];
	if not value then return "–"; end
	local text = show(value.median, figure.digits);
	if figure.unit and figure.unit ~= "×" then
		text = text .. " " .. figure.unit;
	end
	if #value.samples > 1 then
		text = string.format("%s (%s–%s)", text, show(value.low or value.min, figure.digits), show(value.high or value.max, figure.digits));
	end
	return text;
end

-- Whether the bar is met: "yes", "no", or on what it is; "" where there is none.
function figures.met(figure, versions)
	if not figure.limit then return ""; end
	local met, judged = {}, 0;
	for _, version in ipairs(versions) do
		local value = figure.values[version];
		if value and value.met ~= nil then
			judged = judged + 1;
			if value.met then table.insert(met, version); end
		end
	end
	if judged == 0 then return "–"; end
	if #met == judged then return "yes"; end
	return #met == 0 and "no" or "only " .. table.concat(met, ", ");
end

return figures;
