-- What is done around every call of the engine: after every fact the events are drained, and the timer is set.

local lua_folder = require "harness.prosody".root .. "/lua/";

describe("the driven engine", function ()
	local calls, events, deadline, reason, has_begun, failing, timers, engines, driven, errors, turns;

	local function stub_engine()
		return setmetatable({
			poll_event = function ()
				if failing == "poll_event" then error("as ordered"); end
				return table.remove(events, 1);
			end;
			next_deadline = function ()
				if failing == "next_deadline" then error("as ordered"); end
				return deadline, reason;
			end;
		}, {
			__index = function (_, name)
				return function (_, ...)
					if failing == name then error("as ordered"); end
					table.insert(calls, name);
					return name, ...;
				end;
			end;
		});
	end

	local function stub_module()
		return {
			host = "conference.localhost";
			log = function (_, level, text, ...)
				if level == "error" then table.insert(errors, (text:format(...):match("^[^\n]*"))); end
			end;
			add_timer = function (_, seconds, func)
				local timer = { seconds = seconds, run = func };
				function timer:stop() self.is_stopped = true; end
				table.insert(timers, timer);
				return timer;
			end;
		};
	end

	before_each(function ()
		calls, events, deadline, failing, timers, errors, turns = {}, {}, nil, nil, {}, {}, 0;
		reason, has_begun = "push waiting", true;
		local environment = setmetatable({ module = stub_module(), prosody = {} }, { __index = _G });
		local function part(name)
			return assert(loadfile(lua_folder .. name .. ".lua", "t", environment))(part);
		end
		engines = part "muc_cloud_notify/engine";
		driven = engines.open({ open = function () return stub_engine(), true; end }, {});
		driven:on_due(function ()
			turns = turns + 1;
			driven:handle_timeout(1);
			return failing ~= "turn";
		end, function () return has_begun; end);
	end);

	local function handle_event()
		local handled = {};
		driven:on_event("addressee-changed", function (event) table.insert(handled, event.device); end);
		return handled;
	end

	it("drains the events and sets the timer after every fact", function ()
		local handled = handle_event();
		for i, name in ipairs(engines.facts) do
			events = { { type = "addressee-changed", device = 2 * i - 1 }, { type = "addressee-changed", device = 2 * i } };
			deadline = 1000000000 - i; -- an earlier one each time
			assert.equal(name, (driven[name](driven, "an argument")));
			assert.equal(2 * i, #handled);
			assert.equal(i, #timers);
		end
		assert.same(engines.facts, calls);
	end);

	it("does nothing else after a question", function ()
		handle_event();
		deadline, events = 0, { { type = "addressee-changed", device = 1 } };
		for _, name in ipairs(engines.others) do
			driven[name](driven);
		end
		assert.equal(1, #events);
		assert.equal(0, #timers);
	end);

	it("hands over all arguments and results", function ()
		assert.same({ "addressee", 1, nil, 3 }, { driven:addressee(1, nil, 3) });
	end);

	it("sets the timer earlier, and never later", function ()
		for _, time in ipairs { 2000000000, 1000000000, 1500000000, 0, 5 } do
			deadline = time;
			driven:forget_rooms();
		end
		deadline = nil;
		driven:forget_rooms();
		assert.equal(3, #timers);
		assert.same({ true, true }, { timers[1].is_stopped, timers[2].is_stopped });
		assert.is_nil(timers[3].is_stopped);
		assert.equal(0, timers[3].seconds);
	end);

	it("plans once after a turn, whatever happens in it", function ()
		deadline = 0;
		driven:forget_rooms();
		timers[1].run();
		assert.equal(1, turns);
		assert.equal(2, #timers);
		deadline = nil;
		timers[2].run();
		assert.equal(2, #timers);
	end);

	it("lets what is to be stored or pushed wait until what the last run has left is taken up, and nothing else", function ()
		has_begun, deadline = false, 0;
		for waiting, seconds in pairs { ["push waiting"] = 0.1, ["batch due"] = 0.1, ["message spreading"] = 0 } do
			reason = waiting;
			driven:forget_rooms();
			local timer = timers[#timers];
			assert.is_true(math.abs(timer.seconds - seconds) < 0.02, waiting);
			deadline = nil;
			timer.run();
			deadline = 0;
		end
		has_begun, reason = true, "push waiting";
		driven:forget_rooms();
		assert.equal(0, timers[#timers].seconds);
	end);

	it("has another turn later where one fails", function ()
		deadline = 0;
		driven:forget_rooms();
		for _, method in ipairs { "turn", "handle_timeout", "poll_event", "next_deadline" } do
			failing = method;
			local last = timers[#timers];
			last.run();
			assert.is_true(timers[#timers].seconds > 1);
			assert.are_not.equal(last, timers[#timers]);
		end
		failing = nil;
		local before = turns;
		timers[#timers].run();
		assert.equal(before + 1, turns);
		assert.same({ 3, 2 }, { #errors, select(2, table.concat(errors, "\n"):gsub("push what is due", "")) });
	end);

	for _, method in ipairs { "poll_event", "next_deadline" } do
		it("raises what fails in " .. method .. " after a fact, and looks again later", function ()
			failing = method;
			assert.has_error(function () driven:forget_rooms(); end);
			assert.same({ "forget_rooms" }, calls);
			assert.equal(1, #timers);
			assert.is_true(timers[1].seconds > 1);
		end);
	end

	it("does nothing after a fact that was not taken", function ()
		failing, deadline = "forget_rooms", 0;
		assert.has_error(function () driven:forget_rooms(); end);
		assert.equal(0, #timers);
	end);
end);
