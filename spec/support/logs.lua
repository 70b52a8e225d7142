-- What Prosody's log says.

local logs = {};

-- Calls a function with the level and the text of each entry of a log. An entry may have many lines.
local function each_entry(log, func)
	local level, lines;
	for line in log:gmatch("[^\n]+") do
		local next_level = line:match("^%a+ %d+ [%d:]+ [^\t]+\t(%l+)\t");
		if not next_level then
			if lines then table.insert(lines, line); end
		else
			if lines then func(level, table.concat(lines, "\n")); end
			level, lines = next_level, { line };
		end
	end
	if lines then func(level, table.concat(lines, "\n")); end
end

-- The entries of a log that are not for debugging, level by level.
function logs.entries(log)
	local entries = { info = {}, warn = {}, error = {} };
	each_entry(log, function (level, text)
		if entries[level] then table.insert(entries[level], text); end
	end);
	return entries;
end

-- The last warnings and errors of a log, so many at most, each in one line: its time, who says it, and what.
function logs.complaints(log, most)
	local list = {};
	each_entry(log, function (level, text)
		if level ~= "warn" and level ~= "error" then return; end
		table.insert(list, (text:gsub("^%a+ %d+ ", ""):gsub("\t", " "):gsub("\n%s*", " | ")));
	end);
	return table.move(list, math.max(1, #list - most + 1), #list, 1, {});
end

return logs;
