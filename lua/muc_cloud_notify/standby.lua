-- Standby: of several processes that have one MUC domain and one database, one serves, and the others wait until it is gone.
--
-- Who serves has the *tenure* of the domain, a record beside the registrations: which process it is, and a counter that it
-- raises every few seconds. One that finds a tenure waits. It takes over when the tenure was given up, which a clean stop
-- does; when its holder certainly is dead (see processes.lua); or when the counter has stood still for long enough, by the clock of the
-- one that waits: no clocks of two machines are compared. Only looks that succeed count: while the database is away, nobody
-- can raise the counter.
--
-- Stores have no operation that compares and sets. So whoever wants the tenure writes it, and reads it again a moment later:
-- who has written last has it. Only a Prosody that is started again, on the same machine and with the same data folder,
-- does not wait for that moment, but looks in the middle of it. So one that has written later has not begun by then.
--
-- Whoever serves reads the tenure each time before the counter is raised. If that fails for so long that somebody else may have taken
-- over, it is tried before anything else is pushed, every few seconds, and each time before anything is stored; where it is somebody
-- else's by then, this process stops serving at once. As long as the store cannot be read at all, it goes on with what it knows: nothing
-- that it writes would get there.
--
-- With a storage that is on one machine none of this is done.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local now = require "util.time".now;
local modulemanager = require "core.modulemanager";
local storagemanager = require "core.storagemanager";

local growing_pause = part "shared/growing_pause";
local guard = part "shared/guard";
local timers = part "shared/timers";
local uninterrupted = part "shared/uninterrupted";
local processes = part "muc_cloud_notify/processes";
local status = part "muc_cloud_notify/status";

local seconds_between_renewals = 5;
local seconds_between_looks = 1;
-- While the store cannot be read; that doubles with each look, up to `seconds_between_renewals`.
local seconds_after_failure = 0.25;

-- For how long a counter stands still before another process takes over.
local seconds_until_vacant = 15;
-- For how long after it has last raised the counter its holder does not ask whether that has happened.
local seconds_of_certainty = 10;
-- How long it takes until who has written last is known.
local seconds_to_settle = 1;

-- Requests that wait until it is known who serves.
local max_deferred = 1000;

-- Whether what is stored can be reached from several machines, as far as the configuration says.
local function is_shared(driver_name)
	local sql = module:get_option("sql");
	return driver_name == "sql" and type(sql) == "table" and sql.driver ~= nil and sql.driver ~= "SQLite3";
end

-- The store of the tenure: in the storage of the registrations, whatever is configured for other stores. Nil where there is no
-- standby. setting: see `muc_push_standby`
local function open_store(setting)
	local driver, driver_name = storagemanager.get_driver(module.host, module.name);
	if setting == false or driver_name == "null" or setting == "auto" and not is_shared(driver_name) then return nil; end
	local store, err = driver:open(module.name.."_standby", "keyval");
	if not store then
		module:log("error", "The storage %s cannot hold who serves %s (%s), so this process does not wait for others", driver_name, module.host, err);
	end
	return store;
end

