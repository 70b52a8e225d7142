-- A storage driver that hands everything on to another one, and refuses it, takes its time or cannot list what there is, as a
-- spec says in `control`:
--
--   refuses     why nothing can be written, nil: it can
--   hides       why nothing can be read or listed, nil: it can
--   lists       whether it can list
--   seconds     how long each write takes
--   writes      of each write { name; start; finish }
--
-- Options: harness_storage, the other driver; harness_storage_lists, false where it cannot list at first; harness_storage_hides, what `hides` is at
-- first, empty for nothing

local storagemanager = require "core.storagemanager";
local now = require "util.time".now;
local sleep = require "socket".sleep;

local name = module:get_option_string("harness_storage", "internal");

control = { seconds = 0, writes = {}, lists = module:get_option_boolean("harness_storage_lists", true) };

local hides = module:get_option_string("harness_storage_hides", "");
if hides ~= "" then control.hides = hides; end

local driver = { name = "harness" };

function driver:open(store, kind) -- luacheck: ignore 212/self
	local inner, err = storagemanager.load_driver(module.host, name):open(store, kind);
	if not inner then return nil, err; end
	local methods = {};
	function methods.get(_, ...)
		if control.hides then return nil, control.hides; end
		return inner:get(...);
	end
	local function users(_, ...)
		if control.hides then error(control.hides); end
		return inner:users(...);
	end
	function methods.set(_, user, data)
		local start = now();
		sleep(control.seconds);
		local ok, reason = nil, control.refuses;
		if not reason then
			ok, reason = inner:set(user, data);
		end
		table.insert(control.writes, { name = user, is_removal = data == nil, start = start, finish = now() });
		return ok, reason;
	end
	return setmetatable(methods, { __index = function (_, method) return method == "users" and control.lists and inner.users and users or nil; end });
end

module:provides("storage", driver);
