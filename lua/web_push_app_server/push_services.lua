-- The requests to push services: how many are under way to each, which wait, and which push services want to be left alone.
--
-- This file is MIT/X11 licensed.

local part = ...;

local datetime = require "util.datetime"; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;

local bounded_cache = part "shared/bounded_cache";
local fifo = part "shared/fifo";
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

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 };

-- The time of a date as it is in HTTP (RFC 9110, section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
local function time_of(date)
	local day, month, year, clock = date:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$");
	if not months[month] then return nil; end
	return datetime.parse(("%s-%02d-%sT%sZ"):format(year, months[month], day, clock));
end

-- For how long a push service asks to be left alone: it says so in seconds, or until when.
local function seconds_of(retry_after)
	if not retry_after then return nil; end
	local time = time_of(retry_after);
	local seconds = time and time - now() or tonumber(retry_after);
	return seconds and seconds > 0 and math.min(seconds, max_rest) or nil;
end

-- parts: { app_server; addresses; post = see http_client.lua }
local function new(parts)
	local app_server, addresses, post = parts.app_server, parts.addresses, parts.post;
	-- By origin, those to which something is under way, or waits: { origin, under_way, waiting, is_in_line }
	local services = {};
	-- Those to which something waits, and less is under way than may be. By turns they get what is left in all.
	local line = fifo.new();
	local under_way, waiting = 0, 0; -- in all
	local rests = bounded_cache.new(rests_known); -- until when an origin, or a node, is left alone

	local function rests_now(key)
		local until_time = rests.get(key);
		return until_time ~= nil and until_time > monotonic();
	end

	local function is_resting(push)
		return rests_now(push.origin) or rests_now(push.node);
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

	local function finish(push, status)
		guard.attempt("answer a publish", push.on_end, status);
	end

	local function service_of(origin)
		local service = services[origin];
		if not service then
			service = { origin = origin, under_way = 0, waiting = fifo.new(), is_in_line = false };
			services[origin] = service;
		end
		return service;
	end

	-- Something has changed with a push service: it has its turn, has to wait, or is not needed any more.
	local function update(service)
		local is_any_waiting = service.waiting.count() > 0;
		if is_any_waiting and service.under_way < max_under_way and not service.is_in_line then
			service.is_in_line = true;
			line.push(service);
		elseif not is_any_waiting and service.under_way == 0 then
			services[service.origin] = nil;
		end
	end

	local advance;

	local function start(service, push)
		service.under_way, under_way = service.under_way + 1, under_way + 1;
		local is_ended = false;
		local function ended(status)
			if is_ended then return; end
			is_ended = true;
			service.under_way, under_way = service.under_way - 1, under_way - 1;
			finish(push, status);
			update(service);
			advance();
		end
		local function go_on(is_public)
			if not is_public then return ended("unreachable"); end
			try_request(push, ended);
		end
		if push.is_anywhere then
			go_on(true);
		elseif not guard.attempt("look for a push service", addresses.look_up, push.host, go_on) then
			ended(0);
		end
	end

	-- The next one that waits for a push service is started, or has waited in vain.
	local function take_turn(service)
		local push = service.waiting.pop();
		waiting = waiting - 1;
		if push.since + seconds_waiting < monotonic() then
			finish(push, "busy");
		elseif is_resting(push) then
			finish(push, "resting");
		else
			start(service, push);
		end
	end

	-- Starts what waits, as far as it may. What ends at once comes back to here, and is not gone into any further.
	local is_advancing = false;
	function advance()
		if is_advancing then return; end
		is_advancing = true;
		while under_way < max_under_way_in_all do
			local service = line.pop();
			if not service then break; end
			service.is_in_line = false;
			take_turn(service);
			update(service);
		end
		is_advancing = false;
	end

	-- Sends a push, and calls on_end(status) once: that of HTTP, with 0 for no answer; "unreachable" where the push service may
	-- not be connected to; or "resting" or "busy" where nothing was sent.
	-- push: { subscription, host, origin, is_anywhere = as from find(); node; notification; on_end }
	local function send(push)
		if is_resting(push) then return finish(push, "resting"); end
		if waiting >= max_waiting_in_all then return finish(push, "busy"); end
		local service = service_of(push.origin);
		if service.waiting.count() >= max_waiting then return finish(push, "busy"); end
		push.since = monotonic();
		service.waiting.push(push);
		waiting = waiting + 1;
		update(service);
		advance();
	end

	return { send = send };
end

return { new = new };