-- setting: see `muc_push_standby`
local function new(setting)
	local store = open_store(setting);

	-- "undecided": it is not known yet; "waiting"; "serving"; "over": it has served, and never will again.
	local state = store and "undecided" or "serving";
	local this_process; -- from start() on: the server may become another process until then
	local confirmed, attempted = 0, 0; -- the counter that was certainly written, and the one that may have been
	local certain_until, certain_until_now = -math.huge, -math.huge; -- on the clocks of monotonic() and of now()
	local next_attempt = -math.huge; -- to raise the counter, where that has failed
	local is_failing = false;
	local seen; -- the tenure of another process: { id, counter, seconds = for how long it has been seen unchanged, at = until when; looked = when }
	local pauses = growing_pause.new(seconds_after_failure, seconds_between_renewals);
	local said; -- the last thing that was said of the state
	local deferred = {};
	local begin, note_other; -- see start()

	local function say(level, text)
		if said == text then return; end
		said = text;
		status.report(level, "%s", text);
	end

	-- Returns whether the store could be read, and the tenure, nil where there is none.
	local function read()
		local ok, record, err = pcall(store.get, store, nil);
		if not ok or not record and err then
			module:log("debug", "Reading who serves: %s", tostring(not ok and record or err));
			return false;
		end
		local tenure = type(record) == "table" and record.tenure;
		local is_valid = type(tenure) == "table" and type(tenure.id) == "string" and type(tenure.counter) == "number";
		return true, is_valid and tenure or nil;
	end

	-- One record with one field, which takes SQL the fewest statements. Returns whether it certainly was written.
	local function write(is_given_up)
		attempted = attempted + 1;
		local tenure = { counter = attempted, is_given_up = is_given_up or nil };
		for name, value in pairs(this_process) do tenure[name] = value; end
		local ok, is_written, err = pcall(store.set, store, nil, { tenure = tenure });
		if not ok or not is_written then
			module:log("debug", "Writing who serves: %s", tostring(not ok and is_written or err));
			return false;
		end
		confirmed = attempted;
		return true;
	end

	-- Also not ours: one that a copy of this process has written, as of a machine that was copied while it ran.
	local function is_ours(tenure)
		return tenure.id == this_process.id and tenure.counter >= confirmed and tenure.counter <= attempted;
	end

	local function answer_deferred(is_serving)
		local waiting = deferred;
		deferred = {};
		for _, func in ipairs(waiting) do func(is_serving); end
	end

	local function reload()
		guard.attempt("wait until another process is gone", function ()
			assert(modulemanager.reload(module.host, module.name));
		end);
	end

	-- Somebody else serves. What this process knows is of no use any more: the module starts anew, and waits.
	local function step_down(tenure)
		state = "over";
		say("error", ("%s serves %s now, as it was not heard of this one for more than %d s: this one stops, and waits. What it had yet to push is"
			.." pushed by the other one as far as it was stored"):format(processes.describe(tenure), module.host, seconds_until_vacant));
		timers.add(0, reload);
	end

	local function note_renewal(time, unix_time)
		certain_until, certain_until_now = time + seconds_of_certainty, unix_time + seconds_of_certainty;
		next_attempt = -math.huge;
		if is_failing then
			is_failing = false;
			module:log("info", "It can be stored again that this process serves %s", module.host);
		end
	end

	local function note_failure()
		if is_failing then return; end
		is_failing = true;
		module:log("warn", "It cannot be stored that this process serves %s: as long as that is so, it goes on, but another one that can take over will",
			module.host);
	end

	-- Raises the counter, where the tenure is still ours.
	local function renew()
		local time, unix_time = monotonic(), now();
		local is_read, tenure = read();
		if is_read and tenure and not is_ours(tenure) then
			step_down(tenure);
		elseif is_read and write() then
			note_renewal(time, unix_time);
		else
			next_attempt = monotonic() + seconds_between_renewals;
			note_failure();
		end
	end

	local function renew_regularly()
		if state ~= "serving" then return; end
		guard.attempt("say that this process serves", uninterrupted, renew);
		return seconds_between_renewals;
	end

	-- time: from when on, at the latest, nobody else has taken over
	local function serve(time)
		state, said = "serving", nil;
		note_renewal(time, now() - (monotonic() - time));
		timers.add(seconds_between_renewals, renew_regularly);
		guard.attempt("begin", begin);
		answer_deferred(true);
	end

	local look;

	-- Looks at once, and goes on with that until it is known who serves.
	local function look_regularly()
		local ok, seconds = guard.attempt("find out who serves", uninterrupted, look);
		if not ok then seconds = seconds_between_renewals; end
		if seconds then timers.add(seconds, look_regularly); end
	end

	local function wait(level, text)
		state = "waiting";
		say(level, text);
		answer_deferred(false);
	end

	-- That the counter stands still says nothing of the time that was.
	local function begin_to_see_anew()
		if seen then seen.seconds, seen.at = 0, nil; end
	end

	-- A moment after the tenure was written.
	local confirm = guard.watch("find out who serves", function ()
		if state == "over" then return; end
		local time = monotonic();
		local is_read, tenure = read();
		if is_read and tenure and is_ours(tenure) and uninterrupted(write) then
			serve(time);
		else
			begin_to_see_anew();
			look_regularly();
		end
	end);

	-- Takes a tenure that is vacant. time: when it was read; before: what it was, nil where there was none. Returns the seconds
	-- until the next look, nil where there is none to be.
	local function take(time, before)
		if not write() then
			begin_to_see_anew();
			return seconds_between_looks;
		end
		if before and processes.are_same_prosody(before, this_process) then
			serve(time);
			timers.add(seconds_to_settle / 2, function () renew_regularly(); end); -- once
			return nil;
		end
		state = "undecided";
		-- Who reads it before it is written must have written by the time that it is read again.
		local is_in_time = monotonic() - time < seconds_to_settle / 2;
		timers.add(is_in_time and seconds_to_settle or seconds_until_vacant, confirm);
		return nil;
	end

	-- Takes note of the tenure of another process, which may serve. Returns whether its counter has stood still for too long.
	local function is_vacant(time, tenure)
		local name = processes.describe(tenure);
		if not seen then
			seen = { seconds = 0 };
			wait("warn", ("%s served %s when it was last heard of, and may still do so: this one waits, for %d s if nothing more is heard of it")
				:format(name, module.host, seconds_until_vacant));
		elseif tenure.id ~= seen.id or tenure.counter ~= seen.counter then
			-- When it was raised is not known, but that this was since the last look.
			seen.seconds = 0;
			note_other(seen.looked);
			wait("warn", ("Another process serves %s: %s. This one waits until that is gone"):format(module.host, name));
		elseif seen.at then
			seen.seconds = seen.seconds + math.min(time - seen.at, 2 * seconds_between_looks);
		end
		seen.id, seen.counter, seen.at, seen.looked = tenure.id, tenure.counter, time, time;
		return seen.seconds >= seconds_until_vacant;
	end

	-- Looks who serves. Returns the seconds until the next look, nil where there is none to be.
	function look()
		if state == "over" then return nil; end
		local time = monotonic();
		local is_read, tenure = read();
		if not is_read then
			begin_to_see_anew();
			wait("error", status.store_cannot_be:format("read"));
			return pauses.take();
		end
		pauses.reset();
		if not tenure then return take(time, nil); end
		if tenure.is_given_up or processes.is_gone(tenure, this_process) then
			module:log(state == "waiting" and "info" or "debug", "%s, which served %s, has ended: this process takes over",
				processes.describe(tenure), module.host);
			return take(time, tenure);
		end
		if not is_vacant(time, tenure) then return seconds_between_looks; end
		module:log("warn", "It was not heard for %d s of %s, which served %s: this process takes over",
			seconds_until_vacant, processes.describe(tenure), module.host);
		seen = nil;
		return take(time, nil);
	end

	-- Calls on_turn() once this process is to serve, at once where there is no standby; and on_other(time) each time that it is seen
	-- that another one does: it did at that time, on the clock of monotonic(), and may not since.
	local function start(on_turn, on_other)
		begin, note_other = on_turn, on_other;
		if not store then
			begin();
		elseif state == "serving" then -- since before a reload
			timers.add(seconds_between_renewals, renew_regularly);
			begin();
		else
			this_process = processes.this();
			look_regularly();
		end
	end

	-- Returns whether this process serves. Where that is not certain any more, it is found out; again and again only if `is_urgent`.
	local function ask(is_urgent)
		if not store or state ~= "serving" then return state == "serving"; end
		local time = monotonic();
		-- The monotonic clock stands still while a virtual machine does.
		if (time > certain_until or now() > certain_until_now) and (is_urgent or time >= next_attempt) then
			guard.attempt("find out whether this process still serves", uninterrupted, renew);
		end
		return state == "serving";
	end

	local function is_serving()
		return ask(false);
	end

	-- Whether this process serves, before something is stored: what is written just when the store is back gets there, though another
	-- process may have taken over.
	local function may_store()
		return ask(true);
	end

	-- Calls func(is_serving), at once where it is known whether this process serves. Returns false where too many wait for that.
	local function when_decided(func)
		if state ~= "undecided" then
			func(is_serving());
		elseif #deferred < max_deferred then
			table.insert(deferred, func);
		else
			return false;
		end
		return true;
	end

	-- Gives the tenure up: all that was to be stored is.
	local function give_up()
		if not store or not this_process or state == "over" then return; end
		local is_read, tenure = read();
		state = "over";
		if is_read and tenure and is_ours(tenure) and not write(true) then
			module:log("warn", "It cannot be stored that this process does not serve %s any more, so another one waits for %d s",
				module.host, seconds_until_vacant);
		end
		answer_deferred(false);
	end

	-- For the module that follows this one after a reload. Returns nil where that starts anew.
	local function hand_over()
		answer_deferred(false);
		if not store or state ~= "serving" then return nil; end
		state = "over";
		return {
			process = this_process, confirmed = confirmed, attempted = attempted;
			certain_until = certain_until, certain_until_now = certain_until_now;
		};
	end

	local function take_over(handed)
		if not store or not handed then return; end
		state, this_process, confirmed, attempted = "serving", handed.process, handed.confirmed, handed.attempted;
		certain_until, certain_until_now = handed.certain_until, handed.certain_until_now;
	end

	-- Whether somebody else has taken over.
	local function is_over()
		return state == "over";
	end

	return {
		start = start, is_serving = is_serving, may_store = may_store, is_over = is_over, when_decided = when_decided, give_up = give_up;
		hand_over = hand_over, take_over = take_over;
	};
end

return { new = new };
