-- Keeps the engine's snapshot from a clean stop to the next start.
--
-- This file is MIT/X11 licensed.

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local function new(engine)
	local store = module:open_store(module.name.."_outbox");

	-- Returns the rooms in which something is unread, nil where nothing is stored.
	local function restore()
		local snapshot, err = store:get(nil);
		local ok, result = true, nil;
		if snapshot then
			ok, result = pcall(engine.restore, engine, snapshot, monotonic());
		end
		if err or not ok then
			-- The details may quote what is stored, which is nothing for the log.
			module:log("debug", "Reading the outbox: %s", tostring(err or result));
			error("it cannot be read", 0);
		end
		return result;
	end

	local function clear()
		store:set(nil, nil);
	end

	local function save()
		local snapshot = engine:snapshot(monotonic());
		local has_state = snapshot.devices[1] or snapshot.nicknames or snapshot.domains;
		local ok, err = store:set(nil, has_state and snapshot or nil);
		if not ok then
			module:log("error", "The outbox cannot be stored: %s", err);
		end
	end

	return { restore = restore, clear = clear, save = save };
end

return { new = new };
