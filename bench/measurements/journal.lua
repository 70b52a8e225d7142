-- What the journal costs: the CPU for pushes with it, next to those without it, in the same server.

local raw_component = require "bench.raw_component";

local measurement = { name = "journal" };

-- How many times the journal is switched on and off, and how many fan-outs there are each time: what is written of one is
-- written with the next.
local fan_outs = 4;

function measurement.run(results, server)
	local sizes = results.sizes;
	local count = sizes.devices;
	local crowd = server:make_room("journal-crowd", { { prefix = "d", count = count, host = server.users_host } });
	server.users:join("bob", crowd);
	server:fan_out(crowd, count);

	-- Seconds of CPU for a push.
	local function cost(has_journal)
		server.prosody:reconfigure { muc_push_journal = has_journal };
		server.prosody:reload_config();
		server.prosody:reload_module("muc_cloud_notify");
		raw_component.pause(sizes.journal_seconds); -- in which a checkpoint is made
		server:fan_out(crowd, count);
		server:call("collect");
		server:wait_until_idle();
		local before = server:cpu();
		for _ = 1, fan_outs do server:fan_out(crowd, count); end
		server:wait_until_idle();
		return (server:cpu() - before) / fan_outs / count;
	end

	local ratios, with = {}, {};
	local before = cost(false);
	for repetition = 1, sizes.journal_repetitions do
		with[repetition] = cost(true);
		local after = cost(false);
		ratios[repetition] = with[repetition] / ((before + after) / 2);
		with[repetition] = with[repetition] * 1e6;
		before = after;
	end
	server.prosody:reconfigure { muc_push_journal = true };
	server.prosody:reload_config();
	server.prosody:reload_module("muc_cloud_notify");
	raw_component.pause(sizes.journal_seconds);
	results:add { id = "journal_ratio", text = "CPU per push with the journal, over without", unit = "×", digits = 2, limit = 1.05, samples = ratios };
	results:add { id = "journal_push", text = "– a push with it, the message included", unit = "µs", digits = 0, samples = with };
end

return measurement;
