-- What a host with accounts keeps of its users in one of its stores. Invariant: what cannot be read is never taken for nothing.
--
-- Internal storage makes no fsync: what was written just before a power cut may be an empty file after it, of which it says that there is
-- nothing, as it does of one that was removed. So before that is believed, the storage is asked which stores have something of the user.
-- That costs a look into the folder of the host, or a query, and only where there seems to be nothing. A storage that cannot say so
-- (none that comes with Prosody) is believed at once.
--
-- This file is MIT/X11 licensed.

local advice = "restore it from a backup, or remove it, see \"Records that cannot be read\" in docs/operators.md";

-- store_name: on each of the hosts
local function new(store_name)
	local stores = {}; -- host -> its store

	local function open(host)
		stores[host] = stores[host] or module:context(host):open_store(store_name);
		return stores[host];
	end

	local function raise_unreadable(host, err)
		-- The details may quote what is stored, which is nothing for the log.
		module:log("debug", "Reading the store %s of %s: %s", store_name, host, tostring(err));
		error("the store "..store_name.." cannot be read", 0);
	end

	-- Whether the storage says that there is something of a user. Raises an error where it fails.
	local function is_listed(username, host)
		local driver = require "core.storagemanager".get_driver(host, store_name); -- COMPAT 0.12: no prosody.* names
		if not driver.stores then return false; end
		for name in driver:stores(username) do
			if name == store_name then return true; end
		end
		return false;
	end

	local function read(username, host)
		local stored, err = open(host):get(username);
		if not stored and err then raise_unreadable(host, err); end
		return stored;
	end

	-- What is stored of a user, nil for nothing. Raises an error where that cannot be said.
	-- username: nil for the host itself, of which an empty record is not told from none
	local function get(username, host)
		local stored = read(username, host);
		if stored or not username then return stored; end
		local ok, is_there = pcall(is_listed, username, host);
		if not ok then raise_unreadable(host, is_there); end
		if not is_there then return nil; end
		stored = read(username, host); -- it may have been written between the two
		if not stored then error("the record of "..username.." in the store "..store_name.." is there, but empty: "..advice, 0); end
		return stored;
	end

	return { open = open, get = get };
end

return { new = new, advice = advice };
