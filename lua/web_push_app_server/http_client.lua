-- One HTTP request, by Prosody's client for HTTP. It follows no redirects.
--
-- This file is MIT/X11 licensed.

local part = ...;

local http = require "net.http"; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

-- Posts something, and calls on_answer(status, headers) once, with status 0 where there is no answer in time. The names of the
-- headers are in lower case.
local function post(url, headers, body, seconds, on_answer)
	local is_done = false;
	local request, timer;

	-- Prosody 13.0 calls back twice where no address of a host can be connected to.
	local function finish(status, answer_headers)
		if is_done then return; end
		is_done = true;
		if timer then timer:stop(); end
		guard.attempt("take in the answer of a push service", on_answer, status, answer_headers or {});
	end

	-- Prosody itself would wait for 14 minutes.
	timer = module:add_timer(seconds, function ()
		timer = nil;
		finish(0);
		if request and request.cancel then request:cancel("timeout"); end -- there is no such method until it is connected
	end);
	local ok = guard.attempt("ask a push service", function ()
		request = http.request(url, { method = "POST", headers = headers, body = body, suppress_errors = true, suppress_url = true },
			function (_, status, response)
				finish(type(status) == "number" and status or 0, response and response.headers);
			end);
	end);
	if not ok then finish(0); end
end

return { post = post };
