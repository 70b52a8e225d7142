-- Finds and loads a library that is written in Rust.
--
-- This file is MIT/X11 licensed.

local lua_version = _VERSION:match("5%.%d+");

-- Where the library may be. By absolute path: LuaRocks' libraries are not on package.cpath in Prosody 0.12 and 13.0, and a
-- library of the same name elsewhere must not be taken for ours.
local function candidates(name)
	local paths = {};
	local configured = module:get_option(name.."_library");
	if configured then
		-- An operator who names a library wants that one and no other.
		return { tostring(configured) };
	end
	local directory = module:get_directory();
	if directory then
		table.insert(paths, directory.."/"..name..".so");
	end
	local installer = prosody.paths and prosody.paths.installer;
	if installer then
		table.insert(paths, installer.."/lib/lua/"..lua_version.."/"..name..".so");
	end
	for template in package.cpath:gmatch("[^;]+") do
		if template:find("?", 1, true) then
			table.insert(paths, (template:gsub("%?", name)));
		end
	end
	return paths;
end

local function exists(path)
	local file = io.open(path, "rb");
	if file then file:close(); end
	return file ~= nil;
end

local function load_from(path, name)
	local open, err, failed = package.loadlib(path, "luaopen_"..name);
	if open then
		return open();
	end
	-- Lua's own symbols are missing, not our entry point.
	if failed == "open" and err:find("undefined symbol: lua", 1, true) then
		return nil, ("The library %s was built for another version of Lua than %s, which this Prosody runs on. Run 'make build LUA_VERSION=%s' in the"
			.." module's source directory, then restart Prosody."):format(path, lua_version, lua_version);
	end
	return nil, ("The library %s cannot be loaded: %s. Run 'make build' in the module's source directory, then restart Prosody."):format(path, err);
end

-- Loads the library of this name. contract: the number that it has to have in common with the Lua files. Returns the library's
-- table, or nil and what to do about it.
local function load(name, contract)
	local paths = candidates(name);
	for _, path in ipairs(paths) do
		if exists(path) then
			local library, err = load_from(path, name);
			if not library then
				return nil, err;
			elseif library.contract ~= contract then
				return nil, ("The library %s has contract %s, but the Lua files need contract %d. Run 'make build' in the module's source directory,"
					.." then restart Prosody: a reload does not replace the library."):format(path, library.contract or "none", contract);
			end
			return library;
		end
	end
	return nil, ("The library %s.so is missing. Run 'make build' in the module's source directory. Looked for: %s")
		:format(name, table.concat(paths, ", "));
end

return { load = load };
