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

local contract = part "muc_cloud_notify/engine_types".contract;
local entry_point = "luaopen_muc_cloud_notify";
local lua_version = _VERSION:match("5%.%d+");

-- When a turn has failed, what is due is still due. Not at once: what fails now will fail then.
local seconds_after_failure = 2;

-- As in engine_types.lua, in its order.
local facts = {
	"set_registrations", "establish", "set_suspended", "begin_members", "add_members", "end_members", "set_occupants";
	"forget_room", "forget_rooms", "room_destroyed";
	"affiliation_changed", "occupant_present", "occupant_gone", "handle_message", "handle_bounce", "handle_ping";
	"handle_result", "handle_error", "handle_send_failure", "withdraw", "suppress", "handle_timeout", "spread";
	"prepare_restore", "restore", "batch_stored", "batch_failed";
};
local others = {
	"prepare_enable", "prepare_disable", "without_registration", "poll_batch", "finish_batch", "poll_push", "begin_lease_check", "next_aged_devices", "next_deadline";
	"addressee", "summary", "push_details", "is_wanted", "is_registered", "coverage", "absent_members", "stats", "awaited_room";
	"plan_snapshot", "next_part";
};

-- Where the library may be. By absolute path: LuaRocks' libraries are not on package.cpath in Prosody 0.12 and 13.0, and a
-- library of the same name elsewhere must not be taken for ours.
local function candidates()
	local paths = {};
	local configured = module:get_option("muc_cloud_notify_library");
	if configured then
		-- An operator who names a library wants that one and no other.
		return { tostring(configured) };
	end
	local directory = module:get_directory();
	if directory then
		table.insert(paths, directory.."/muc_cloud_notify.so");
	end
	local installer = prosody.paths and prosody.paths.installer;
	if installer then
		table.insert(paths, installer.."/lib/lua/"..lua_version.."/muc_cloud_notify.so");
	end
	for template in package.cpath:gmatch("[^;]+") do
		if template:find("?", 1, true) then
			table.insert(paths, (template:gsub("%?", "muc_cloud_notify")));
		end
	end
	return paths;
end

local function exists(path)
	local file = io.open(path, "rb");
	if file then file:close(); end
	return file ~= nil;
end

local function load_from(path)
	local open, err, failed = package.loadlib(path, entry_point);
	if open then
		return open();
	end
	-- Lua's own symbols are missing, not our entry point.
	if failed == "open" and err:find("undefined symbol: lua", 1, true) then
		return nil, ("The library %s was built for another version of Lua than %s, which this Prosody runs on. Run 'make build LUA_VERSION=%s' in the"
			.." module's source directory, then restart Prosody."):format(path, lua_version, lua_version);
	end
	return nil, ("The library %s cannot be loaded: %s. Run 'make build' in the module's source directory, then restart Prosody."):format(path, err);
end

-- Returns the library's table, or nil and what to do about it.
---@return native? native
---@return string? err
local function load_library()
	local paths = candidates();
	for _, path in ipairs(paths) do
		if exists(path) then
			local native, err = load_from(path);
			if not native then
				return nil, err;
			elseif native.contract ~= contract then
				return nil, ("The library %s has contract %s, but the Lua files need contract %d. Run 'make build' in the module's source directory,"
					.." then restart Prosody: a reload does not replace the library."):format(path, native.contract or "none", contract);
			end
			return native;
		end
	end
	return nil, ("The library muc_cloud_notify.so is missing. Run 'make build' in the module's source directory. Looked for: %s")
		:format(table.concat(paths, ", "));
end

-- An engine as the other parts see it.
---@class driven_engine: engine
---@field on_event fun(self, type: string, handler: fun(event: table)) sets what is done with the events of a type
---@field on_due fun(self, turn: fun(): boolean) sets what is done when the timer runs: it returns whether it could be done

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
	local timer, due; -- never later than the next deadline; it may be earlier
	local is_in_turn = false;
	local on_timer;

	local function set_timer(time, reason)
		if due and due <= time then return; end
		if timer then timer:stop(); end
		local seconds = math.max(0, time - monotonic());
		module:log("debug", "Next turn in %.3f s: %s", seconds, reason);
		due = time;
		timer = module:add_timer(seconds, on_timer);
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

	function driven:on_due(func) -- luacheck: ignore 212/self
		turn = func;
	end

	return driven, is_new;
end

return { load = load_library, open = open, facts = facts, others = others };
