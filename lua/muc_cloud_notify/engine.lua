-- Loads the engine, a library written in Rust, and sees to what every call of it may entail. What can be asked of an
-- engine is in engine_types.lua.
--
-- Invariant: after every fact the engine's events are drained, and the timer is set from its next deadline. That happens
-- here and nowhere else.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local stanza_mt = require "util.stanza".stanza_mt;

local guard = part "shared/guard";
local library = part "shared/library";
local timers = part "shared/timers";

local contract = part "muc_cloud_notify/engine_types".contract;

-- When a turn has failed, what is due is still due. Not at once: what fails now will fail then.
local seconds_after_failure = 2;

-- How soon to look again where something is to be stored or pushed, but what the last run has left is not taken up yet.
local seconds_until_begin = 0.1;

local waits_for_begin = { ["batch due"] = true, ["push waiting"] = true };

-- As in engine_types.lua, in its order.
local facts = {
	"set_registrations", "await_registrations", "set_account", "await_accounts", "establish", "set_suspended", "set_blocked", "begin_members";
	"add_members", "end_members", "set_occupants", "forget_room", "forget_rooms", "room_destroyed";
	"affiliation_changed", "occupant_present", "occupant_gone", "handle_message", "handle_forgotten", "handle_bounce", "handle_ping";
	"handle_result", "handed_over", "put_off", "handle_error", "handle_ended", "handle_send_failure", "withdraw", "suppress", "set_publisher";
	"link_lost", "link_restored", "handle_timeout";
	"spread", "prepare_restore", "restore", "keep_words", "batch_stored", "batch_failed", "bequest_stored";
};
local others = {
	"prepare_enable", "prepare_disable", "without_registration", "admit_forwarding", "poll_batch", "finish_batch", "bequest", "poll_push";
	"presumed_account", "begin_lease_check", "next_aged_devices", "next_deadline";
	"addressee", "summary", "push_details", "push_words", "is_wanted", "is_registered", "is_important", "coverage", "absent_members", "stats";
	"awaited_room";
	"plan_snapshot", "next_part";
};

-- Returns the library's table, or nil and what to do about it.
---@return native? native
---@return string? err
local function load_library()
	return library.load("muc_cloud_notify", contract);
end

-- An engine as the other parts see it.
---@class driven_engine: engine
---@field on_event fun(self, type: string, handler: fun(event: table)) sets what is done with the events of a type
---@field on_due fun(self, turn: (fun(): boolean), has_begun: fun(): boolean) sets what is done when the timer runs: it returns whether
---it could be done; and what says whether batches of the journal are stored, and pushes sent, yet

-- Opens the engine of this MUC service. Before the first fact, on_event() is to be called for each type of event, and
-- on_due().
---@param native native
---@param options engine_options
---@return driven_engine engine
---@return boolean is_new whether nobody is registered yet
local function open(native, options)
	local engine, is_new = native.open(module.host, options, stanza_mt);
	local poll_event, next_deadline = engine.poll_event, engine.next_deadline;

	local handlers, turn = {}, nil;
	local function has_begun() return false; end -- until on_due() says so
	local timer, due; -- never later than the next deadline; it may be earlier
	local is_in_turn = false;
	local on_timer;

	local function set_timer(time, reason)
		if due and due <= time then return; end
		if timer then timers.stop(timer); end
		local seconds = math.max(0, time - monotonic());
		module:log("debug", "Next turn in %.3f s: %s", seconds, reason);
		due = time;
		timer = timers.add(seconds, on_timer);
	end

	local function drain_and_plan()
		local event = poll_event(engine);
		while event do
			handlers[event.type](event);
			event = poll_event(engine);
		end
		if is_in_turn then return; end -- which goes on as long as there is something to do, and plans after that
		local deadline, reason = next_deadline(engine);
		if deadline then
			if waits_for_begin[reason] and not has_begun() then
				deadline = math.max(deadline, monotonic() + seconds_until_begin);
			end
			set_timer(deadline, reason);
		end
	end

	local function plan_after_failure()
		set_timer(monotonic() + seconds_after_failure, "a failure");
	end

	function on_timer()
		timer, due = nil, nil;
		is_in_turn = true;
		local ok, is_done = guard.attempt("push what is due", turn);
		is_in_turn = false;
		if not (ok and is_done and guard.attempt("plan the next pushes", drain_and_plan)) then
			plan_after_failure();
		end
	end

	local function after_fact()
		local ok, err = pcall(drain_and_plan);
		if not ok then
			plan_after_failure();
			error(err, 0);
		end
	end

	local driven = {};

	for _, name in ipairs(facts) do
		local fact = engine[name];
		driven[name] = function (_, ...)
			local result = fact(engine, ...);
			after_fact();
			return result;
		end;
	end

	for _, name in ipairs(others) do
		local method = engine[name];
		driven[name] = function (_, ...)
			return method(engine, ...);
		end;
	end

	function driven:on_event(type, handler) -- luacheck: ignore 212/self
		handlers[type] = handler;
	end

	function driven:on_due(func, may_begin) -- luacheck: ignore 212/self
		turn, has_begun = func, may_begin;
	end

	return driven, is_new;
end

return { load = load_library, open = open, facts = facts, others = others };
