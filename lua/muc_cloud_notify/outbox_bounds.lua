-- How much of the outbox is written at once.
--
-- This file is MIT/X11 licensed.

return {
	-- A stop writes for so long, and so much.
	seconds_per_stop = 0.5, bytes_per_stop = 64 * 1024 * 1024;

	-- How many devices there are in a part of a checkpoint or of what a stop stores: a start reads one in a turn of the event loop.
	devices_per_part = 500;
};
