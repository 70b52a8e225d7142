-- What the Lua files keep has a bound, in numbers and in bytes; and requests have one in time.

local st = require "util.stanza";

local prosody = require "harness.prosody";

-- Loads parts of the modules with another clock.
local clock = { now = 0 };

local environment = setmetatable({
	module = { host = "conference.localhost", log = function () end };
	prosody = { hosts = { localhost = { type = "local" } } };
}, { __index = _G });

function environment.require(name)
	return name == "util.time" and { monotonic = function () return clock.now; end, now = os.time } or require(name);
end

local function part(name)
	return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
end

describe("a bounded cache", function ()
	local bounded_cache = part "shared/bounded_cache";

	it("keeps as many values as it may, and is emptied for one more", function ()
		local cache = bounded_cache.new(3);
		for i = 1, 3 do cache.set(i, i); end
		cache.set(2, "two"); -- no new one
		assert.same({ 1, "two", 3 }, { cache.get(1), cache.get(2), cache.get(3) });
		cache.forget(1);
		cache.set(4, 4);
		assert.equal(3, cache.get(3));
		cache.set(5, 5);
		assert.same({ nil, 5 }, { cache.get(3), cache.get(5) });
	end);

	it("keeps as much weight as it may", function ()
		local cache = bounded_cache.new(100, 10);
		cache.set("a", 1, 4);
		cache.set("b", 2, 4);
		cache.set("a", 3, 6); -- in place of the other
		assert.same({ 3, 2 }, { cache.get "a", cache.get "b" });
		cache.forget "a";
		cache.set("c", 4, 6);
		assert.same({ 2, 4 }, { cache.get "b", cache.get "c" });
		cache.set("d", 5, 1);
		assert.same({ nil, 5 }, { cache.get "b", cache.get "d" });
		cache.set("e", 6, 11); -- too heavy by itself
		assert.same({ 5, nil }, { cache.get "d", cache.get "e" });
	end);
end);

describe("a large set", function ()
	local large_set = part "shared/large_set";

	it("has what was added, and has not been removed", function ()
		local set = large_set.new();
		for i = 1, 5000 do set.add("user" .. i); end
		set.add "user1"; -- again
		for i = 1, 5000, 2 do set.remove("user" .. i); end
		set.remove "nobody";
		for i = 1, 5000 do assert.equal(i % 2 == 0, set.has("user" .. i)); end
		assert.is_false(set.has "nobody");
		assert.is_false(set.has "");
	end);

	it("takes no memory for what was removed", function ()
		local function bytes()
			collectgarbage();
			collectgarbage();
			return collectgarbage "count" * 1024;
		end
		local set = large_set.new();
		local before = bytes();
		for i = 1, 50000 do set.add("user" .. i); end
		assert.is_true(bytes() - before > 2000000);
		for i = 1, 50000 do set.remove("user" .. i); end
		assert.is_true(bytes() - before < 200000);
		assert.is_false(set.has "user1");
	end);
end);

describe("a token bucket", function ()
	local function taken(buckets, key, times)
		local count = 0;
		for _ = 1, times do
			if buckets.take(key) then count = count + 1; end
		end
		return count;
	end

	it("holds so many tokens, and is refilled at its rate", function ()
		local buckets = part "shared/token_buckets".new(30, 10 / 60, 10000);
		assert.equal(30, taken(buckets, "ann", 100));
		assert.equal(30, taken(buckets, "ben", 100));
		for _, case in ipairs { { 5.9, 0 }, { 0.2, 1 }, { 60, 10 }, { 3600, 30 } } do
			clock.now = clock.now + case[1];
			assert.equal(case[2], taken(buckets, "ann", 100), "after " .. case[1] .. " s");
		end
		-- Whoever is slower never waits.
		for _ = 1, 100 do
			clock.now = clock.now + 6;
			assert.equal(1, taken(buckets, "ben", 1));
		end
	end);

	it("is one of a bounded number", function ()
		local buckets = part "shared/token_buckets".new(2, 1, 10000);
		collectgarbage();
		local before = collectgarbage "count";
		for i = 1, 100000 do buckets.take("somebody-" .. i .. "@elsewhere.example"); end
		collectgarbage();
		assert.is_true(collectgarbage "count" - before < 3000);
	end);
end);

