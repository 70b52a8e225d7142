-- Which messages have been reported as undelivered to a session during a visit, so that none is reported twice.
--
-- Bounds: `max_reports` of a visit, or as many as there were broadcasts where that is known; `max_visits` that have any. A visit
-- whose reports are forgotten because there are too many gets no more of them.
--
-- This file is MIT/X11 licensed.

local part = ...;

local queues = part "muc_undelivered/queue";

local max_reports = 1000;
local max_visits = 10000;

-- Of the reports of a visit, and of each.
local weight_of_visit = 400;
local weight_of_report = 75;

local function forget(reports)
	reports.keys, reports.count = {}, math.huge;
end

local function new(memory)
	local queue = queues.new { memory = memory, seconds = math.huge, limit = max_visits, forget = forget };

	-- key: an archive id or a number of a message, or "id " with the id of a bounce. Another name of a message that is reported
	-- does not count once more.
	local function add(visit, key)
		local reports = visit.reports;
		if not reports then
			reports = { keys = {}, count = 0, room = visit.room, owner = visit.owner, weight = weight_of_visit };
			visit.reports = reports;
			queue.add(reports);
		end
		if reports.keys[key] or not reports.place then return; end
		reports.keys[key] = true;
		queue.grow(reports, weight_of_report + #tostring(key));
	end

	local function has(visit, key)
		return visit.reports ~= nil and visit.reports.keys[key] == true;
	end

	-- Takes note that a message is reported. Returns false where it has been, or where there are as many reports as there
	-- can be: with ids made up, a session could ask for any number of them.
	local function report(visit, key)
		if has(visit, key) then return false; end
		local sent = visit.since and (visit.till or visit.room.history.number) - visit.since or max_reports;
		local count = visit.reports and visit.reports.count or 0;
		if count >= math.min(sent, max_reports) then return false; end
		add(visit, key);
		visit.reports.count = visit.reports.count + 1;
		return true;
	end

	-- The visit is not kept any more.
	local function release(visit)
		if visit.reports then queue.remove(visit.reports); end
	end

	return { report = report, add = add, has = has, release = release, save = queue.save, restore = queue.restore };
end

return { new = new };
