-- Where the hosts of push services are. A name that leads into a private network, or to this very machine, is not connected to:
-- the list of push services has whole domains of other people's.
--
-- What is looked up here is looked up once more where the connection is made. Whoever gives another answer then gets a
-- connection, and nothing else, as they have no certificate for the name.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local basic_resolver = require "net.resolvers.basic";

local bounded_cache = part "shared/bounded_cache";
local guard = part "shared/guard";

local seconds_known = 60;
local seconds_to_answer = 20;
local hosts_known = 256;

---@param library push_library
local function new(library)
	local known = bounded_cache.new(hosts_known);

	-- Calls on_answer(is_public) once, at once if it is known: whether a host has addresses, and all of them are public.
	local function look_up(host, on_answer)
		local answer = known.get(host);
		if answer and answer.until_time > monotonic() then return on_answer(answer.is_public); end
		local is_answered = false;
		local timer;

		local function finish(is_public, seconds)
			if is_answered then return; end
			is_answered = true;
			timer:stop();
			known.set(host, { is_public = is_public, until_time = monotonic() + seconds });
			guard.attempt("go on with a push", on_answer, is_public);
		end

		-- Prosody 13.0 does not always say that it has failed.
		timer = module:add_timer(seconds_to_answer, function () finish(false, 0); end);

		local resolver;
		local has_any, is_public = false, true;
		local next_address;

		local function take(kind, address)
			if not kind then return finish(has_any and is_public, seconds_known); end
			has_any, is_public = true, is_public and library.is_public_address(address);
			next_address();
		end

		-- What comes back may come in a turn of its own.
		function next_address()
			resolver:next(function (...)
				if not guard.attempt("take in an address of a push service", take, ...) then finish(false, 0); end
			end);
		end

		local ok = guard.attempt("look up a push service", function ()
			resolver = basic_resolver.new(host, 443, "tcp", {});
			next_address();
		end);
		if not ok then finish(false, 0); end
	end

	return { look_up = look_up };
end

return { new = new };
