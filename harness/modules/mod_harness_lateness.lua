-- Measures how long anything else in the server has to wait: by a timer every millisecond, which says how late it was at worst.
--
-- Option: harness_lateness_from_start, whether it is measured from the start of the server on

-- luacheck: globals begin finish

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local timer = require "util.timer";

local clock = os.clock;

local interval = 0.001;

local current; -- what is measured

-- What was measured before counts no more.
function begin()
	local this = { latest = 0, busiest = 0, ticks = 0, planned = monotonic() + interval, clock = clock() };
	current = this;
	timer.add_task(interval, function ()
		if current ~= this then return; end
		local now, used = monotonic(), clock();
		this.ticks = this.ticks + 1;
		this.latest = math.max(this.latest, now - this.planned);
		this.busiest = math.max(this.busiest, used - this.clock);
		this.planned, this.clock = now + interval, used;
		return interval;
	end);
end

-- In seconds: how late it was at worst, and the most CPU that the server took between two ticks; and how many of these there were.
function finish()
	local this = current;
	current = nil;
	-- It may be late right now.
	return math.max(this.latest, monotonic() - this.planned), math.max(this.busiest, clock() - this.clock), this.ticks;
end

if module:get_option_boolean("harness_lateness_from_start", false) then
	module:hook_global("server-started", begin);
end
