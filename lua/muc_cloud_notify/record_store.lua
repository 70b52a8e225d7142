-- The records of users in Prosody's storage: under the bare JID, or, where that is too long, under a key made from it.
--
-- Internal storage makes a file name of the key, in which each byte that is no letter of ASCII and no digit takes three. A
-- file name may have 255 bytes, which is less than a JID may take: the record of a long one stands under its hash, with the
-- JID beside it. No JID looks like such a key: none has a space before its resource.
--
-- Other storages may hold a record under a long JID, as earlier versions of this module have stored it: there it stays.
-- Which they are is known once the keys have been listed.
--
-- Invariant: a record that cannot be read is never taken for none. Internal storage says of an empty file that there is
-- nothing: so the keys that were listed are remembered until their records were read.
--
-- What was read or written just now is not read again: clients may enable several nodes in a row, and a store may be slow.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local jid_prep = require "util.jid".prep;
local sha256 = require "util.hashes".sha256;

local brief_cache = part "shared/brief_cache";
local large_set = part "shared/large_set";
local uninterrupted = part "shared/uninterrupted";

local longest_file_name = 255 - #".dat~"; -- "~": while it is written
local prefix = "sha-256 ";

local records_kept = 100;

local advice = "restore it from a backup, or remove it, see \"Records that cannot be read\" in docs/operators.md";

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

local function copy(value)
	if type(value) ~= "table" then return value; end
	local copied = setmetatable({}, getmetatable(value));
	for key, field in pairs(value) do copied[key] = copy(field); end
	return copied;
end

-- standby: see standby.lua; only a process that serves writes
local function new(standby)
	local store = module:open_store();
	local is_listed = false; -- whether all of long_keys are known
	local long_keys = {}; -- long JID -> true, where it is a key
	local expected = large_set.new(); -- keys that were listed, and whose records were not read since
	local empty = {}; -- those of them of which the store says that there is nothing -> true
	local kept = brief_cache.new(records_kept); -- key -> { record }, which is nil for none
	local readable_key; -- one that could be read

	-- Also returns whether it is a hash.
	local function key_of(user)
		if not is_long(user) or long_keys[user] then return user, false; end
		if not is_listed then error("it is not known yet where the record of a long name is", 0); end
		return prefix..sha256(user, true), true;
	end

	-- What is stored under a key, nil for nothing; raises an error where the store cannot tell, or something is there that is no
	-- record.
	local function read(key)
		local stored, err = store:get(key);
		if stored == nil and err then
			-- The details may quote what is stored, which is nothing for the log.
			module:log("debug", "Reading the registrations of %s: %s", key, err);
			error("the store cannot be read", 0);
		elseif stored == nil and expected.has(key) then
			empty[key] = true;
			error("the record of "..key.." is there, but empty: "..advice, 0);
		elseif stored ~= nil and type(stored) ~= "table" then
			error("the record of "..key.." is no table: "..advice, 0);
		end
		expected.remove(key);
		if stored then readable_key = key; end
		return stored;
	end

	local function record_in(stored, is_hash, key)
		if not stored or not is_hash then return stored; end
		if type(stored.user) ~= "string" or type(stored.record) ~= "table" then
			error("the record of "..key.." is none of this module's: "..advice, 0);
		end
		return stored.record;
	end

	local function keep(key, record)
		kept.set(key, { record = copy(record) });
	end

	-- The record of a user, or nil; raises an error where the store cannot tell.
	local function get(user)
		local key, is_hash = key_of(user);
		local before = kept.get(key);
		if before then return copy(before.record); end
		local record = record_in(read(key), is_hash, key);
		if record then prepare_app_servers(record); end
		keep(key, record);
		return record;
	end

	-- record: nil for none
	local function set(user, record)
		if not standby.may_store() then error("another process serves this domain", 0); end
		local key, is_hash = key_of(user);
		kept.forget(key);
		local ok, err = uninterrupted(store.set, store, key, record and is_hash and { user = user, record = record } or record);
		if not ok then
			module:log("debug", "Writing the registrations of %s: %s", user, err);
			error("the store cannot be written", 0);
		end
		expected.remove(key);
		keep(key, record);
	end

	-- From now on, and until it is read or written, the record under this key is known to be there.
	local expect = expected.add;

	-- Lists the keys. Raises an error where that fails, also in the middle.
	-- with_key: called with each of them
	local function list(pause, with_key)
		local keys = {};
		if store.users then
			for key in store:users() do
				if is_long(key) then long_keys[key] = true; end
				table.insert(keys, key);
				if with_key then with_key(key); end
				pause(true);
			end
		end
		is_listed = true;
		return keys;
	end

	-- Finds out which of the records that were empty are not there any more. Raises an error where the keys cannot be listed.
	local function find_removed(pause)
		if not next(empty) then return; end
		local is_there = {};
		for _, key in ipairs(list(pause)) do is_there[key] = true; end
		for key in pairs(empty) do
			if not is_there[key] then expected.remove(key); end
		end
		empty = {};
	end

	-- The user whose record stands under a key, and the record; nil where there is none any more. Raises an error where the
	-- store cannot tell.
	local function get_by_key(key)
		local stored = read(key);
		local is_hash = key:sub(1, #prefix) == prefix;
		local record = record_in(stored, is_hash, key);
		return is_hash and stored and stored.user or not is_hash and key or nil, record and prepare_app_servers(record);
	end

	-- The user whose record stands under a key; nil where only the record says that.
	local function user_of(key)
		return key:sub(1, #prefix) ~= prefix and key or nil;
	end

	-- Whether the record under a key may be that of a user of a host.
	local function may_be_of(key, host)
		return key:sub(1, #prefix) == prefix or jid_host(key) == host;
	end

	-- Whether the store as a whole can be read, as far as one look says.
	local function is_readable()
		local ok, stored, err = pcall(store.get, store, readable_key);
		return ok and (stored ~= nil or not err);
	end

	return {
		get = get, set = set, list = list, expect = expect, find_removed = find_removed, get_by_key = get_by_key, user_of = user_of;
		may_be_of = may_be_of, is_readable = is_readable, can_list = store.users ~= nil;
	};
end

return { new = new };
