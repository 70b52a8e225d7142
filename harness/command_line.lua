-- Command lines for a shell.

local command_line = {};

local function shell_quote(text)
	return "'" .. text:gsub("'", "'\\''") .. "'";
end

-- The text that makes a shell run a program with these arguments, as they are.
function command_line.quote(arguments)
	local quoted = {};
	for i, argument in ipairs(arguments) do
		quoted[i] = shell_quote(argument);
	end
	return table.concat(quoted, " ");
end

-- The arguments that run a program in Lua, without the settings of this process.
function command_line.lua(arguments)
	local all = { "env", "-u", "LUA_PATH", "-u", "LUA_CPATH", "-u", "LUA_PATH_5_4", "-u", "LUA_CPATH_5_4", "-u", "LUA_INIT", "lua5.4" };
	return table.move(arguments, 1, #arguments, #all + 1, all);
end

return command_line;
