-- Commands of the shell.

local shell = {};

-- Returns the output of a command without the end of its last line, and raises it as an error if the command fails.
function shell.run(command)
	local pipe = io.popen(command.." 2>&1");
	local output = pipe:read("a");
	assert(pipe:close(), output);
	return (output:gsub("%s+$", ""));
end

return shell;
