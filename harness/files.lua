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

-- Whoever reads it meanwhile, such as a server, finds what was there before or all of the text.
function files.write(path, text)
	local file = assert(io.open(path .. ".new", "wb"));
	assert(file:write(text));
	assert(file:close());
	assert(os.rename(path .. ".new", path));
end

return files;
