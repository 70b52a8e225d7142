-- Clients in processes of their own, for what happens to a process alone: kill -9.

local client_process = {};

local process_methods = {};
local process_mt = { __index = process_methods };

-- A client of an account that has another client already, and so exists. Returns when it is in the room.
function client_process.start(account, resource, room, nick)
	local command = ("echo $$; exec lua5.4 harness/lone_client.lua '%s' %d '%s/%s' '%s' '%s' '%s'")
		:format(account.host, account.port, account.bare_jid, resource, account.password, room, nick);
	local output = assert(io.popen(command, "r"));
	local self = setmetatable({
		jid = account.bare_jid.."/"..resource;
		output = output;
		pid = assert(output:read("*n", "*l"));
	}, process_mt);
	assert(output:read("*l") == "in the room", "the client is not in the room");
	return self;
end

-- Returns when the process has ended.
function process_methods:kill()
	assert(os.execute(("kill -KILL %d"):format(self.pid)));
	local _, how, status = self.output:close();
	assert(how == "signal" and status == 9, "the process had ended before");
end

return client_process;
