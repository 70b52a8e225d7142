-- The library that is missing or does not fit: the log says exactly that, and what mends it.

local lfs = require "lfs";
local st = require "util.stanza";

local files = require "harness.files";
local prosody = require "harness.prosody";
local muc_service = require "spec.support.muc_service";

local library = prosody.root .. "/muc_cloud_notify.so";
local contract = require "lua.muc_cloud_notify.engine_types".contract;
local other_contract = 999;

local function run(command)
	assert(os.execute(command), command);
end

local folder;

-- A library of C: what a library looks like that is not ours.
local function compile(name, source)
	files.write(folder .. "/" .. name .. ".c", source);
	run(string.format("cc -shared -fPIC -o '%s/%s.so' '%s/%s.c'", folder, name, folder, name));
end

-- A copy of the module's Lua files, which need another contract.
local function copy_module()
	local target = folder .. "/modules";
	assert(lfs.mkdir(target));
	run(string.format("cp -R '%s/mod_muc_cloud_notify.lua' '%s/lua' '%s'", prosody.root, prosody.root, target));
	local path = target .. "/lua/muc_cloud_notify/engine_types.lua";
	local text, count = assert(files.read(path)):gsub("(contract = )%d+", "%1" .. other_contract);
	assert(count == 1);
	files.write(path, text);
	return target;
end

-- What a library holds of the machine on which it was built: of the folders of whoever built it, and of the registry from which
-- other crates came.
local function traces(path)
	local text, found = assert(files.read(path)), {};
	local folders = { prosody.root, os.getenv("HOME") or "/home/", os.getenv("CARGO_HOME") or ".cargo" };
	for i, name in ipairs(folders) do folders[i] = name:gsub("/*$", "/"); end
	for _, name in ipairs { folders[1], folders[2], folders[3], "/registry/", "/.rustup/" } do
		if text:find(name, 1, true) then table.insert(found, name); end
	end
	return found;
end

describe("library", function ()
	lazy_setup(function ()
		local command = assert(io.popen("mktemp -d", "r"));
		folder = command:read("*l");
		command:close();
		compile("other_lua", [[
			extern void lua_newuserdata_of_another_lua(void);
			int luaopen_muc_cloud_notify(void *L) { (void)L; lua_newuserdata_of_another_lua(); return 0; }
		]]);
		compile("other_module", "int luaopen_something_else(void *L) { (void)L; return 0; }\n");
		files.write(folder .. "/text.so", "This is no library.\n");
		copy_module();
	end);

	lazy_teardown(function ()
		prosody.close_all();
		if folder then
			run(string.format("rm -r '%s'", folder));
		end
	end);

	it("holds no path of the machine on which it was built", function ()
		assert.same({}, traces(library));
		assert.same({}, traces(prosody.root .. "/web_push_app_server.so"));
		local faulty = prosody.root .. "/.test/faults/muc_cloud_notify.so";
		assert.truthy(#traces(faulty) > 0, "a library that is built in another way does");
	end);

	it("has the contract that the Lua files need", function ()
		local native = assert(package.loadlib(library, "luaopen_muc_cloud_notify"))();
		assert.equal(contract, native.contract);
		assert.is_not.equal(other_contract, contract);
	end);

	for _, version in ipairs(prosody.versions) do
		describe("on Prosody " .. version, function ()
			local server, muc;

			local cases = {
				{ host = "missing.localhost", file = "missing.so", text = "The library muc_cloud_notify.so is missing. Run 'make build'" };
				{ host = "other-lua.localhost", file = "other_lua.so", text = "was built for another version of Lua than 5.4",
					text_too = "make build LUA_VERSION=5.4" };
				{ host = "other-module.localhost", file = "other_module.so", text = "cannot be loaded", text_too = "luaopen_muc_cloud_notify" };
				{ host = "text.localhost", file = "text.so", text = "cannot be loaded", text_too = "Run 'make build'" };
			};

			lazy_setup(function ()
				local mucs = {};
				for _, case in ipairs(cases) do
					mucs[case.host] = { modules_enabled = { "muc_cloud_notify" }, muc_cloud_notify_library = folder .. "/" .. case.file };
				end
				server, muc = muc_service.start(version, {
					muc = {
						modules_enabled = { "muc_cloud_notify" };
						muc_cloud_notify_library = library;
						muc_push_default = "always";
						muc_room_default_persistent = true;
					};
					mucs = mucs;
				});
			end);

			lazy_teardown(prosody.close_all);

			local function assert_absent(host)
				assert.equal("error", (server:admin("return prosody.hosts[...].modules.muc_cloud_notify.module:get_status()", host)));
				assert.equal("error", muc.bob:enable({ jid = "push.localhost", node = "n1", to = host }).attr.type);
				local reply = muc.bob:iq(st.stanza("iq", { type = "get", to = host })
					:tag("query", { xmlns = "http://jabber.org/protocol/disco#info" }):reset());
				assert.equal("result", reply.attr.type);
				assert.is_nil(tostring(reply):find("urn:xmpp:push:0", 1, true));
			end

			for _, case in ipairs(cases) do
				it("says what is wrong at " .. case.host, function ()
					local errors = muc:errors_at(case.host);
					assert.equal(1, #errors);
					for _, text in ipairs { case.text, case.text_too or "make build", "Run 'make build", folder .. "/" .. case.file } do
						assert.truthy(errors[1]:find(text, 1, true), errors[1]);
					end
					assert.equal(case.file == "other_lua.so", errors[1]:find("another version of Lua", 1, true) ~= nil, errors[1]);
					assert_absent(case.host);
					-- Rooms are as if there were no such module.
					local room = muc:new_room({}, case.host);
					muc.bob:say(room, "still here");
					muc.bob:expect { name = "message", body = "still here", from = room .. "/bob" };
				end);
			end

			it("works where it fits", function ()
				assert.same({}, muc:errors_at(server.muc_host));
				local user, room = muc:new_member();
				assert.equal("result", user:enable({ jid = "push.localhost", node = "n1" }).attr.type);
				assert.same({ "n1" }, (muc:pushed(room)));
			end);

			it("says which contract it has when the Lua files need another, or that there is none beside them", function ()
				local module_folder = folder .. "/modules";
				server:close();
				server = prosody.start {
					version = version;
					components = { "users.localhost", "push.localhost" };
					global = { plugin_paths = { module_folder, prosody.root .. "/harness/modules" } };
					muc = { modules_enabled = { "muc_cloud_notify" }, muc_cloud_notify_library = library };
					mucs = { ["alone.localhost"] = { modules_enabled = { "muc_cloud_notify" } } };
				};
				muc = muc_service.new(server);
				local errors = muc:errors_at(server.muc_host);
				assert.equal(1, #errors);
				for _, text in ipairs { library, "has contract " .. contract, "the Lua files need contract " .. other_contract,
					"Run 'make build'", "restart Prosody" } do
					assert.truthy(errors[1]:find(text, 1, true), errors[1]);
				end
				assert_absent(server.muc_host);

				errors = muc:errors_at("alone.localhost");
				assert.equal(1, #errors);
				assert.truthy(errors[1]:find("is missing", 1, true), errors[1]);
				assert.truthy(errors[1]:find(module_folder .. "/muc_cloud_notify.so", 1, true), errors[1]);
				assert_absent("alone.localhost");
			end);
		end);
	end
end);
