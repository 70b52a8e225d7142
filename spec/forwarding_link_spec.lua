-- What is forwarded over a link that is still being made: it is looked at again and again, and never holds up anybody.

local prosody = require "harness.prosody";

local host, domain = "conference.localhost", "away.example";

describe("what is forwarded", function ()
	local clock, timers, handed_over, sent, s2sout, forwarding, take_answer, errors, hosts;

	before_each(function ()
		clock, timers, handed_over, sent, s2sout, errors = 0, {}, {}, {}, {}, {};
		hosts = { [host] = { type = "component", s2sout = s2sout } };
		local environment;
		local function part(name)
			if name == "muc_cloud_notify/way_message" then
				return { new = function () return require "util.stanza".message { to = "juliet@" .. domain, from = "orchard@" .. host .. "/Romeo" }; end };
			end
			return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
		end
		environment = setmetatable({
			prosody = { hosts = hosts };
			module = {
				host = host;
				hook = function (_, _, handler) take_answer = handler; end;
				log = function () end;
				send = function (_, stanza) table.insert(sent, stanza); end;
				add_timer = function (_, seconds, func)
					local timer = { seconds = seconds, func = func, stop = function () end };
					table.insert(timers, timer);
					return timer;
				end;
			};
			require = function (name)
				return name == "util.time" and { monotonic = function () return clock; end } or require(name);
			end;
		}, { __index = _G });
		forwarding = function (options)
			return part "muc_cloud_notify/forwarding".watch {
				engine = {
					handed_over = function (_, id) table.insert(handed_over, id); end;
					handle_error = function (_, _, _, error_type, condition) table.insert(errors, error_type .. "/" .. condition); end;
				};
				live_rooms = { find = function () end };
				engine_options = { way_interval = options.way_interval or 20, reply_timeout = 120 };
				is_wanted = options.is_wanted ~= false;
			};
		end;
	end);

	local function forward(options)
		forwarding(options).hand_over({ user = "juliet@" .. domain }, "1", {}, clock);
	end

	-- Runs the timer once a second.
	local function wait(seconds)
		for _ = 1, seconds do
			clock = clock + 1;
			if timers[1] and not timers[1].func(clock) then timers[1] = nil; end
		end
	end

	for _, way_interval in ipairs { 20, 0 } do
		it("waits for a link that is being made, with an interval of " .. way_interval, function ()
			s2sout[domain] = { type = "s2sout_unauthed" };
			forward { way_interval = way_interval };
			assert.equal(1, #sent);
			wait(100);
			assert.same({}, handed_over);
			s2sout[domain].type = "s2sout";
			wait(21);
			assert.same({ "1" }, handed_over);
			assert.is_nil(timers[1]);
		end);

		it("has arrived where nothing comes back, with an interval of " .. way_interval, function ()
			s2sout[domain] = { type = "s2sout" };
			forward { way_interval = way_interval };
			wait(21);
			assert.same({ "1" }, handed_over);
		end);
	end

	it("has arrived where its server says anything, and not where this one does", function ()
		local st = require "util.stanza";
		local answers = { -- origin; what it says
			{ { type = "s2sin" }, "cancel", "not-allowed", "cancel/service-unavailable" };
			{ { dummy = true, type = "s2sin" }, "cancel", "remote-server-not-found", "cancel/remote-server-not-found" };
			{ hosts[host], "cancel", "not-allowed", "wait/remote-server-timeout" }; -- as without mod_s2s
		};
		for place, answer in ipairs(answers) do
			forward {};
			take_answer { origin = answer[1], stanza = st.error_reply(sent[place], answer[2], answer[3]) };
			assert.equal(answer[4], errors[place]);
		end
		assert.same({}, handed_over);
	end);

	it("is done before a stop, but for what has not left", function ()
		local first = forwarding {};
		first.hand_over({ user = "juliet@" .. domain }, "1", {}, clock);
		s2sout["slow.example"] = { type = "s2sout_unauthed" };
		first.hand_over({ user = "nurse@slow.example" }, "2", {}, clock);
		assert.same({}, handed_over);
		first.finish();
		assert.same({ "1" }, handed_over);
		wait(100);
		assert.same({ "1" }, handed_over);
	end);

	it("is looked after by the module that follows after a reload", function ()
		local first, second = forwarding {}, forwarding {};
		first.hand_over({ user = "juliet@" .. domain }, "1", {}, clock);
		local sent_before = first.list_sent();
		timers[1] = nil;
		second.take_over(sent_before);
		wait(10);
		assert.same({}, handed_over);
		wait(11);
		assert.same({ "1" }, handed_over);
		second.take_over {};
		assert.is_nil(timers[1]);
	end);

	it("is not sent where the operator wants none of it any more", function ()
		forward { is_wanted = false };
		assert.same({}, sent);
		assert.same({ "1" }, handed_over);
	end);
end);
