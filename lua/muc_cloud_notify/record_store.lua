-- The records of users in Prosody's storage: under the bare JID, or, where that is too long, under a key made from it.
--
-- Internal storage makes a file name of the key, in which each byte that is no letter of ASCII and no digit takes three. A
-- file name may have 255 bytes, which is less than a JID may take: the record of a long one stands under its hash, with the
-- JID beside it. No JID looks like such a key: none has a space before its resource.
--
-- Other storages may hold a record under a long JID, as earlier versions of this module have stored it: there it stays.
-- Which they are is known once the keys have been listed.
--
-- This file is MIT/X11 licensed.

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local jid_prep = require "util.jid".prep;
local sha256 = require "util.hashes".sha256;

local longest_file_name = 255 - #".dat~"; -- "~": while it is written
local prefix = "sha-256 ";

local function is_long(user)
	local _, others = user:gsub("%W", "");
	return #user + 2 * others > longest_file_name;
end

-- App servers are compared by their addresses as Prosody prepares them, not as somebody has written them once.
local function prepare_app_servers(record)
	for _, registration in pairs(record) do
		local app_server = type(registration) == "table" and registration.jid;
		if type(app_server) == "string" then
			registration.jid = jid_prep(app_server) or app_server;
		end
	end
	return record;
end

local function new()
	local store = module:open_store();
	local is_listed = false; -- whether all of long_keys are known
	local long_keys = {}; -- long JID -> true, where it is a key

	-- Also returns whether it is a hash.
	local function key_of(user)
		if not is_long(user) or long_keys[user] then return user, false; end
		if not is_listed then error("it is not known yet where the record of a long name is", 0); end
		return prefix..sha256(user, true), true;
	end

	local function read(key)
		local stored, err = store:get(key);
		if not stored and err then
			-- The details may quote what is stored, which is nothing for the log.
			module:log("debug", "Reading the registrations of %s: %s", key, err);
			error("the store cannot be read", 0);
		end
		return stored;
	end

	-- The record of a user, or nil; raises an error where the store cannot tell.
	local function get(user)
		local key, is_hash = key_of(user);
		local record = read(key);
		if record and is_hash then record = record.record; end
		return record and prepare_app_servers(record);
	end

	-- record: nil for none
	local function set(user, record)
		local key, is_hash = key_of(user);
		local ok, err = store:set(key, record and is_hash and { user = user, record = record } or record);
		if not ok then
			module:log("debug", "Writing the registrations of %s: %s", user, err);
			error("the store cannot be written", 0);
		end
	end

	-- Calls with_key(key) for each key.
	local function each_key(with_key)
		if store.users then
			for key in store:users() do
				if is_long(key) then long_keys[key] = true; end
				with_key(key);
			end
		end
		is_listed = true;
	end

	-- The user whose record stands under a key, and the record; nil where there is none any more.
	local function get_by_key(key)
		local user, record = key, read(key);
		if record and key:sub(1, #prefix) == prefix then
			user, record = record.user, record.record;
		end
		return user, record and prepare_app_servers(record);
	end

	-- Whether the record under a key may be that of a user of a host.
	local function may_be_of(key, host)
		return key:sub(1, #prefix) == prefix or jid_host(key) == host;
	end

	return {
		get = get, set = set, each_key = each_key, get_by_key = get_by_key, may_be_of = may_be_of, can_list = store.users ~= nil;
	};
end

return { new = new };
