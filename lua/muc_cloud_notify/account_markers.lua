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
-- This file is MIT/X11 licensed.

local new_id = require "util.id".medium; -- COMPAT 0.12: no prosody.* names

local store_name = "muc_cloud_notify_accounts";

local function new()
	local stores = {}; -- host -> its store of markers

	local function read(store, host, username)
		local stored, err = store:get(username);
		if not stored and err then
			module:log("debug", "Reading a marker of an account of %s: %s", host, err);
			error("the store "..store_name.." cannot be read", 0);
		end
		local id = stored and stored.id;
		return type(id) == "string" and id or nil;
	end

	local function write(store, host, username, id)
		local ok, err = store:set(username, { id = id });
		if not ok then
			module:log("debug", "Writing a marker of an account of %s: %s", host, err);
			error("the store "..store_name.." cannot be written", 0);
		end
		return id;
	end

	local function open(host)
		stores[host] = stores[host] or module:context(host):open_store(store_name);
		return stores[host];
	end

	-- What there is of a user: { host; id }, which is nil where it was never written. Raises an error where that cannot be said.
	local function find(username, host)
		return { host = host, id = read(open(host), host, username) };
	end

	-- The id of the store; nil where it was never written. It is looked up when it matters, which is rarely. Raises an error where
	-- that cannot be said. found: as from find()
	local function store_id_of(found)
		if not found.store_id then found.store_id = read(open(found.host), found.host, nil); end
		return found.store_id;
	end

	-- Gives a user a marker. found: as from find(). Raises an error where it cannot be stored.
	local function add(username, host, found)
		local store = open(host);
		found.store_id = store_id_of(found) or write(store, host, nil, new_id());
		found.id = write(store, host, username, found.store_id.."."..new_id());
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
