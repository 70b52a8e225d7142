-- Sends the pushes that the engine hands out, in turns of the event loop, and takes in the answers (XEP-0357, section 7).
--
-- An app server may live in this very Prosody: then it is called inside module:send, and its answer, or its error, comes
-- back before that returns. So nothing is sent from inside a room's event, but in turns of its own, which engine.lua's
-- timer starts.
--
-- This file is MIT/X11 licensed.

local part = ...;

local clone = require "util.stanza".clone; -- COMPAT 0.12: no prosody.* names
local jid_host = require "util.jid".host;
local jid_prep = require "util.jid".prep;
local monotonic = require "util.time".monotonic;

local guard = part "shared/guard";
local stanza_error = part "shared/stanza_error";

-- The clock is looked at after so many, and after each one that had to wait for a store.
local pushes_per_look = 5;

-- Whether an app server is a module of this Prosody, and so is handed the stanza itself.
local function is_in_process(app_server)
	local app_server_host = prosody.hosts[jid_host(app_server)];
	return app_server_host ~= nil and not app_server_host.modules.component;
end

-- parts: { engine; standby; publish; publishers; extensions; confidants; early_facts; outbox_store; may_push(user, id, time) = whether a
-- push may go to that user, and whether that took a look into a store, see accounts.lua; may_push_through = see
-- allowed_app_servers.lua; ways = what hands a push over that goes by a way: way -> a function like that of account_handover.lua;
-- seconds_per_turn = how long the other users of the event loop are kept waiting at most, other than by one such look }
local function new(parts)
	local engine, extensions, may_push, seconds_per_turn = parts.engine, parts.extensions, parts.may_push, parts.seconds_per_turn;
	local find_addressee, make_iq, outbox_store = parts.publish.addressee, parts.publish.iq, parts.outbox_store;
	local confidants, publisher_for, ways = parts.confidants, parts.publishers.host_for, parts.ways;
	local is_serving, has_begun = parts.standby.is_serving, parts.outbox_store.has_begun;
	local may_push_through = parts.may_push_through;
	local note_early_ping = parts.early_facts.note_ping;

	-- Lets other modules see a push. Returns whether it is still to be sent; where it is not, the engine knows.
	local function is_let_through(stanza, id, user, summary)
		local details = engine:push_details(id);
		local is_agreed, is_stopped = false, false;
		if details then
			is_agreed, is_stopped = extensions.may_push(stanza, user, engine:summary(summary), details);
		end
		-- A module that sees a push may answer it by a disable, or by something else that changes who is to get it.
		if is_agreed and engine:is_wanted(id) then return true; end
		if is_stopped then
			engine:suppress(id);
		else
			engine:withdraw(id);
		end
		return false;
	end

	-- Does what is due, as much of it as a turn may take. Returns false where the engine could not tell what to push, or where
	-- that is not for this process to push. Until what the last run has left is taken up nothing is pushed: what a push says would be
	-- what is known by then.
	local function turn()
		if not is_serving() then return false; end
		local now = monotonic();
		if not has_begun() then
			engine:handle_timeout(now);
			return true;
		end
		local end_of_turn = now + seconds_per_turn;
		local scope;
		local polled = 0;
		local has_waited = false; -- the last push, for a store
		local has_stored = false; -- what has to be before it is pushed: once in a turn
		local polled_id, app_server; -- of the push that is being sent
		local in_process = {};

		local function send(id, device, summary)
			local to = find_addressee(device);
			local is_allowed = false;
			if to and ways[to.way] then
				has_waited = ways[to.way](to, id, summary, now);
				return;
			elseif to and not to.way and may_push_through(to.app_server) then
				is_allowed, has_waited = may_push(to.user, id, now);
			end
			if not is_allowed then
				engine:withdraw(id);
				return;
			end
			app_server = to.app_server;
			if in_process[app_server] == nil then
				in_process[app_server] = is_in_process(app_server);
			end
			local publisher = publisher_for(to.user, app_server);
			local stanza = make_iq(id, to, summary, publisher);
			if scope == "one-room" or in_process[app_server] then
				-- Another module, or an app server in this process, may change a stanza: it gets one of its own.
				stanza = clone(stanza);
			end
			if in_process[app_server] then
				confidants.tell(stanza, id, app_server);
			end
			if scope == "one-room" and not is_let_through(stanza, id, to.user, summary) then return; end
			module:log("debug", "Pushing to %s through %s", to.user, app_server);
			if publisher then engine:set_publisher(id, publisher); end
			module:send(stanza, publisher and prosody.hosts[publisher]);
		end

		local function send_rest()
			while true do
				polled_id, app_server = nil, nil;
				if has_waited or polled % pushes_per_look == 0 then
					has_waited = false;
					if polled > 0 then
						now = monotonic();
						if now > end_of_turn then return; end
					end
					engine:handle_timeout(now);
					if not has_stored then
						has_stored = true;
						if outbox_store.turn(now) then
							now = monotonic();
							if now > end_of_turn then return; end
						end
					end
					scope = extensions.is_listening() and "one-room" or "all-rooms";
				end
				local id, device, summary = engine:poll_push(now, scope);
				if not id then return; end
				polled, polled_id = polled + 1, id;
				send(id, device, summary);
			end
		end

		local function what()
			return polled_id and "send a push to "..(app_server or "a device") or "push what is due";
		end

		-- One guard for all of them; where one fails, the rest goes on.
		while not guard.attempt(what, send_rest) do
			if not polled_id then return false; end
			guard.attempt("take note of a push that was not sent", engine.handle_send_failure, engine, polled_id, monotonic());
		end
		return true;
	end

	-- Returns true where it answers a push.
	local function take_answer(event, from)
		local stanza = event.stanza;
		local id = stanza.attr.id;
		if stanza.attr.type == "result" then
			return engine:handle_result(id, from, monotonic()) or nil;
		end
		local error_type, condition = stanza_error.read(stanza);
		if stanza_error.is_unrouted(event) then error_type, condition = "wait", "remote-server-timeout"; end
		local is_ours;
		if confidants.has_ended(stanza, from) then
			is_ours = engine:handle_ended(id, from, monotonic());
		else
			is_ours = engine:handle_error(id, from, error_type, condition, monotonic());
		end
		if not is_ours then return nil; end
		module:log("debug", "App server %s answered with an error: %s/%s", from, error_type, condition);
		return true;
	end

	local on_iq = guard.answer("take in the answer of an app server", function (event)
		local stanza = event.stanza;
		local id, from, kind = stanza.attr.id, stanza.attr.from, stanza.attr.type;
		if kind ~= "result" and kind ~= "error" or not id or not from then return; end
		if take_answer(event, from) then return true; end
		-- Prosody prepares the addresses of what comes in from others, and not of what a module in this process sends.
		local prepared = jid_prep(from);
		return prepared and prepared ~= from and take_answer(event, prepared) or nil;
	end);

	-- An answer goes to whom the publish was from.
	local function take_answers_at(host)
		module:hook_object_event(prosody.hosts[host].events, "iq/host", on_iq, 10);
	end

	take_answers_at(module.host);
	parts.publishers.watch_hosts(take_answers_at);

	-- Another module wants every device of a user to be pushed to, without a message.
	module:hook("cloud-notify-ping", guard.watch("push without a message", function (event)
		if not note_early_ping(event.user) then engine:handle_ping(event.user); end
	end));

	return { turn = turn };
end

return { new = new };
