-- How long the event loop is held up while thousands of registrations are loaded, what they had waiting is taken up, and all are told. `make
-- bench` measures it; here it is only seen that all of this is done in slices, also on a machine that is busy with something else.

local loop = require "harness.loop";

local crowds = require "spec.support.crowd";
local storages = require "spec.support.storages";
local versions = require "spec.support.versions";

local members, other_rooms = 3000, 39;

-- In one turn, each of it takes some tenths of a second of CPU, of which what else the machine does is no part.
local most_cpu, most_late = 0.06, 0.5;

-- Something in each of some further rooms with the same members.
local say_elsewhere = [[
	local room_jid, count = ...;
	local like = muc.get_room_from_jid(room_jid);
	for i = 1, count do
		local room = muc.create_room("other"..i.."@"..module.host);
		for bare_jid, affiliation in pairs(like._affiliations) do room._affiliations[bare_jid] = affiliation; end
		room:set_persistent(true);
		assert(room:save(true));
		room:broadcast_message(st.message({ type = "groupchat", from = room.jid.."/somebody", id = "other"..i }):text_tag("body", "text"));
	end
]];

versions.describe("a turn of the event loop", function (version)
	local crowd;

	lazy_setup(function ()
		crowd = crowds.start(version, { storage = storages[1], members = members, log_level = "info", muc = {
			modules_enabled = { "muc_cloud_notify", "harness_lateness" }, harness_lateness_from_start = true, muc_push_max_in_flight = 100000;
		} });
	end);

	local function call(name)
		return crowd.server:admin("return prosody.hosts[module.host].modules.harness_lateness[...]()", name);
	end

	-- Returns for how long it was held up at worst, by whatever else than a lack of CPUs.
	local function assert_no_turn_was_busy()
		local _, busiest, ticks, latest = call "finish";
		if os.getenv "TURN_FIGURES" then print(version, ("late %.4f s, busy %.4f s, %d ticks"):format(latest, busiest, ticks)); end
		assert.is_true(ticks > 20, ticks);
		assert.is_true(busiest < most_cpu, ("one took %.3f s of CPU"):format(busiest));
		return latest;
	end

	local function assert_no_turn_was_long()
		local latest = assert_no_turn_was_busy();
		assert.is_true(latest < most_late, ("one took %.3f s"):format(latest));
	end

	local function assert_all_told(count)
		assert.equal(members, crowd:wait_until_told(members, count or crowd.said));
		assert.same({ members, 0, 0 }, { crowd:summary(count) });
		crowd:forget();
	end

	it("is short while registrations are loaded", function ()
		crowd:wait_until_loaded();
		assert_no_turn_was_long();
	end);

	it("is short while a message is told to everybody", function ()
		crowd:wait_until_read();
		crowd:say(); -- by which the app server shows how much it can take
		assert_all_told();
		local latest;
		for _ = 1, 3 do -- the disk may be busy with something else too
			call "begin";
			crowd:say();
			assert_all_told();
			latest = assert_no_turn_was_busy();
			if latest < most_late then break; end
		end
		assert.is_true(latest < most_late, ("one took %.3f s"):format(latest));
	end);

	it("is short while what waits for everybody is taken up after a kill, and told", function ()
		crowd:watch "silence";
		crowd:say();
		crowd.server:admin(say_elsewhere, crowd.room, other_rooms);
		crowd:wait_until_told(1);
		assert(loop.wait_until(function () return crowd:stats().spreading == 0; end, nil, 0.01), "it has not come to everybody");
		crowd:wait_until_stored();
		crowd:kill();
		crowd:forget();
		crowd:start_again();
		assert_all_told(crowd.said + other_rooms);
		assert_no_turn_was_long();
	end);
end);
