-- Loads the engine, a library written in Rust, by its absolute path.
--
-- LuaRocks' libraries are not on package.cpath in Prosody 0.12 and 13.0, and a library of the same name
-- elsewhere must not be taken for ours.
--
-- load() returns the library's table (its contract is in crate/module/src/engine.rs), or nil and what to do about it.
--
-- This file is MIT/X11 licensed.

local expected_version = "0.1.0"; -- as in Cargo.toml; a spec compares the two
local entry_point = "luaopen_muc_cloud_notify";
local lua_version = _VERSION:match("5%.%d+");

local function candidates()
	local paths = {};
	local configured = module:get_option("muc_cloud_notify_library");
	if configured then
		-- Who names a library wants that one and no other.
		return { tostring(configured) };
	end
	local directory = module:get_directory();
	if directory then
		table.insert(paths, directory.."/muc_cloud_notify.so");
	end
	local installer = prosody.paths and prosody.paths.installer;
	if installer then
		table.insert(paths, installer.."/lib/lua/"..lua_version.."/muc_cloud_notify.so");
	end
	for template in package.cpath:gmatch("[^;]+") do
		if template:find("?", 1, true) then
			table.insert(paths, (template:gsub("%?", "muc_cloud_notify")));
		end
	end
	return paths;
end

local function exists(path)
	local file = io.open(path, "rb");
	if file then file:close(); end
	return file ~= nil;
end

local function load_library(path)
	local open, err, failed = package.loadlib(path, entry_point);
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

local function load_native()
	local paths = candidates();
	for _, path in ipairs(paths) do
		if exists(path) then
			local native, err = load_library(path);
			if not native then
				return nil, err;
			elseif native.version ~= expected_version then
				return nil, ("The library %s is version %s, but the Lua files are version %s. Run 'make build' in the module's source directory, then"
					.." restart Prosody: a reload does not replace the library."):format(path, native.version, expected_version);
			end
			return native;
		end
	end
	return nil, ("The library muc_cloud_notify.so is missing. Run 'make build' in the module's source directory. Looked for: %s")
		:format(table.concat(paths, ", "));
end

return { load = load_native };
