-- Files of other plugin paths are never taken for parts of these modules, whatever they are called: Prosody looks through all
-- plugin paths for what a module requires, and prefers "name.lib.lua" of any of them to "name.lua" of the module's own folder.

local files = require "harness.files";
local prosody = require "harness.prosody";
local muc_service = require "spec.support.muc_service";
local shell = require "spec.support.shell";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local modules = { "muc_cloud_notify", "muc_undelivered" };

-- What a part might be required as: as the files are called now, and some more names that they had or could have.
local function part_names()
	local names = {
		"guard", "lua/guard", "lua/shared/guard", "shared/guard", "lua/part", "lua/shared/part",
		"options", "lua/options", "lua/shared/options", "lua/muc_cloud_notify/options", "muc_cloud_notify/options",
		"archive", "lua/archive", "undelivered/archive", "lua/undelivered/archive", "lua/muc_undelivered/archive", "muc_undelivered/archive",
	};
	for path in shell.run(("cd '%s' && find lua -name '*.lua'"):format(prosody.root)):gmatch("[^\n]+") do
		table.insert(names, (path:gsub("%.lua$", "")));
	end
	return names;
end

-- Where Prosody looks in a plugin path for a file of one of the modules.
local function places()
	local found = { "" };
	for _, name in ipairs(modules) do
		table.insert(found, name.."/");
		table.insert(found, ("mod_%s/"):format(name));
		table.insert(found, ("mod_%s/%s/"):format(name, name));
	end
	return found;
end

-- Fills a folder with decoys, each of which writes its path into a file when it is loaded.
local function write_decoys(folder, notes)
	local paths, folders = {}, {};
	for _, place in ipairs(places()) do
		for _, name in ipairs(part_names()) do
			for _, extension in ipairs { ".lua", ".lib.lua" } do
				local path = folder.."/"..place..name..extension;
				table.insert(paths, path);
				table.insert(folders, "'"..path:match("^(.*)/").."'");
			end
		end
	end
	shell.run("mkdir -p "..table.concat(folders, " "));
	for _, path in ipairs(paths) do
		files.write(path, ([[
			local notes = assert(io.open(%q, "a"));
			notes:write(%q, "\n");
			notes:close();
			error("a decoy was loaded: %s");
		]]):format(notes, path, path));
	end
end

-- Where the modules are: in a checkout, and as `make install` puts them.
local layouts = {
	["a checkout"] = function ()
		return prosody.root, "/mod_%s.lua";
	end;
	["make install"] = function (folder)
		shell.run(("make -C '%s' install DESTDIR='%s/installed' PREFIX=/usr"):format(prosody.root, folder));
		return folder.."/installed/usr/lib/prosody/modules", "/mod_%s/mod_%s.lua";
	end;
};

for layout, prepare in pairs(layouts) do
	for _, order in ipairs { "before", "after" } do
		versions.describe(("the modules of %s, with decoys in a plugin path that is searched %s theirs,"):format(layout, order), function (version)
			local folder, decoys, notes, plugins, main_file, server, muc;

			lazy_setup(function ()
				folder = shell.run("mktemp -d");
				decoys, notes = folder.."/decoys", folder.."/notes";
				write_decoys(decoys, notes);
				plugins, main_file = prepare(folder);
				server, muc = muc_service.start(version, {
					muc = { modules_enabled = modules; muc_undelivered_messages = 0 };
					plugin_paths = order == "before" and { decoys, plugins } or { plugins, decoys };
				});
			end);

			lazy_teardown(function ()
				shell.run(("rm -r '%s'"):format(folder));
			end);

			after_each(function ()
				assert.is_nil(files.read(notes));
			end);

			it("are loaded", function ()
				for _, name in ipairs(modules) do
					local path = server:admin([[
						local name = ...;
						local loaded = prosody.hosts[module.host].modules[name];
						return loaded and loaded.module.path;
					]], name);
					assert.equal(plugins..main_file:gsub("%%s", name), path);
				end
				assert.log_is_clean(server);
			end);

			it("answer a registration, and push", function ()
				local ann, room = muc:new_ann();
				local id = muc.bob:say(room, "hello");
				muc.bob.component:sync();
				undelivered.bounce(ann, room.."/bob", id);
				assert.same({ "ann 1 New Message!" }, muc:take_pushes());
				ann:leave(room);
				assert.same({ "ann" }, muc:pushed(room));
				assert.log_is_clean(server);
			end);
		end);
	end
end

describe("a decoy", function ()
	local folder;

	setup(function ()
		folder = shell.run("mktemp -d");
		write_decoys(folder.."/decoys", folder.."/notes");
	end);

	teardown(function ()
		shell.run(("rm -r '%s'"):format(folder));
	end);

	versions.describe("is loaded by a module that requires a part by its name", function (version)
		for _, name in ipairs { "lua/options", "lua/shared/guard" } do
			it("such as "..name, function ()
				local server = prosody.start { version = version; plugin_paths = { folder.."/decoys" } };
				local ok, err = pcall(server.admin, server, "module:require(...)", name);
				assert.is_false(ok);
				assert.matches("a decoy was loaded", err, 1, true);
				assert.matches(folder.."/decoys/"..name..".lib.lua\n", assert(files.read(folder.."/notes")), 1, true);
				server:close();
			end);
		end
	end);
end);
