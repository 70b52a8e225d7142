-- What is told of a test that fails, beside how: the last warnings and errors of its servers.

local busted = require "busted";

local prosody = require "harness.prosody";

local logs = require "spec.support.logs";

local most_lines, longest_line = 15, 200; -- of a server
local most_failures = 3; -- those after them tend to follow from them

local count = 0;

local function tell_of(server, what)
	local lines = logs.complaints(server:log(), most_lines);
	if not lines[1] then return; end
	for i, line in ipairs(lines) do
		lines[i] = #line > longest_line and line:sub(1, longest_line) .. "…" or line;
	end
	io.stdout:write(string.format("\nComplaints of Prosody %s with %s by %s, when this failed: %s\n    %s\n", server.version, server.muc_host,
		os.date "%H:%M:%S", what, table.concat(lines, "\n    ")));
	io.stdout:flush();
end

local function tell(element)
	count = count + 1;
	for _, server in ipairs(count <= most_failures and prosody.all_open() or {}) do tell_of(server, element.name); end
	return nil, true; -- there are other subscribers
end

local failures = {};

-- Tells it of each test that fails, and of what is done before and after tests. That is before their servers are closed.
function failures.watch()
	for _, how in ipairs { "failure", "error" } do busted.subscribe({ how }, tell); end
end

return failures;
