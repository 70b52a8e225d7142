-- The records of the outbox in Prosody's storage, under names; a record without a name is what earlier versions have stored. Those of
-- messages that are held are in a store of their own, in the same way.
--
-- What cannot be read is kept aside: it is neither looked at any more nor removed, and nothing is written in its place. Somebody
-- may want to have a look at it. Which records these are is in a record of its own.
--
-- This file is MIT/X11 licensed.

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names
local now = require "util.time".now;

local aside_name = "aside";
local unused_name = "nothing"; -- under which there is never anything

-- What is stored, in words.
local subjects = { outbox = "the outbox", held = "what was held" };

-- what: "outbox" or "held"; standby: see standby.lua; only a process that serves writes
local function open(what, standby)
	local store, subject = module:open_store(module.name.."_"..what), subjects[what];
	local aside; -- name -> true; "" for the record without a name
	local opened, opened_at = monotonic(), now();

	local function call(doing, method, ...)
		local ok, result, err = pcall(store[method], store, ...);
		if ok and (result ~= nil and result ~= false or not err) then return true, result; end
		-- The details may quote what is stored, which is nothing for the log.
		module:log("debug", "%s of %s: %s", doing, subject, tostring(ok and err or result));
		return false;
	end

	-- What a record says of when it was written: the time of day, but without the jumps that the clock of a machine makes once it
	-- has been set. Else all that was written before one would be too old to be told.
	local function time()
		return opened_at + monotonic() - opened;
	end

	-- What is stored under a name. Returns whether the store could tell, and the record, nil where there is none.
	local function read(name)
		return call("Reading the record "..(name or "without a name"), "get", name);
	end

	-- Whether the store answers at all.
	local function is_answering()
		return (read(unused_name));
	end

	-- Returns whether it is stored now. record: nil for none
	local function write(name, record)
		if not standby.may_store() then return false; end
		local ok, result = call("Writing the record "..(name or "without a name"), "set", name, record);
		return ok and result ~= nil and result ~= false;
	end

	-- Returns whether it is known which records are kept aside.
	local function read_aside()
		local ok, record = read(aside_name);
		if not ok then return false; end
		aside = {};
		for _, name in ipairs(type(record) == "table" and type(record.names) == "table" and record.names or {}) do aside[name] = true; end
		return true;
	end

	local function is_aside(name)
		if not aside then read_aside(); end
		return aside ~= nil and aside[name or ""] == true;
	end

	-- why: what the log says of it, nil for nothing
	local function keep_aside(name, why)
		if why then
			module:log("error", "The record %s of %s %s: it is kept aside, and all others are taken up", name or "without a name", subject, why);
		end
		if is_aside(name) then return; end
		aside = aside or {};
		aside[name or ""] = true;
		local names = {};
		for other in pairs(aside) do table.insert(names, other); end
		table.sort(names);
		write(aside_name, { names = names });
	end

	-- The names of all records that are not kept aside, in their order; nil where the store cannot tell.
	local function list()
		local names = {};
		local ok, err = pcall(function ()
			for name in store:users() do
				if name and name ~= "" and name ~= aside_name and not is_aside(name) then table.insert(names, name); end
			end
		end);
		if not ok then
			module:log("debug", "Listing the records of %s: %s", subject, tostring(err));
			return nil;
		end
		table.sort(names);
		return names;
	end

	-- Returns whether it is gone.
	local function remove(name)
		return is_aside(name) or write(name, nil);
	end

	return {
		can_list = store.users ~= nil, read = read, is_answering = is_answering, write = write, list = list, remove = remove;
		read_aside = read_aside, is_aside = is_aside, keep_aside = keep_aside, time = time;
	};
end

return { open = open };
