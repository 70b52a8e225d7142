-- Tells an account of this server from an earlier one of the same name, whatever process has deleted and made it.
--
-- Each account with a device has a marker, a random id, in a store of ours on the account's own host, and its registrations
-- say which. With an account Prosody removes all that the stores of its host hold of the user, whichever process does it and
-- whichever stores it has opened (storagemanager.purge, at the end of usermanager.delete_user): so a marker that is not there
-- any more is that of an account which is gone.
--
-- Unless the store as a whole is not there any more, as after a move to another storage that has left it behind: then nothing
-- follows from it. So the store has an id of its own, which is kept under no user, and with which each marker begins.
--
-- Nothing follows from a marker that is there and cannot be read either, nor is it written anew: it may be that of another account.
--
-- This file is MIT/X11 licensed.

local part = ...;

local new_id = require "util.id".medium; -- COMPAT 0.12: no prosody.* names

local uninterrupted = part "shared/uninterrupted";
local host_stores = part "muc_cloud_notify/host_stores";

local store_name = "muc_cloud_notify_accounts";

-- How many markers are looked at for the id of their store, where that is lost.
local looked_at = 10;

local function new()
	local stores = host_stores.new(store_name);

	-- username: nil for the id of the store
	local function read(username, host)
		local stored = stores.get(username, host);
		if not stored then return nil; end
		local id = type(stored) == "table" and stored.id;
		if type(id) ~= "string" then
			error("the record of "..(username or host).." in the store "..store_name.." is no marker: "..host_stores.advice, 0);
		end
		return id;
	end

	local function write(username, host, id)
		local store = stores.open(host);
		local ok, err = uninterrupted(store.set, store, username, { id = id });
		if not ok then
			module:log("debug", "Writing a marker of an account of %s: %s", host, err);
			error("the store "..store_name.." cannot be written", 0);
		end
		return id;
	end

	-- What there is of a user: { host; id }, which is nil where it was never written. Raises an error where that cannot be said.
	local function find(username, host)
		return { host = host, id = read(username, host) };
	end

	-- The id of the store; nil where it was never written. It is looked up when it matters, which is rarely. Raises an error where
	-- that cannot be said. found: as from find()
	local function store_id_of(found)
		if not found.store_id then found.store_id = read(nil, found.host); end
		return found.store_id;
	end

	-- The id of a store whose record of it is empty, as each marker begins with it; nil where there is none. With another one, no account
	-- that had a marker before would be noticed to be gone.
	local function find_lost_store_id(host)
		local store = stores.open(host);
		if not store.users then return nil; end
		local count = 0;
		for username in store:users() do
			local ok, id = pcall(read, username, host);
			local store_id = ok and id and id:match("^(.+)%.[^.]+$");
			count = count + 1;
			if store_id or count == looked_at then return store_id or nil; end
		end
		return nil;
	end

	-- Gives a user a marker. found: as from find(). Raises an error where it cannot be stored.
	local function add(username, host, found)
		found.store_id = store_id_of(found) or write(nil, host, find_lost_store_id(host) or new_id());
		found.id = write(username, host, found.store_id.."."..new_id());
	end

	-- Whether the marker of a registration is that of an earlier account. Raises an error where that cannot be said. found: as from
	-- find()
	local function is_former(found, id)
		if type(id) ~= "string" or id == found.id then return false; end
		local store_id = store_id_of(found);
		return store_id ~= nil and id:sub(1, #store_id + 1) == store_id..".";
	end

	return { find = find, store_id_of = store_id_of, add = add, is_former = is_former };
end

return { new = new };
