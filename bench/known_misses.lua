-- The rows that are known to miss their bar, by their id, and why: `make bench` does not fail for them. The notes of docs/performance.md
-- say more of each.

local memory = "it waits for memory, as what belongs to the devices is in no cache; the work is the same, and small beside what a push costs";

return {
	idle_ratio = "some 3 µs on top of 45, of which a part is what mod_muc_undelivered remembers of each message";
	hostile_elements = "Prosody alone is late by more than the bar; the row after the next one has a bar for what the module adds";
	engine_message = memory;
	engine_turn = memory;
	["engine_journal-batch"] = memory;
	["engine_journal-large-batch"] = memory;
	["engine_journal-message"] = memory;
	["engine_journal-turn"] = memory;
};
