-- What Prosody's log says.

local logs = {};

-- The entries of a log that are not for debugging, level by level. An entry may have many lines.
function logs.entries(log)
	local entries, last = { info = {}, warn = {}, error = {} }, nil;
	for line in log:gmatch("[^\n]+") do
		local level = line:match("^%a+ %d+ [%d:]+ [^\t]+\t(%l+)\t");
		if level then
			last = entries[level];
			if last then table.insert(last, line); end
		elseif last then
			last[#last] = last[#last] .. "\n" .. line;
		end
	end
	return entries;
end

return logs;
