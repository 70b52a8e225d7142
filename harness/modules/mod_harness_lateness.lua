-- Measures how long anything else in the server has to wait: by a timer every millisecond, which says how late it was at worst.
--
-- Option: harness_lateness_from_start, whether it is measured from the start of the server on

-- luacheck: globals begin finish

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local timer = require "util.timer";

local clock = os.clock;

local scheduling = io.open("/proc/self/schedstat");

local interval = 0.001;

local current; -- what is measured

-- For how many seconds this process has waited until it had a CPU; 0 where that cannot be known.
local function waited()
	if not scheduling then return 0; end
	scheduling:seek("set");
	local nanoseconds = (scheduling:read("*l") or ""):match("^%d+ (%d+)");
	return (tonumber(nanoseconds) or 0) / 1e9;
end

local function look(this)
	local now, used, has_waited = monotonic(), clock(), waited();
	local late = now - this.planned;
	this.latest = math.max(this.latest, late);
	this.latest_by_itself = math.max(this.latest_by_itself, late - (has_waited - this.waited));
	this.busiest = math.max(this.busiest, used - this.clock);
	this.planned, this.clock, this.waited = now + interval, used, has_waited;
end

-- What was measured before counts no more.
function begin()
	local this = {
		latest = 0, latest_by_itself = 0, busiest = 0, ticks = 0, planned = monotonic() + interval, clock = clock(), waited = waited();
	};
	current = this;
	timer.add_task(interval, function ()
		if current ~= this then return; end
		this.ticks = this.ticks + 1;
		look(this);
		return interval;
	end);
end

-- In seconds: how late it was at worst, and the most CPU that the server took between two ticks; how many of these there were; and how late it
-- was at worst without what it has waited for a CPU, as the machine was busy with something else.
function finish()
	local this = current;
	current = nil;
	look(this); -- it may be late right now
	return this.latest, this.busiest, this.ticks, this.latest_by_itself;
end

if module:get_option_boolean("harness_lateness_from_start", false) then
	module:hook_global("server-started", begin);
end
