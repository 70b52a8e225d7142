-- The boundary between Lua and Rust, with arguments that nobody would write: each call is an error or an answer, and the engine
-- goes on as before.
--
-- FUZZ_SECONDS says for how long, 10 unless it is set; SEED repeats the course of a run. A seed that has found something is
-- added to `kept`.

local monotonic = require "util.time".monotonic;

local boundary = require "spec.support.boundary";
local files = require "harness.files";

local room, user = boundary.room, boundary.user;
local kept = { 1, 2 };
local calls_of_a_kept_seed = 500;

-- What the arguments of the contract are made by, for calls that get far; others are anything at all.
local makers = {
	user = "user", bare_jid = "user", room = "room", iq = "iq", record = "record", message = "stanza", facts = "facts", snapshot = "snapshot";
	members = "pairs", occupants = "pairs", now = "clock", unix_time = "time", scope = "scope", device = "number", summary = "number";
	is_suspended = "boolean", is_member = "boolean", push_identifier = "text", renewed = "text", nick = "text", id = "text", from = "text";
	error_type = "text", condition = "text";
};

-- The methods of the contract: lists of the name and of what makes each argument.
local function read_methods()
	local methods = {};
	for name, arguments in files.read("lua/muc_cloud_notify/engine_types.lua"):gmatch("\nfunction engine:([%w_]+)%(([^)]*)%)") do
		local method = { name };
		for argument in arguments:gmatch("[%w_]+") do
			local maker = makers[argument] or "anything";
			table.insert(method, maker == "facts" and name == "handle_bounce" and "bounce" or maker);
		end
		table.insert(methods, method);
	end
	assert(#methods > 30, "the contract cannot be read");
	return methods;
end

local methods = read_methods();

-- Numbers that look random, the same for the same seed with every Lua.
local function numbers(seed)
	local state = seed % 2147483647;
	if state == 0 then state = 1; end
	return function (limit)
		state = state * 48271 % 2147483647;
		return state % limit + 1;
	end
end

local fragments = {
	"", " ", "a", "<", "\0", "\1", "\255", "\237\160\128", "\u{301}", "\u{200D}", "\u{202E}", "ß", "🎉", "xml:lang", "urn:a\1b", "xmlns", "name",
	"attr", "tags", "body", "jid", "node", "options", "timestamp", "push.localhost", "push.localhost<n1", user, room, room.."/bob", "1e999", "-1",
	("x"):rep(70000),
};
local odd_numbers = { 0, -1, 1, 0.5, 1e308, -1e308, 0/0, 1/0, -1/0, math.maxinteger, math.mininteger, 2^53, 2^63 };

local function raise() error("a metamethod was called"); end
local hostile_mt = { __index = raise, __newindex = raise, __pairs = raise, __len = raise, __tostring = raise, __eq = raise, __call = raise,
	__gc = nil, __name = "hostile", __metatable = "none" };

local function new_maker(random)
	local make = {};

	local function one_in(count) return random(count) == 1; end

	function make.text()
		local parts = {};
		for i = 1, random(3) do parts[i] = fragments[random(#fragments)]; end
		return table.concat(parts);
	end
	function make.boolean() return one_in(2); end
	function make.number() return one_in(3) and odd_numbers[random(#odd_numbers)] or random(100); end
	function make.time() return one_in(8) and odd_numbers[random(#odd_numbers)] or random(1000); end
	function make.clock() return random(1000); end
	function make.user() return one_in(2) and user or make.text(); end
	function make.room() return one_in(4) and make.text() or room; end
	function make.scope() return one_in(2) and "all-rooms" or "one-room"; end

	-- A table of any shape: deep, wide, with itself inside, with metamethods that raise errors.
	function make.table(depth)
		local made = {};
		for _ = 1, random(6) do
			local key = one_in(3) and random(5) or make.text();
			made[key] = make.anything((depth or 0) + 1);
		end
		if one_in(12) then made[random(3)] = made; end
		if one_in(40) then
			local inner = made;
			for _ = 1, 5000 do inner[1] = { name = "a", attr = {} }; inner = inner[1]; end
		end
		if one_in(60) then
			for i = 1, 20000 do made[i] = one_in(2) and { name = "a", attr = {} } or "text"; end
		end
		if one_in(8) then setmetatable(made, hostile_mt); end
		return made;
	end

	function make.anything(depth)
		local kind = random(10);
		if kind <= 2 then return make.text();
		elseif kind <= 4 then return make.number();
		elseif kind == 5 then return make.boolean();
		elseif kind == 6 then return ({ print, io.stdout, coroutine.create(print), raise })[random(4)];
		elseif (depth or 0) < 6 then return make.table(depth);
		end
		return nil;
	end

	-- A stanza with something wrong in it.
	local function damaged(stanza)
		local at = stanza;
		for _ = 1, random(3) do at = type(at) == "table" and type(rawget(at, 1)) == "table" and rawget(at, 1) or at; end
		local what = random(8);
		if what == 1 then rawset(at, "name", make.anything());
		elseif what == 2 then rawset(at, "attr", make.anything());
		elseif what == 3 and type(rawget(at, "attr")) == "table" then rawset(rawget(at, "attr"), make.text(), make.anything());
		elseif what == 4 then rawset(at, random(3), make.anything());
		elseif what == 5 then rawset(at, "tags", make.anything());
		elseif what == 6 then rawset(at, 1, stanza);
		end
		return stanza;
	end
	function make.stanza()
		local message = boundary.message("text");
		message.tags[1][1] = make.text(); -- util.stanza would not take all of it
		return damaged(message);
	end
	function make.iq()
		local iq = boundary.enable_iq(nil, boundary.form);
		if one_in(3) then iq.tags[1].name = "disable"; end
		iq.tags[1].attr.node = make.text();
		return damaged(iq);
	end

	local function mixed(fields, odds)
		for name in pairs(fields) do
			if one_in(odds) then fields[name] = make.anything(); end
		end
		if one_in(odds * 2) then fields[make.text()] = make.anything(); end
		return fields;
	end
	function make.registration()
		return mixed({ jid = make.text(), node = make.text(), timestamp = make.number(), options = make.stanza() }, 6);
	end
	function make.record()
		local record = {};
		for _ = 1, random(4) do record[make.text()] = one_in(6) and make.anything() or make.registration(); end
		return record;
	end
	function make.pairs()
		local made = {};
		for _ = 1, random(4) do made[make.user()] = one_in(3) and make.anything() or make.text(); end
		return made;
	end
	function make.facts() return mixed(boundary.facts { present = one_in(3) and { make.user() } or nil }, 12); end
	function make.bounce()
		return mixed(boundary.facts { user = make.user(), message_key = make.text(), sent = make.time(), gone_nick = make.text() }, 16);
	end
	function make.snapshot()
		local pending = mixed({ body = make.text(), sender = make.text(), mentioned = make.boolean(), messages = make.number(), age = make.time(),
			places = { random(4), random(4) } }, 12);
		local missed = mixed({ room = make.room(), count = random(10), pending = pending }, 12);
		local device = mixed({ user = make.user(), key = "push.localhost<n1", errors = 0, attempts = 0, pinged = false, missed = { missed } }, 16);
		return mixed({ devices = { device }, messages = { mixed({ author = make.text(), ids = { { id = make.text() } }, age = make.time() }, 8) },
			nicknames = { mixed({ room = make.room(), user = make.user(), nick = make.text() }, 8) } }, 16);
	end
	return make, one_in;
end

-- What a table holds, as text, so that a change of it is seen; deep enough for what is handed over.
local function dump(value, depth, seen)
	if type(value) ~= "table" then return tostring(value); end
	if seen[value] or depth > 4 then return "…"; end
	seen[value] = true;
	local parts = {};
	for key, child in next, value do
		table.insert(parts, (type(key) == "table" and "…" or tostring(key)) .. "=" .. dump(child, depth + 1, seen));
		if #parts > 200 then break; end
	end
	table.sort(parts);
	seen[value] = nil;
	return table.concat(parts, ",");
end

-- The engine still does what it is for.
local function assert_works(engine)
	local name, honest = "honest@users.localhost", "honest@conference.localhost";
	engine:set_registrations(name, { ["app.localhost<h"] = { jid = "app.localhost", node = "h" } });
	boundary.set_members(engine, honest, { [name] = false });
	engine:set_occupants(honest, {}, 1);
	assert.equal(1, engine:handle_message(boundary.facts { room = honest }, boundary.message(), 2000));
	local pushed;
	for _ = 1, 100 do
		engine:handle_timeout(2000);
		local id, device = engine:poll_push(2000, "all-rooms");
		if not id then break; end
		local whose = engine:addressee(device);
		pushed = pushed or whose == name;
		engine:withdraw(id);
	end
	assert.is_true(pushed);
	engine:set_registrations(name, nil);
	engine:room_destroyed(honest);
end

-- Calls methods with such arguments, as many as until() lets. Returns how many it were.
local function run(seed, is_over)
	local random = numbers(seed);
	local make, one_in = new_maker(random);
	local engine = boundary.open();
	local count = 0;
	repeat
		count = count + 1;
		local method = methods[random(#methods)];
		local arguments = table.pack(table.unpack(method, 2));
		for i = 1, arguments.n do
			local kind = arguments[i];
			arguments[i] = one_in(8) and make.anything() or make[kind]();
			-- The clock of the server does not jump: what has been at a time without end is never over.
			if kind == "clock" and type(arguments[i]) == "number" then arguments[i] = make.clock(); end
		end
		if one_in(20) then arguments.n = random(6) - 1; end
		local changes_nothing = method[1]:find("^prepare_") or method[1] == "without_registration";
		local before = changes_nothing and dump(arguments, 0, {}) .. dump(engine:stats(), 0, {});
		local ok, err = pcall(engine[method[1]], engine, table.unpack(arguments, 1, arguments.n));
		if not ok then
			local text = tostring(err);
			assert(#text > 0, "an error without a text");
			-- A panic arrives as an error too, and is a fault of the engine.
			assert(not text:find("panic"), ("SEED=%d: call %d, of %s: %s"):format(seed, count, method[1], text));
			-- What nobody sees may not be called either.
			assert(not text:find("a metamethod was called", 1, true), ("SEED=%d: call %d, of %s, has called a metamethod"):format(seed, count, method[1]));
		end
		if changes_nothing then
			assert(before == dump(arguments, 0, {}) .. dump(engine:stats(), 0, {}), ("SEED=%d: call %d, of %s, has changed something")
				:format(seed, count, method[1]));
		end
		if count % 500 == 0 then assert_works(engine); end
	until is_over(count);
	assert_works(engine);
	boundary.close();
	return count;
end

describe("boundary, with anything at all", function ()
	after_each(boundary.close);

	it("makes an error or an answer of it, with the seeds that are kept", function ()
		for _, seed in ipairs(kept) do
			run(seed, function (count) return count >= calls_of_a_kept_seed; end);
		end
	end);

	it("and with others, for some time", function ()
		local seed = tonumber(os.getenv("SEED")) or os.time() % 2147483647;
		local over = monotonic() + (tonumber(os.getenv("FUZZ_SECONDS")) or 10);
		print(("SEED=%d"):format(seed));
		run(seed, function () return monotonic() > over; end);
	end);
end);
