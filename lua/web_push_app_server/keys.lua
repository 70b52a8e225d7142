-- The keys of this app server, in Prosody's store.
--
-- Invariant: new keys are made where there are none, and only there. With other keys all browsers would have to subscribe again:
-- what cannot be read is not taken for none.
--
-- This file is MIT/X11 licensed.

-- Returns the keys, or nil and what is wrong.
---@param library push_library
---@return push_keys? keys
---@return string? err
local function load_or_make(library)
	local store = module:open_store("web_push_keys");
	local keys, err = store:get(nil);
	if keys then return keys; end
	if err then return nil, "the keys cannot be read: "..tostring(err); end
	keys = library.new_keys();
	local ok;
	ok, err = store:set(nil, keys);
	if not ok then return nil, "the keys cannot be stored: "..tostring(err); end
	module:log("info", "Made new keys for this app server");
	return keys;
end

return { load_or_make = load_or_make };
