-- Assertions that many specs make; helper.lua registers them for all.

local luassert = require "luassert";

local logs = require "spec.support.logs";

-- check: a function of the arguments that returns what is wrong, nil when nothing is. A name must not end with that of another
-- assertion, such as "error" or "same".
local function register(name, check)
	luassert:register("assertion", name, function (state, arguments)
		local problem = check(table.unpack(arguments, 1, arguments.n));
		rawset(state, "failure_message", problem);
		return problem == nil;
	end);
end

-- There is no error in the log. from: how much of it to leave out
register("log_is_clean", function (server, from)
	local errors = logs.entries(server:log(from)).error;
	return errors[1] and "errors in the log:\n"..table.concat(errors, "\n") or nil;
end);

-- patterns: what would be in an entry that gives a secret away. The log must have entries at all.
register("logs_no_secret", function (server, patterns)
	local entries = logs.entries(server:log());
	if not entries.info[1] then
		return "there is nothing in the log";
	end
	for _, list in pairs(entries) do
		for _, entry in ipairs(list) do
			for _, pattern in ipairs(patterns) do
				if entry:match(pattern) then
					return string.format("%q is in the log:\n%s", pattern, entry);
				end
			end
		end
	end
end);

-- Both texts are in the log, one before the other. from: how much of the log to leave out
register("logs_in_order", function (server, first, second, from)
	local log = server:log(from);
	local first_at, second_at = log:find(first, 1, true), log:find(second, 1, true);
	if not first_at or not second_at or first_at > second_at then
		return string.format("%q is not in the log before %q:\n%s", first, second, log);
	end
end);
