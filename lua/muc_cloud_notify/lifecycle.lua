-- What is done between the load of the module and its end: the registrations are loaded, what the last run has left is
-- taken up, and a clean stop stores what is still to be pushed and is not stored yet. None of it keeps the server waiting for long.
--
-- The engine outlives a reload of the module, with all that is in flight; a new engine has to be filled. Until it is, messages
-- are held, in the store too, and what the last run has left stays there as it is.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local growing_pause = part "shared/growing_pause";
local guard = part "shared/guard";
local timers = part "shared/timers";
local local_hosts = part "muc_cloud_notify/local_hosts";

-- How long a stop waits for what has happened in large rooms to come to all of their members.
local seconds_to_spread = 0.2;

-- For how long a stop reads rooms in which messages are held, and takes devices that were given up out of the store.
local seconds_to_read, seconds_to_remove = 0.2, 0.2;

-- When the registrations are tried again that could not be loaded for another reason than the store.
local seconds_after_failure = 30;

-- Pauses, in seconds, while the registrations cannot be listed after a host was activated.
local first_pause, longest_pause = 1, 600;

-- The same while no room can be read.
local first_room_pause, longest_room_pause = 0.5, 30;

-- Without a journal, what the last run has left is needed until it is told: a server that is killed before that is to find it
-- again. It is looked at every `seconds_between_looks` whether it has left, for a minute: after that an app server is to blame, and what is
-- stored says less and less.
local seconds_between_looks = 0.02;
local seconds_to_tell = 60;

