-- Before a push to an account it is looked whether that has devices: what the push waits for where the store fails, and how often that is asked.

local prosody = require "harness.prosody";

describe("a push to an account", function ()
	local fails, asked, pushed, put_off, gone, log, hand_over;

	before_each(function ()
		fails, asked, pushed, put_off, gone, log = {}, {}, {}, {}, {}, {};
		local environment;
		local function part(name)
			if name == "muc_cloud_notify/way_message" then return { new = function (_, user) return { user = user }; end }; end
			return assert(loadfile(prosody.root .. "/lua/" .. name .. ".lua", "t", environment))(part);
		end
		local context = { fire_event = function (_, _, event) table.insert(pushed, event.stanza.user); end };
		environment = setmetatable({
			module = {
				host = "conference.localhost", _log = function () end;
				log = function (_, level, text, ...) if level == "error" then table.insert(log, text:format(...)); end end;
				context = function () return context; end;
			};
		}, { __index = _G });
		hand_over = part "muc_cloud_notify/account_handover".new {
			engine = {
				put_off = function (_, id, _, seconds) put_off[id] = seconds; end;
				handed_over = function (_, id) put_off[id] = "done"; end;
				set_account = function (_, user) table.insert(gone, user); end;
			};
			account_devices = {
				may_push = function (user)
					table.insert(asked, user);
					if fails.all or fails[user] then return nil, "on purpose"; end
					if fails.disabled == user then return nil; end
					return fails.gone ~= user;
				end;
			};
		}.hand_over;
	end);

	local function push(user, time)
		local has_looked = hand_over({ user = user }, user, 1, time or 0);
		return put_off[user], has_looked;
	end

	it("is handed over where it has devices, and ends where it has none", function ()
		assert.equal("done", push "juliet@localhost");
		fails.gone = "nurse@localhost";
		assert.is_nil((push "nurse@localhost"));
		assert.same({ { "juliet@localhost" }, { "nurse@localhost" }, {} }, { pushed, gone, log });
	end);

	it("waits for longer each time while its devices cannot be read, and is handed over then", function ()
		fails.all = true;
		local time, pauses = 0, {};
		for number = 1, 9 do
			pauses[number] = push("juliet@localhost", time);
			time = time + pauses[number];
		end
		assert.same({ 1, 2, 4, 8, 16, 32, 60, 60, 60 }, pauses);
		assert.same({ {}, {}, 1 }, { pushed, gone, #log });
		fails.all = nil;
		assert.equal("done", push("juliet@localhost", time));
		assert.same({ "juliet@localhost" }, pushed);
		fails.all = true;
		assert.equal(1, (push("juliet@localhost", time)));
	end);

	it("of a disabled account waits, and nobody complains", function ()
		fails.disabled = "juliet@localhost";
		assert.equal("number", type((push "juliet@localhost")));
		assert.same({ {}, {}, {} }, { pushed, gone, log });
	end);

	it("is not held up by others that cannot be read", function ()
		for number = 1, 100 do fails["broken-"..number.."@localhost"] = true; end
		for time = 1, 100 do
			assert.equal("done", push("juliet@localhost", time));
			for number = 1, 4 do push(("broken-%d@localhost"):format(4 * (time % 25) + number), time); end
		end
		assert.equal(100, #pushed);
		assert.equal(1, #log);
	end);

	it("is not held up where the store of another host fails", function ()
		for number = 1, 100 do fails["broken-"..number.."@other"] = true; end
		for number = 1, 100 do
			push(("broken-%d@other"):format(number), 1);
			assert.equal("done", push("juliet@localhost", 1));
		end
	end);

	-- So many accounts are pushed to as soon as they may be. Returns how many looks that takes in an hour.
	local function looks_in_an_hour(count)
		local due = {};
		for number = 1, count do due[number] = { user = ("user-%d@localhost"):format(number), at = 0 }; end
		local most = 0;
		for time = 0, 3600 do
			local before = #asked;
			for _, each in ipairs(due) do
				if each.at <= time then each.at = time + push(each.user, time); end
			end
			if time > 0 then most = math.max(most, #asked - before); end
		end
		return #asked, most;
	end

	it("does not wear out a store that fails, however many there are", function ()
		fails.all = true;
		local of_few = looks_in_an_hour(3);
		assert.is_true(of_few > 150 and of_few < 250, of_few);
		asked = {};
		local of_many, most = looks_in_an_hour(1000);
		assert.is_true(of_many < 700, of_many);
		assert.is_true(most <= 10, most);
		assert.is_true(#log <= 2, "once in an hour");
		fails.all, asked = nil, {};
		for number = 1, 1000 do assert.equal("done", push(("user-%d@localhost"):format(number), 4000)); end
	end);
end);
