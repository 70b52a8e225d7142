-- Loads the parts of a module: the Lua files under lua/ in the module's own folder, each of them once.
--
-- module:require would search all plugin paths, and in each of them for names that end in .lib.lua first: a file of
-- another checkout, or of another project, could be taken for ours. A part is found by its absolute path alone.
--
-- A part sees the globals of the module that loads it, gets part() as its argument, and returns a table.
--
-- Invariant: loading a part changes nothing. It hooks no event, reads no option, and holds no state that two users of
-- it would share; that is left to the constructors it returns. (The list of the module's timers is shared/timers' own.)
--
-- This file is MIT/X11 licensed.

local envloadfile = require "util.envload".envloadfile; -- COMPAT 0.12: no prosody.* names

local folder = module:get_directory().."/lua/";
local environment = module.environment;
local loaded = {};

-- name: the path below lua/ without its ending, such as "shared/guard". Raises an error where there is no such file.
local function part(name)
	if loaded[name] == nil then
		loaded[name] = assert(envloadfile(folder..name..".lua", environment))(part);
	end
	return loaded[name];
end

return part;
