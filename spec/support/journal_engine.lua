-- An engine that only knows how much is unread: a number for each name. What has changed is written by batches. And a laboratory for it.

local outbox_laboratory = require "spec.support.outbox_laboratory";

local journal_engine = {};

-- lab: see outbox_laboratory.lua
function journal_engine.new(lab)
	local engine = { unread = {}, dirty = {}, stored = {}, most = math.huge, prepared = 3, restored_at = {}, calls = {} };
	local under_way;

	function engine:change(name, count)
		self.unread[name] = count;
		self.dirty[name] = true;
	end

	local function text_of(name)
		return ("%s=%d\n"):format(name, engine.unread[name] or 0);
	end

	local function make_batch()
		assert(not under_way, "the last batch is not done");
		local list = {};
		under_way = {};
		for name in pairs(engine.dirty) do
			if #list < engine.most then
				table.insert(list, text_of(name));
				under_way[name] = engine.unread[name] or 0;
			end
		end
		if not list[1] then
			under_way = nil;
			return nil;
		end
		for name in pairs(under_way) do engine.dirty[name] = nil; end
		local text = table.concat(list);
		return { unread = text }, engine.bytes or #text;
	end

	function engine.poll_batch()
		if engine.fails == "poll_batch" then error("a panic"); end
		return make_batch();
	end
	engine.finish_batch = make_batch;

	-- bequests: user -> the text of one, for whatever record
	function engine:bequest(user)
		if self.fails == "bequest" then error("a panic"); end
		local text = self.bequests and self.bequests[user];
		if not text then return nil, 0; end
		return { unread = text }, #text;
	end

	function engine:batch_stored(_, seconds)
		for name, count in pairs(under_way) do self.stored[name] = count; end
		under_way = nil;
		table.insert(self.calls, seconds);
	end

	function engine:batch_failed()
		for name in pairs(under_way or {}) do self.dirty[name] = true; end
		under_way = nil;
		table.insert(self.calls, "failed");
	end

	-- In three calls.
	function engine:plan_snapshot(plan)
		plan = plan or { calls = 0 };
		plan.calls = plan.calls + 1;
		if plan.calls < 3 then return plan, nil; end
		for name in pairs(self.unread) do table.insert(plan, name); end
		table.sort(plan);
		return plan, #plan;
	end

	function engine.next_part(_, plan)
		if engine.fails == "next_part" then error("a panic"); end
		assert(plan.calls == 3, "not all is planned");
		if not plan[1] then return nil, 0, 0; end
		local list = {};
		for _ = 1, 3 do
			local name = table.remove(plan, 1);
			if name and engine.unread[name] then table.insert(list, text_of(name)); end
		end
		local text = table.concat(list);
		return list[1] and { unread = text } or {}, #text, #plan;
	end

	function engine:stats()
		local count = 0;
		for _ in pairs(self.dirty) do count = count + 1; end
		return { unstored = count, spreading = self.spreading or 0 };
	end

	function engine:prepare_restore()
		self.prepared = self.prepared - 1;
		return self.prepared < 0;
	end

	function engine:restore(record, time)
		assert(self.prepared < 0, "it is not prepared");
		assert(not record.is_broken, "it is broken");
		table.insert(self.restored_at, time - lab.time);
		for name, count in (record.unread or ""):gmatch("(%w+)=(%d+)\n") do
			self.unread[name] = count ~= "0" and tonumber(count) or nil;
		end
		return 0;
	end

	return engine;
end

local Lab = {};

-- As after a start of the process: an engine that knows nothing takes up what is stored.
function Lab:start()
	self.engine = journal_engine.new(self);
	self.outbox = self:open(self.engine, { has_journal = true });
	self:restore(self.outbox);
end

-- Changes a number, and does what is due.
function Lab:say(name, count)
	self.engine:change(name, count);
	self.outbox.turn(self.time);
end

-- An outbox laboratory with such an `engine`, whose store is `outbox`; both are started.
function journal_engine.new_lab()
	local lab = outbox_laboratory.new();
	for name, method in pairs(Lab) do lab[name] = method; end
	lab:start();
	return lab;
end

return journal_engine;
