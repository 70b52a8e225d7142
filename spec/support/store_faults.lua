-- The store of registrations of a MUC service, which fails or takes its time on demand, and counts what is asked of it.
--
-- What it does is said by a table in the server, `prosody.store_faults`: fail_after, seconds = reads fail for so many seconds, from the
-- one on that comes after so many; is_down = whether nothing can be read; list_fails = "at once" or "in the middle"; delay = how
-- many seconds each read and each write takes. reads, writes, lists: how often that was done; most_writes: how often something was
-- written, at most, from one look of a timer to the next.

local store_faults = {};

local install = [[
	local monotonic = require "util.time".monotonic;
	local faults = { reads = 0, writes = 0, lists = 0 };
	prosody.store_faults = faults;
	local methods = getmetatable(require "core.storagemanager".open(module.host, "muc_cloud_notify")).__index;
	local get, set, users = methods.get, methods.set, methods.users;
	local writes_before = 0;
	module:add_timer(0, function ()
		faults.most_writes = math.max(faults.most_writes or 0, faults.writes - writes_before);
		writes_before = faults.writes;
		return 0.001;
	end);

	local function is_ours(store) return store.store == "muc_cloud_notify"; end

	local function take_time()
		local till = monotonic() + (faults.delay or 0);
		while monotonic() < till do end
	end

	function methods:get(key)
		if not is_ours(self) then return get(self, key); end
		faults.reads = faults.reads + 1;
		take_time();
		if faults.fail_after and faults.reads > faults.fail_after then
			faults.fails_until = faults.fails_until or monotonic() + faults.seconds;
			if monotonic() < faults.fails_until then return nil, "on purpose"; end
		end
		if faults.is_down then return nil, "on purpose"; end
		return get(self, key);
	end

	function methods:set(key, data)
		if is_ours(self) then
			faults.writes = faults.writes + 1;
			take_time();
		end
		return set(self, key, data);
	end

	function methods:users()
		if not is_ours(self) then return users(self); end
		faults.lists = faults.lists + 1;
		if faults.list_fails == "at once" then error("on purpose"); end
		local next_key, state, key = users(self);
		local count = 0;
		return function ()
			count = count + 1;
			if faults.list_fails == "in the middle" and count > 1 then error("on purpose"); end
			key = next_key(state, key);
			return key;
		end
	end
]];

function store_faults.install(server)
	server:admin(install);
end

-- Has the store behave differently from now on, with the counts at 0. faults: see above
function store_faults.set(server, faults)
	server:admin([[
		local faults = prosody.store_faults;
		for name in pairs(faults) do faults[name] = nil; end
		for name, value in pairs(...) do faults[name] = value; end
		faults.reads, faults.writes, faults.lists, faults.most_writes = 0, 0, 0, 0;
	]], faults);
end

-- How often was read and written, and how often written in one turn at most.
function store_faults.counts(server)
	return server:admin("local faults = prosody.store_faults; return faults.reads, faults.writes, faults.most_writes");
end

return store_faults;
