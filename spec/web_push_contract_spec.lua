-- The contract between the Lua files of mod_web_push_app_server and its library: its number stands for one text, and the library
-- keeps to that.

local prosody = require "harness.prosody";
local browser = require "spec.support.web_push".browser;
local contracts = require "spec.support.contract";

local contract = contracts.read("lua/web_push_app_server/library_types.lua", "crate/web_push_module/src/lib.rs");

-- The current number, and the SHA-256 digest of the text without the number.
local current = 1;
local digest = "e1600cc7a5ffcdcfd3211f8368b9ea66dddf1d5a26c5fbf6035866a50e49ddeb";

describe("contract of web_push_app_server", function ()
	local library, app_server;

	lazy_setup(function ()
		library = assert(package.loadlib(prosody.root .. "/web_push_app_server.so", "luaopen_web_push_app_server"))();
		app_server = library.open(library.new_keys(), {
			services = { "push.example.net" }, contact = "mailto:admin@example.com", content = "full", time_to_live = 60;
		});
	end);

	it("has another number for another text", function ()
		assert.same({ current, digest }, { contract.number, contract.digest }, contract.advice);
	end);

	it("has the same number in the library", function ()
		assert.equal(contract.number, library.contract, contract.advice);
	end);

	it("has all functions of the library, and no others", function ()
		assert.same(contract:declared("push_library"), contracts.functions_of(library), contract.advice);
		assert.same(contract:declared("push_app_server"), contracts.functions_of(debug.getmetatable(app_server).__index), contract.advice);
	end);

	it("raises an error for what is of the wrong type", function ()
		local node, secret = app_server:subscribe("https://push.example.net/1", browser.p256dh, browser.auth);
		local found = assert(app_server:find(node, secret));
		local keys, options = library.new_keys(), { services = {}, contact = "", content = "full", time_to_live = 0 };
		for what, call in pairs {
			["a table for a text"] = function () return app_server:subscribe_json({}); end;
			["no arguments"] = function () return app_server:subscribe(); end;
			["a number for a subscription"] = function () return app_server:request(1, { service = "x" }, 0); end;
			["an app server for a subscription"] = function () return app_server:request(app_server, { service = "x" }, 0); end;
			["a text for a notification"] = function () return app_server:request(found, "x", 0); end;
			["a negative count"] = function () return app_server:request(found, { service = "x", count = -1 }, 0); end;
			["a count that is none"] = function () return app_server:request(found, { service = "x", count = 1.5 }, 0); end;
			["another content"] = function () return library.open(keys, { services = {}, contact = "", content = "x", time_to_live = 0 }); end;
			["no services"] = function () return library.open(keys, { contact = "", content = "full", time_to_live = 0 }); end;
			["no keys"] = function () return library.open(nil, options); end;
		} do
			local ok, err = pcall(call);
			assert.is_false(ok, what);
			assert.truthy(#tostring(err) > 0);
		end
		-- It still works.
		local url, headers, body = app_server:request(found, { service = "x", count = 2^32 - 1 }, 1e9);
		assert.same({ "https://push.example.net/1", "60", 359 }, { url, headers.TTL, #body });
	end);

	it("takes keys that are none for none", function ()
		local keys = library.new_keys();
		local options = { services = {}, contact = "", content = "full", time_to_live = 0 };
		for _, wrong in ipairs { {}, { vapid = keys.vapid }, { vapid = "x", node = keys.node }, { vapid = keys.vapid, node = "" } } do
			local opened, err = library.open(wrong, options);
			assert.is_nil(opened);
			assert.matches("key", err);
		end
		assert.truthy(library.open(keys, options));
	end);

	it("makes no two requests alike", function ()
		local found = app_server:find(app_server:subscribe("https://push.example.net/1", browser.p256dh, browser.auth));
		local function body() return (select(3, app_server:request(found, { service = "x" }, 1e9))); end
		local one, other = body(), body();
		assert.not_equal(one:sub(1, 16), other:sub(1, 16)); -- the salt
		assert.not_equal(one:sub(22, 86), other:sub(22, 86)); -- the key
	end);
end);
