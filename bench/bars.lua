-- Which rows miss their bar, and whether that was known.

local results = require "bench.results";

local bars = {};

-- The name of a row, as it stands alone: one that begins with a dash goes with those before it.
local function titles(list)
	local by_id, title = {}, "";
	for _, result in ipairs(list) do
		local is_part = result.text:sub(1, #"–") == "–";
		if not is_part then title = result.text; end
		by_id[result.id] = is_part and title .. " " .. result.text or result.text;
	end
	return by_id;
end

-- measured: see bench.results; known: id -> why it is known to miss its bar, see bench.known_misses. Returns lists of what misses
-- it, { text, figure, bar, reason = nil: that was not known } for each row and version; and of the rows that are said to miss it and do
-- not, { text, reason }. A row that was not measured, or has no bar at this size, is in neither.
function bars.judge(measured, known)
	local missed, kept = {}, {};
	local title_of = titles(measured.list);
	for _, result in ipairs(measured.list) do
		local judged, misses = 0, 0;
		for _, version in ipairs(result.common and { measured.versions[1] } or measured.versions) do
			local value = result.values[version];
			if value and value.met ~= nil then judged = judged + 1; end
			if value and value.met == false then
				misses = misses + 1;
				table.insert(missed, {
					text = result.common and title_of[result.id] or string.format("Prosody %s: %s", version, title_of[result.id]);
					figure = results.value(result, version), bar = results.bar(result), reason = known[result.id];
				});
			end
		end
		if known[result.id] and judged > 0 and misses == 0 then
			table.insert(kept, { text = title_of[result.id], reason = known[result.id] });
		end
	end
	return missed, kept;
end

-- What is to be said of them, line by line; and how many were not known. named: the file that says which are
function bars.report(missed, kept, named)
	local lines, unknown = {}, 0;
	for _, row in ipairs(missed) do
		if not row.reason then unknown = unknown + 1; end
		table.insert(lines, string.format("%s: %s, %s, bar %s%s", row.reason and "Missed, as known" or "Missed", row.text, row.figure, row.bar,
			row.reason and " (" .. row.reason .. ")" or ""));
	end
	for _, row in ipairs(kept) do
		table.insert(lines, string.format("Met, though %s says that it is not: %s (%s)", named, row.text, row.reason));
	end
	return lines, unknown;
end

return bars;
