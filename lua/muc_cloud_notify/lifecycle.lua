-- What is done between the load of the module and its end: the registrations are loaded, what the last run has left is
-- taken up, and a clean stop stores what is still to be pushed.
--
-- The engine outlives a reload of the module, with all that is in flight; a new engine has to be filled. Whichever end
-- comes, what has been begun is finished first, so that the engine is complete for what follows.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

-- How long a stop waits for what has happened in large rooms to come to all of their members.
local seconds_to_spread = 0.5;

-- parts: { native; engine; is_new = whether the engine has to be filled; muc = the environment of mod_muc; tasks; room_sync;
-- registrations; leases; outbox_store }
local function start(parts)
	local native, engine, is_new, muc = parts.native, parts.engine, parts.is_new, parts.muc;
	local tasks, room_sync, registrations, outbox_store = parts.tasks, parts.room_sync, parts.registrations, parts.outbox_store;

	local is_loaded, has_begun, is_reload = not is_new, false, false;
	local loading; -- the task

	-- Nothing of a room is pushed before it is read: by now a member may be present, or be no member any more.
	local function read_restored(room_jids)
		for _, room_jid in ipairs(room_jids) do
			local is_read = guard.attempt("read the room "..room_jid, function ()
				room_sync.read_now(assert(muc.get_room_from_jid(room_jid), "there is no such room any more"));
			end);
			if not is_read then
				engine:room_destroyed(room_jid);
			end
		end
		outbox_store.clear();
	end

	local function on_loaded()
		if not is_loaded then
			-- The next reload gets a new engine, and what the last run has left is still there for it.
			native.close(module.host);
			return;
		end
		local ok, room_jids = true, nil;
		if is_new then
			ok, room_jids = guard.attempt("take up the outbox of the last run", outbox_store.restore);
		end
		room_sync.registrations_loaded(muc.live_rooms());
		guard.attempt("begin to look at the leases", parts.leases.start);
		if ok and room_jids then
			guard.attempt("take up the outbox of the last run", read_restored, room_jids);
		end
	end

	local function begin()
		if has_begun then return; end
		has_begun = true;
		if is_new then
			loading = tasks.start("load the registrations", function (pause)
				is_loaded = registrations.load_all(pause);
			end, on_loaded);
		else
			on_loaded();
			tasks.later("list the registered users", registrations.list, function () end);
		end
	end

	local function finish()
		begin();
		if loading then tasks.finish(loading); end
		room_sync.finish();
	end

	local function spread()
		local deadline = monotonic() + seconds_to_spread;
		while engine:spread() do
			if monotonic() > deadline then
				module:log("warn", "%d message(s) have not come to all members of their rooms", engine:stats().spreading);
				return;
			end
		end
	end

	local function save_outbox()
		finish();
		if is_loaded then
			spread();
			outbox_store.save();
		end
	end

	function module.save()
		is_reload = true;
		guard.attempt("finish what was begun", finish);
		return {};
	end

	function module.unload()
		if is_reload then return; end
		guard.attempt("store the outbox", save_outbox);
		native.close(module.host);
	end

	-- After mod_muc has saved its rooms.
	module:hook_global("server-stopping", guard.watch("store the outbox", save_outbox), -310);

	-- Rooms may have changed while the module was not there.
	engine:forget_rooms();

	-- Once the server is up: nobody waits for it, rooms are restored, and other modules may want to see that.
	module:add_timer(0, guard.watch("begin", begin));
end

return { start = start };
