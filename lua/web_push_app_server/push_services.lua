-- The requests to push services: how many are under way to each, which wait, and which push services want to be left alone.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local now = require "util.time".now;

local bounded_cache = part "shared/bounded_cache";
local guard = part "shared/guard";

local max_under_way = 64; -- to one push service
local max_under_way_in_all = 512;
local max_waiting = 1000; -- for one push service
local max_waiting_in_all = 5000;
-- Whoever has published waits for two minutes. What has waited for so long can still be asked for in time.
local seconds_waiting = 60;
local seconds_to_answer = 30;
-- A push service may ask for as much rest.
local max_rest = 3600;
local rests_known = 10000;

local function seconds_of(retry_after)
	local seconds = tonumber(retry_after); -- or a date, which none of the large ones sends
	return seconds and seconds > 0 and math.min(seconds, max_rest) or nil;
end

-- parts: { app_server; addresses; post = see http_client.lua }
local function new(parts)
	local app_server, addresses, post = parts.app_server, parts.addresses, parts.post;
	local services = {}; -- origin -> those to which something is under way
	local under_way, waiting = 0, 0; -- in all
	local rests = bounded_cache.new(rests_known); -- until when an origin, or a node, is left alone

	local function rests_now(key)
		local until_time = rests.get(key);
		return until_time ~= nil and until_time > monotonic();
	end

	-- RFC 8030, section 8.4, and RFC 9110, section 10.2.3. That there is too much is said of one subscription, and that the push
	-- service is not well of all.
	local function keep_to_retry_after(push, status, headers)
		local seconds = (status == 429 or status >= 500) and seconds_of(headers["retry-after"]);
		if seconds then rests.set(status == 429 and push.node or push.origin, monotonic() + seconds); end
	end

	local try_request;

	local function note_answer(push, status, headers)
		if status == 401 or status == 403 then app_server:forget_authorization(push.origin); end
		keep_to_retry_after(push, status, headers);
	end

	local function request(push, on_answer)
		local url, headers, body = app_server:request(push.subscription, push.notification, now());
		post(url, headers, body, seconds_to_answer, function (status, answer_headers)
			if status == 413 and push.notification.text then
				push.notification.text = nil;
				return try_request(push, on_answer);
			end
			guard.attempt("take note of what a push service has answered", note_answer, push, status, answer_headers);
			on_answer(status);
		end);
	end

	function try_request(push, on_answer)
		if not guard.attempt("make a request to a push service", request, push, on_answer) then on_answer(0); end
	end

	local advance;

	local function finish(push, status)
		guard.attempt("answer a publish", push.on_end, status);
	end

	local function start(service, push)
		service.under_way, under_way = service.under_way + 1, under_way + 1;
		local is_ended = false;
		local function ended(status)
			if is_ended then return; end
			is_ended = true;
			service.under_way, under_way = service.under_way - 1, under_way - 1;
			finish(push, status);
			advance(service);
		end
		local function go_on(is_public)
			if not is_public then return ended("unreachable"); end
			try_request(push, ended);
		end
		if push.is_anywhere then
			go_on(true);
		elseif not guard.attempt("look up a push service", addresses.look_up, push.host, go_on) then
			ended(0);
		end
	end

	-- Starts what waits, as far as it may. What ends at once comes back to here, and is not gone into any further.
	function advance(service)
		if service.is_advancing then return; end
		service.is_advancing = true;
		while service.first <= service.last and service.under_way < max_under_way do
			local push = service[service.first];
			service[service.first] = nil;
			service.first, waiting = service.first + 1, waiting - 1;
			if push.since + seconds_waiting < monotonic() then
				finish(push, "busy");
			elseif rests_now(push.origin) then
				finish(push, "resting");
			else
				start(service, push);
			end
		end
		service.is_advancing = false;
		if service.under_way == 0 and service.first > service.last then services[service.origin] = nil; end
	end

	-- Sends a push, and calls on_end(status) once: that of HTTP, with 0 for no answer; "unreachable" where the push service may
	-- not be connected to; or "resting" or "busy" where nothing was sent.
	-- push: { subscription, host, origin, is_anywhere = as from find(); node; notification; on_end }
	local function send(push)
		if rests_now(push.origin) or rests_now(push.node) then return finish(push, "resting"); end
		local service = services[push.origin];
		local is_full = service and service.last - service.first + 1 >= max_waiting;
		if is_full or waiting >= max_waiting_in_all or not service and under_way >= max_under_way_in_all then
			return finish(push, "busy");
		end
		if not service then
			service = { origin = push.origin, under_way = 0, first = 1, last = 0, is_advancing = false };
			services[push.origin] = service;
		end
		push.since = monotonic();
		service.last, waiting = service.last + 1, waiting + 1;
		service[service.last] = push;
		advance(service);
	end

	return { send = send };
end

return { new = new };
