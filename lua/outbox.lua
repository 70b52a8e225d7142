-- Sends what the engine hands out, in turns of the event loop, and takes in the answers.
--
-- An app server may live in this very Prosody: then it is called inside module:send, and its answer, or its
-- error, comes back before that returns. So nothing is sent from inside a room's event, and the engine is
-- never held while something is sent.
--
-- This file is MIT/X11 licensed.

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = module:require "lua/guard";

local pushes_at_once = 25;
local seconds_per_turn = 0.005;

-- engine: the engine; extension: the events for other modules; on_disabled(device): called for a device
-- that the engine has disabled
local function open(engine, extension, on_disabled)
	local timer, due;
	local wake;

	local function send(push)
		if push.push_info and not extension.may_push(push) then
			engine:withdraw(push.id);
			return;
		end
		module:log("debug", "Pushing to %s through %s", push.user, push.app_server);
		if not guard.attempt("send a push to "..push.app_server, module.send, module, push.stanza) then
			local disabled = engine:sending_failed(push.id, monotonic());
			if disabled then
				on_disabled(disabled);
			end
		end
	end

	local function turn()
		local started = monotonic();
		repeat
			local pushes, disabled = engine:turn(monotonic(), pushes_at_once, extension.is_listening());
			for _, device in ipairs(disabled) do
				on_disabled(device);
			end
			for _, push in ipairs(pushes) do
				guard.attempt("push to "..push.user, send, push);
			end
		until #pushes == 0 or monotonic() - started > seconds_per_turn;
	end

	local function on_timer()
		timer, due = nil, nil;
		if guard.attempt("push what is due", turn) then
			guard.attempt("plan the next pushes", wake);
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
		local error_type, condition = stanza:get_error();
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