describe("the addressees of pushes", function ()
	-- A publish module over an engine whose devices have these forms. Returns it, and how often the engine was asked.
	local function publish_to(form_of)
		local asked = { count = 0 };
		local engine = {};
		function engine:addressee(device) -- luacheck: ignore 212/self
			asked.count = asked.count + 1;
			return "ann-" .. device .. "@users.localhost", "push.localhost", "node-" .. device, form_of(device);
		end
		return part "muc_cloud_notify/publish".new(engine), asked;
	end

	local function form(fields, bytes)
		local x = st.stanza("x", { xmlns = "jabber:x:data", type = "submit" });
		for i = 1, fields do
			x:tag("field", { xmlns = "jabber:x:data", var = "f" .. i }):text_tag("value", ("v"):rep(bytes), { xmlns = "jabber:x:data" }):up();
		end
		return x;
	end

	it("are kept for a thousand devices of ordinary clients", function ()
		local publish, asked = publish_to(function () return form(3, 32); end);
		for _ = 1, 3 do
			for device = 1, 1000 do publish.addressee(device); end
		end
		assert.equal(1000, asked.count);
	end);

	it("are kept up to eight megabytes, however large the forms are", function ()
		local publish, asked = publish_to(function () return form(31, 200); end);
		collectgarbage();
		local before, most = collectgarbage "count", 0;
		for device = 1, 2000 do
			publish.addressee(device);
			if device % 100 == 0 then
				collectgarbage();
				most = math.max(most, collectgarbage "count" - before);
			end
		end
		assert.equal(2000, asked.count);
		assert.is_true(most < 9000, most .. " kB");
		publish.addressee(2000);
		assert.equal(2000, asked.count);
	end);
end);

describe("a look at the leases", function ()
	it("searches for the rooms of so many users at once, and for all of them in the end", function ()
		local users, waiting, most, expired = 2300, {}, 0, {};
		local engine = { is_handed_out = false };
		function engine:begin_lease_check() self.is_handed_out = false; end
		function engine:next_aged_devices()
			if self.is_handed_out then return nil; end
			self.is_handed_out = true;
			local aged = {};
			for i = 1, users do
				aged[i] = { user = "user-" .. i .. "@users.localhost", push_identifier = "p", app_server = "push.localhost", is_over = true };
			end
			return aged;
		end
		environment.module = {
			host = "conference.localhost", name = "muc_cloud_notify", log = function () end;
			open_store = function () return { get = function () return nil; end, set = function () return true; end }; end;
		};
		part "muc_cloud_notify/leases".new {
			engine = engine, lease = 90 * 86400;
			tasks = { later = function (_, func, on_end) func(function () end); on_end(); end };
			registrations = { expire = function (user) table.insert(expired, user); return true; end };
			find_memberships = function (_, on_found)
				table.insert(waiting, on_found);
				most = math.max(most, #waiting);
			end;
		}.look();
		while waiting[1] do
			table.remove(waiting, 1)(false);
		end
		assert.equal(500, most);
		assert.equal(users, #expired);
	end);
end);

describe("messages that are held", function ()
	local held_messages = part "muc_cloud_notify/held_messages";
	local rooms, held;

	before_each(function ()
		rooms = {};
		held = held_messages.new { presence = {}, may_have_device = function () end, is_important = function () return true; end };
	end);

	-- So many messages of 20 kB, of which 192 weigh half of the space, in a room that is there by its name.
	local function say(name, sender, messages)
		rooms[name] = rooms[name] or { jid = name .. "@conference.localhost", _occupants = {} };
		for _ = 1, messages do
			held.hold(rooms[name], "message", { sender = sender }, st.message({}, ("x"):rep(20000)));
		end
	end

	-- How many of a room's have their words.
	local function with_words(name)
		local messages = 0;
		held.on_release("message", function () messages = messages + 1; end);
		held.on_release("forgotten", function () end);
		held.release(rooms[name].jid, function () end);
		return messages;
	end

	it("leave others their share, however many rooms and domains somebody has", function ()
		for i = 1, 8 do say("own-" .. i, "mallory@s" .. i .. ".evil.example", 300); end
		say("honest", "ann@good.example", 50);
		say("ours", "bob@localhost", 20);
		assert.equal(50, with_words "honest");
		assert.equal(20, with_words "ours");
	end);

	it("are as many in one room as are left for others, and space that is free again is anybody's", function ()
		say("one", "ann@good.example", 300);
		assert.equal(192, with_words "one");
		say("other", "ann@good.example", 300);
		held.take_over(held.hand_over());
		say("third", "bob@good.example", 300);
		assert.equal(192, with_words "other");
		assert.equal(0, with_words "third");
		say("fourth", "bob@good.example", 300);
		assert.equal(192, with_words "fourth");
	end);
end);
