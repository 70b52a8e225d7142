-- Sends what the engine hands out, in turns of the event loop, and takes in the answers.
--
-- An app server may live in this very Prosody: then it is called inside module:send, and its answer, or its
-- error, comes back before that returns. So nothing is sent from inside a room's event, and the engine is
-- never held while something is sent.
--
-- This file is MIT/X11 licensed.

local part = ...;

local clone = require "util.stanza".clone; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;
local monotonic = require "util.time".monotonic;

local guard = part "shared/guard";
local publish = part "muc_cloud_notify/publish";

local host, hosts = module.host, prosody.hosts;

-- The clock is looked at after so many.
local pushes_at_once = 5;
local values_per_push = 3;
local seconds_after_failure = 2;

-- Whether an app server is a module of this Prosody, and so is handed the stanza itself.
local function is_in_process(app_server)
	local app_server_host = hosts[jid_host(app_server)];
	return app_server_host ~= nil and not app_server_host.modules.component;
end

-- engine: the engine; extension: the events for other modules; seconds_per_turn: how long the other users of
-- the event loop are kept waiting at most; on_disabled(device): called for a device that the engine has
-- disabled
local function open(engine, extension, seconds_per_turn, on_disabled)
	local timer, due;
	local wake;

	local find_addressee, forget_addressee = publish.keep_addressees(engine);
	local find_items = publish.keep_items();

	-- Sends pushes, as they come from engine:turn().
	local function send(pushes, summaries, events)
		local items, own = {}, {};
		local place = 1;
		local app_server;
		-- Who sees a stanza may answer it by a disable, or by something else that changes who is to be pushed to.
		local may_have_changed = false;

		local function send_one(first)
			local id, device, summary = pushes[first], pushes[first + 1], pushes[first + 2];
			app_server = nil;
			if may_have_changed then forget_addressee(device); end
			local to = find_addressee(device);
			if not to or may_have_changed and not engine:is_wanted(id) then
				engine:withdraw(id, false);
				return;
			end
			app_server = to.app_server;
			if own[app_server] == nil then
				own[app_server] = is_in_process(app_server);
			end
			if not items[summary] then
				items[summary] = find_items(summaries[summary]);
			end
			local stanza = publish.iq(id, host, to, items[summary]);
			if events or own[app_server] then
				may_have_changed = true;
				-- Who may change a stanza, another module or an app server in this process, gets one of its own.
				stanza = clone(stanza);
			end
			if events then
				local fields = {};
				for name, value in pairs(summaries[summary]) do fields[name] = value; end
				local may_push, is_stopped = extension.may_push(stanza, to.user, fields, events[(first - 1) // values_per_push + 1]);
				if not may_push or not engine:is_wanted(id) then
					engine:withdraw(id, is_stopped);
					return;
				end
			end
			module:log("debug", "Pushing to %s through %s", to.user, app_server);
			module:send(stanza);
		end

		local function send_rest()
			while place <= #pushes do
				local first = place;
				place = first + values_per_push;
				send_one(first);
			end
		end

		local function what()
			return "send a push to "..(app_server or "a device");
		end

		local function sending_failed()
			local disabled = engine:sending_failed(pushes[place - values_per_push], monotonic());
			if disabled then
				on_disabled(disabled);
			end
		end

		-- One guard for all of them; where one fails, the rest goes on.
		while not guard.attempt(what, send_rest) do
			guard.attempt("take note of a push that was not sent", sending_failed);
		end
	end

	local function turn()
		local started = monotonic();
		repeat
			local pushes, summaries, disabled, changed, events = engine:turn(monotonic(), pushes_at_once, extension.is_listening());
			for _, device in ipairs(disabled) do
				on_disabled(device);
			end
			for _, device in ipairs(changed) do
				forget_addressee(device);
			end
			send(pushes, summaries, events);
		until #pushes == 0 or monotonic() - started > seconds_per_turn;
	end

	local function on_timer()
		timer, due = nil, nil;
		if not (guard.attempt("push what is due", turn) and guard.attempt("plan the next pushes", wake)) and not timer then
			-- What is due is still due. Not at once: what fails now will fail then.
			due = monotonic() + seconds_after_failure;
			timer = module:add_timer(seconds_after_failure, on_timer);
		end
	end

	-- Sees to it that there is a turn when the engine wants one.
	function wake()
		local next_turn = engine:next_turn();
		if not next_turn or due and due <= next_turn then return; end
		if timer then timer:stop(); end
		due = next_turn;
		timer = module:add_timer(math.max(0, next_turn - monotonic()), on_timer);
	end

	module:hook("iq/host", guard.answer("take in the answer of an app server", function (event)
		local stanza = event.stanza;
		local id, from, kind = stanza.attr.id, stanza.attr.from, stanza.attr.type;
		if kind ~= "result" and kind ~= "error" or not id or not from then return; end
		local error_type, condition;
		if kind == "error" then
			error_type, condition = stanza:get_error();
		end
		local expected, disabled = engine:reply(id, from, kind == "error", error_type, condition, monotonic());
		if not expected then return; end
		if kind == "error" then
			module:log("debug", "App server %s answered with an error: %s/%s", from, error_type, condition);
		end
		if disabled then
			on_disabled(disabled);
		end
		wake();
		return true;
	end), 10);

	-- Another module wants all devices of a user to be woken, without a message.
	module:hook("cloud-notify-ping", guard.watch("push without a message", function (event)
		if engine:ping(event.user) > 0 then
			wake();
		end
	end));

	return { wake = wake };
end

return { open = open };
