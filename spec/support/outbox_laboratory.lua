-- The Lua files that store the outbox, with a storage, an engine and a clock of the test: what the storage refuses, how long it
-- takes, and where the process is killed.

local prosody = require "harness.prosody";

local outbox_laboratory = {};

local laboratory_methods = {};
local laboratory_mt = { __index = laboratory_methods };

-- A storage like Prosody's: records by name, "" for the one without a name.
--   refuses     why it does not write, nil where it does
--   is_away     whether it answers nothing at all
--   damaged     name -> "unreadable" or "empty"
--   kill_after  after how many writes the process is killed: then is_killed, and nothing is written any more
function outbox_laboratory.new()
	local self = setmetatable({
		time = 1000, wall_time = 1e9, logged = {}, timers = {};
		records = {}, damaged = {}, writes = 0, removals = 0, seconds_per_write = 0, seconds_per_read = 0;
	}, laboratory_mt);
	local lab = self;
	self.store = {
		get = function (_, name)
			name = name or "";
			lab.time = lab.time + lab.seconds_per_read;
			if lab.is_away then return nil, "the database is away: secret"; end
			if lab.damaged[name] == "unreadable" then return nil, "it cannot be read: secret"; end
			if lab.damaged[name] == "empty" then return nil; end
			return lab.records[name];
		end;
		set = function (_, name, record)
			name = name or "";
			lab.time = lab.time + lab.seconds_per_write;
			if lab.is_away or lab.refuses then return nil, lab.refuses or "the database is away: secret"; end
			if lab.kill_after then
				if lab.kill_after <= 0 then
					lab.is_killed = true;
					return nil, "killed";
				end
				lab.kill_after = lab.kill_after - 1;
			end
			if record then lab.writes = lab.writes + 1; else lab.removals = lab.removals + 1; end
			assert(not (record and lab.records[name] and name:find("^%x+%-%x+")), "a name was given twice: " .. name);
			assert(not lab.damaged[name], "what cannot be read was replaced: " .. name);
			lab.records[name] = record;
			return true;
		end;
		users = function ()
			if lab.is_away then error("the database is away: secret"); end
			local names = {};
			for name in pairs(lab.records) do table.insert(names, name); end
			local i = 0;
			return function ()
				i = i + 1;
				return names[i];
			end;
		end;
	};
	return self;
end

-- Opens the store for an engine, as after a start of the process. options: has_journal; is_new, true unless it is given
function laboratory_methods:open(engine, options)
	options = options or {};
	self.timers = {};
	local module = {
		name = "muc_cloud_notify";
		open_store = function () return self.store; end;
		log = function (_, level, text, ...) table.insert(self.logged, level .. ": " .. text:format(...)); end;
		add_timer = function (_, seconds, func)
			local timer = { at = self.time + seconds, number = #self.timers, func = func };
			timer.stop = function () timer.func = function () end; end;
			table.insert(self.timers, timer);
			return timer;
		end;
	};
	local env = setmetatable({ module = module, require = function (name)
		if name ~= "util.time" then return require(name); end
		return { monotonic = function () return self.time; end, now = function () return self.wall_time + self.time; end };
	end }, { __index = _G });
	local loaded = {};
	local function part(name)
		if not loaded[name] then
			loaded[name] = assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", env))(part);
		end
		return loaded[name];
	end
	local outbox_store = part "muc_cloud_notify/outbox_store";
	local records, has_journal = outbox_store.open(options.has_journal or false, { may_store = function () return true; end });
	-- A spec may say which held messages were told, as held_messages.lua does.
	local held = { take_told = function ()
		local told = self.held_told or {};
		self.held_told = nil;
		return told;
	end };
	self.told = part "muc_cloud_notify/held_told".new { engine = engine, held = held };
	return outbox_store.new {
		engine = engine, is_new = options.is_new ~= false, records = records, has_journal = has_journal, held_told = self.told;
	};
end

-- Lets so many seconds go by, and does what is due meanwhile.
function laboratory_methods:advance(seconds)
	local finish = self.time + seconds;
	while true do
		local next_one, place;
		for i, timer in ipairs(self.timers) do
			if timer.at <= finish and (not next_one or timer.at < next_one.at) then next_one, place = timer, i; end
		end
		if not next_one then break; end
		table.remove(self.timers, place);
		self.time = math.max(self.time, next_one.at);
		next_one.func();
	end
	self.time = math.max(self.time, finish);
end

-- Takes up all that is stored. Returns how often there was a pause, and for how long the store was waited for.
function laboratory_methods:restore(store)
	local pauses, waited = 0, 0;
	while true do
		local seconds = store.restore(function () pauses = pauses + 1; end);
		if not seconds then break; end
		waited = waited + seconds;
		self:advance(seconds);
		if self.on_wait then self.on_wait(waited); end
	end
	store.begin();
	return pauses, waited;
end

-- How many lines of the log have a text.
function laboratory_methods:count_logged(text)
	local count = 0;
	for _, line in ipairs(self.logged) do
		if line:find(text, 1, true) then count = count + 1; end
	end
	return count;
end

-- The lines of the log above the level of debug.
function laboratory_methods:warnings()
	local found = {};
	for _, line in ipairs(self.logged) do
		if not line:find("^debug") then table.insert(found, line); end
	end
	return found;
end

-- Whether a text is in the log above the level of debug.
function laboratory_methods:tells(text)
	for _, line in ipairs(self.logged) do
		if not line:find("^debug") and line:find(text, 1, true) then return true; end
	end
	return false;
end

-- The names of what is stored, in their order, but for what says which records are kept aside.
function laboratory_methods:names()
	local names = {};
	for name in pairs(self.records) do
		if name ~= "aside" then table.insert(names, name); end
	end
	table.sort(names);
	return names;
end

-- Those that have a text.
function laboratory_methods:names_with(text)
	local found = {};
	for _, name in ipairs(self:names()) do
		if name:find(text, 1, true) then table.insert(found, name); end
	end
	return found;
end

return outbox_laboratory;