-- parts: { native; engine; standby; is_new = whether the engine has to be filled; live_rooms; tasks; room_sync; registrations; blocklists;
-- loading; awaited_accounts; account_devices; leases; early_facts; forwarding; outbox_store; held_store }
local function start(parts)
	local native, engine, is_new, live_rooms = parts.native, parts.engine, parts.is_new, parts.live_rooms;
	local standby = parts.standby;
	local tasks, room_sync, loading, outbox_store = parts.tasks, parts.room_sync, parts.loading, parts.outbox_store;
	local early_facts, forwarding, held_store = parts.early_facts, parts.forwarding, parts.held_store;

	local are_registered = not is_new; -- whether the registrations are loaded
	local is_loaded, is_filled, is_reload = not is_new, not is_new, false; -- the accounts, too; all that was stored
	local handed_over; -- by the module before a reload
	local seconds_to_wait; -- until more can be loaded, or the rest of what the last run has left can be read; nil while that is being done

	-- The next room where something waits since the last run. Nothing of it is pushed before the room is read: by now a
	-- member may be present, or be no member any more. Of a room that is gone, or that cannot be read though others can, nothing is. Also
	-- returns whether no room can be read at the moment.
	local function next_awaited(pause, last)
		local room_jid = engine:awaited_room();
		while room_jid do
			local room, is_store_failing;
			if room_jid ~= last then
				room, is_store_failing = live_rooms.find_or_restore(room_jid, pause);
			end
			if is_store_failing then return nil, true; end
			if room then return room, false; end
			module:log("debug", "Nothing is told of the room %s any more: it is gone, or cannot be read", room_jid);
			engine:room_destroyed(room_jid);
			pause(true);
			room_jid = engine:awaited_room();
		end
		return nil, false;
	end

	local function clear_when_told()
		if not outbox_store.clear then return; end
		local time_is_up = monotonic() + seconds_to_tell;
		local function look()
			local _, reason = engine:next_deadline();
			if reason == "push waiting" and monotonic() < time_is_up then
				timers.add(seconds_between_looks, guard.watch("look whether the outbox of the last run is told", look));
			else
				tasks.start("clear the outbox of the last run", outbox_store.clear, function () end);
			end
		end
		look();
	end

	local room_pauses = growing_pause.new(first_room_pause, longest_room_pause);

	local function read_awaited()
		local last, is_store_failing;
		room_sync.read_each("restore a room where something waits", function (pause)
			local room;
			room, is_store_failing = next_awaited(pause, last);
			last = room and room.jid;
			if room then room_pauses.reset(); end
			return room;
		end, function ()
			if not is_store_failing then return clear_when_told(); end
			if room_pauses.is_first() then
				module:log("error", "Rooms cannot be read in which something waits since the last run: it is told once they can be");
			end
			timers.add(room_pauses.take(), guard.watch("restore the rooms where something waits", read_awaited));
		end);
	end

	-- first: those that are read before the others
	local function read_live(first)
		local place, next_room = 0, live_rooms.each();
		room_sync.read_each("read the live rooms", function (pause)
			local room;
			repeat
				pause();
				place = place + 1;
				room = first[place] or next_room();
			until not room or live_rooms.find(room.jid) == room and engine:coverage(room.jid) ~= "complete";
			return room;
		end, function () end);
	end

	-- What cannot be read now is read later.
	local function take_up(pause)
		local ok, seconds = guard.attempt("take up the outbox of the last run", outbox_store.restore, pause);
		seconds_to_wait = ok and seconds or nil;
		if seconds_to_wait then return; end
		guard.attempt("read what users have blocked", parts.blocklists.read_all, pause);
		early_facts.tell(pause);
		outbox_store.begin();
		is_filled = true;
	end

	local function on_filled()
		-- What has waited for this is due now.
		guard.attempt("plan the first pushes", engine.handle_timeout, engine, monotonic());
		local rooms = room_sync.registrations_loaded();
		held_store.filled();
		read_awaited();
		read_live(rooms);
		guard.attempt("begin to look at the leases", parts.leases.start);
	end

	local function fill(pause)
		if not is_loaded then
			seconds_to_wait = seconds_after_failure; -- if this fails
			seconds_to_wait = held_store.restore(pause);
			if seconds_to_wait then return; end
			seconds_to_wait = seconds_after_failure;
			if not are_registered then
				seconds_to_wait = loading.go_on(pause);
				if seconds_to_wait then return; end
				are_registered = true;
			end
			seconds_to_wait = seconds_after_failure;
			seconds_to_wait = parts.account_devices.load(pause);
			if seconds_to_wait then return; end
			is_loaded = true;
		end
		seconds_to_wait = seconds_after_failure;
		take_up(pause);
	end

	-- begin: how a task is begun, tasks.start or tasks.later
	local function begin_to_fill(begin)
		begin("load the registrations", fill, function ()
			if is_filled then return on_filled(); end
			timers.add(seconds_to_wait, guard.watch("go on loading the registrations", function () begin_to_fill(tasks.later); end));
		end);
	end

	-- Before a host is there nothing can be said of its accounts.
	local function load_host(host, pauses)
		pauses = pauses or growing_pause.new(first_pause, longest_pause);
		local is_loaded_now = false;
		tasks.later("load the registrations of a host", function (pause) is_loaded_now = loading.load_host(host, pause); end, function ()
			if not is_loaded_now then timers.add(pauses.take(), function () load_host(host, pauses); end); end
		end);
	end

	local function begin()
		local_hosts.watch_new(function (host) load_host(host); end);
		if is_new then
			begin_to_fill(tasks.start);
		else
			outbox_store.begin(handed_over);
			on_filled();
			parts.account_devices.load_again();
			tasks.later("list the registered users", loading.find_keys, function () end);
			tasks.later("read what users have blocked", parts.blocklists.read_all, function () end);
		end
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
		if standby.is_serving() then
			parts.registrations.finish(monotonic() + seconds_to_remove);
		end
		room_sync.finish(is_filled and monotonic() + seconds_to_read or 0);
		if is_filled and standby.is_serving() then
			spread();
			outbox_store.save();
		end
	end

	local function finish_forwarding()
		guard.attempt("take note of what was forwarded", forwarding.finish);
	end

	local function save_held()
		held_store.stop();
		local lost = room_sync.held.count_lost();
		if lost > 0 then
			module:log("warn", "%d message(s) are not told: to know to whom would take too long", lost);
		end
	end

	local function stop()
		guard.attempt("store the outbox", save_outbox);
		guard.attempt("store what is held", save_held);
		guard.attempt("say that this process does not serve any more", standby.give_up);
	end

	function module.save()
		is_reload = true;
		if standby.is_over() then
			native.close(module.host); -- nothing that this one knows counts any more
			return {};
		end
		if standby.is_serving() then
			parts.registrations.finish(monotonic() + seconds_to_remove);
		end
		if not is_filled then
			native.close(module.host); -- the one that follows is filled from the start
		end
		return {
			held = room_sync.held.hand_over(), held_store = held_store.hand_over(), early = early_facts.hand_over(), tenure = standby.hand_over();
			unreadable = is_filled and loading.hand_over() or {}, awaited_accounts = is_filled and parts.awaited_accounts.hand_over() or {};
			outbox = is_filled and outbox_store.hand_over() or nil;
			forwarded = is_filled and forwarding.list_sent() or {};
		};
	end

	function module.restore(saved)
		handed_over = saved and saved.outbox;
		guard.attempt("take over the messages that are held", function ()
			room_sync.held.take_over(saved and saved.held or {});
			held_store.take_over(saved and saved.held_store);
		end);
		if saved and saved.early then early_facts.take_over(saved.early); end
		standby.take_over(saved and saved.tenure);
		loading.take_over(saved and saved.unreadable or {});
		parts.awaited_accounts.take_over(saved and saved.awaited_accounts or {});
		forwarding.take_over(saved and saved.forwarded or {});
	end

	function module.unload()
		if not is_reload then
			finish_forwarding();
			stop();
			native.close(module.host);
		end
		timers.stop_all();
	end

	-- Before mod_s2s closes the links: what seems to be lost with them would be forwarded again.
	module:hook_global("server-stopping", finish_forwarding, -190);

	-- After mod_muc has saved its rooms.
	module:hook_global("server-stopping", stop, -310);

	-- Rooms may have changed while the module was not there.
	engine:forget_rooms();

	-- Another process served at that time: what was said here before is not for this one to push.
	local function on_other_serving(time)
		local messages = room_sync.forget_held_before(time);
		if messages > 0 then module:log("debug", "What was said before is not pushed from here: %d message(s)", messages); end
	end

	-- Once the server is up: nobody waits for it, rooms are restored, and other modules may want to see that.
	timers.add(0, guard.watch("begin", function () standby.start(begin, on_other_serving); end));
end

return { start = start };
