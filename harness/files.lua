-- Whole files.

local files = {};

-- The text of a file; nil where it cannot be opened.
function files.read(path)
	local file = io.open(path, "rb");
	if not file then return nil; end
	local text = file:read("*a");
	file:close();
	return text;
end

function files.write(path, text)
	local file = assert(io.open(path, "wb"));
	assert(file:write(text));
	assert(file:close());
end

return files;
