-- The requests to push services: how many are under way, which wait, and which push services are left alone.

local prosody = require "harness.prosody";

local clock = { now = 0 };
local environment = setmetatable({ module = { log = function () end } }, { __index = _G });

-- 1994-11-06T08:49:37Z, when the clock is at 0.
local beginning = 784111777;

function environment.require(name)
	if name ~= "util.time" then return require(name); end
	return { monotonic = function () return clock.now; end, now = function () return beginning + clock.now; end };
end

local function part(name)
	return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
end

describe("requests to push services", function ()
	local services, requests, ended, looked_up;

	before_each(function ()
		clock.now = 0;
		requests, ended, looked_up = {}, {}, {};
		services = part "web_push_app_server/push_services".new {
			app_server = {
				request = function (_, subscription) return subscription, {}, ""; end;
				forget_authorization = function () end;
			};
			addresses = { look_up = function (host, on_answer)
				if host == "broken" then error("there is no resolver"); end
				looked_up[host] = on_answer;
			end };
			post = function (url, _, _, _, on_answer)
				table.insert(requests, { url = url, answer = function (status, headers) on_answer(status, headers or {}); end });
			end;
		};
	end);

	-- Sends so many pushes to a push service, each to a node of its own unless one is given.
	local function send(origin, count, node)
		for i = 1, count or 1 do
			services.send {
				subscription = origin.."/"..i, host = origin, origin = origin, is_anywhere = true, node = node or origin.."/"..i;
				notification = {}, on_end = function (status) table.insert(ended, status); end;
			};
		end
	end

	-- How many requests there are, or of those from one on to one push service.
	local function to(origin, first)
		local count = 0;
		for i = first or 1, #requests do
			if requests[i].url:sub(1, #origin + 1) == origin.."/" then count = count + 1; end
		end
		return count;
	end

	it("are 64 to one of them", function ()
		send("https://a.example", 100);
		assert.equal(64, #requests);
		requests[1].answer(201);
		assert.equal(65, #requests);
		assert.same({ 201 }, ended);
	end);

	it("are 512 in all, and each of them gets its turn", function ()
		for i = 1, 511 do send("https://p"..i..".example"); end
		assert.equal(511, #requests);
		send("https://greedy.example", 100);
		send("https://modest.example", 2);
		assert.equal(512, #requests);
		for i = 1, 4 do requests[i].answer(201); end
		assert.equal(516, #requests);
		assert.same({ 3, 2 }, { to "https://greedy.example", to "https://modest.example" });
		for i = 5, 511 do requests[i].answer(201); end
		assert.equal(64, to "https://greedy.example");
	end);

	it("begin late where somebody else has to end first, and those that have waited for a minute do not begin", function ()
		for i = 1, 512 do send("https://p"..i..".example"); end
		send("https://late.example");
		clock.now = 59;
		requests[1].answer(0);
		assert.equal(1, to "https://late.example");
		send("https://too-late.example");
		clock.now = 120;
		requests[2].answer(0);
		assert.equal(0, to "https://too-late.example");
		assert.same({ 0, 0, "busy" }, ended);
		send("https://later.example");
		assert.equal(1, to "https://later.example");
	end);

	it("wait in bounded numbers: 1,000 for one of them, and 5,000 in all", function ()
		send("https://a.example", 64 + 1000);
		assert.same({}, ended);
		send("https://a.example");
		assert.same({ "busy" }, ended);
		for i = 1, 4 do send("https://b"..i..".example", 64 + 1000); end
		assert.same({ "busy" }, ended);
		send("https://c.example");
		assert.same({ "busy", "busy" }, ended);
		assert.equal(5 * 64, #requests);
	end);

	it("are not made for what is left alone by then", function ()
		send("https://a.example", 64);
		send("https://a.example", 3, "the same node");
		send("https://a.example", 1, "another node");
		requests[1].answer(201);
		requests[65].answer(429, { ["retry-after"] = "60" });
		assert.equal(66, #requests);
		assert.same({ 201, 429, "resting", "resting" }, ended);
		clock.now = 61;
		send("https://a.example", 1, "the same node");
		requests[2].answer(201);
		assert.equal(67, #requests);
	end);

	for what, retry_after in pairs { seconds = "120", ["a date"] = "Sun, 06 Nov 1994 08:51:37 GMT" } do
		it("keep to a Retry-After in "..what, function ()
			send("https://a.example");
			requests[1].answer(503, { ["retry-after"] = retry_after });
			clock.now = 119;
			send("https://a.example");
			send("https://b.example");
			assert.same({ 503, "resting" }, ended);
			clock.now = 121;
			send("https://a.example");
			assert.equal(3, #requests);
		end);
	end

	for _, retry_after in ipairs { "soon", "-5", "0", "", "Sun, 06 Nov 1994 08:48:37 GMT", "Sun, 06 Nix 1994 08:51:37 GMT" } do
		it(("take no notice of a Retry-After of %q"):format(retry_after), function ()
			send("https://a.example");
			requests[1].answer(503, { ["retry-after"] = retry_after });
			send("https://a.example");
			assert.equal(2, #requests);
		end);
	end

	it("rest for an hour at most", function ()
		send("https://a.example");
		requests[1].answer(503, { ["retry-after"] = "Sun, 06 Nov 2094 08:49:37 GMT" });
		clock.now = 3601;
		send("https://a.example");
		assert.equal(2, #requests);
	end);

	it("end once, where a name cannot be looked up too", function ()
		local function push(host)
			services.send {
				subscription = host.."/1", host = host, origin = host, is_anywhere = false, node = host;
				notification = {}, on_end = function (status) table.insert(ended, status); end;
			};
		end
		push "broken";
		assert.same({ 0 }, ended);
		push "public";
		push "private";
		assert.equal(0, #requests);
		looked_up.public(true);
		looked_up.private(false);
		assert.same({ 0, "unreachable" }, ended);
		assert.equal(1, #requests);
	end);
end);
