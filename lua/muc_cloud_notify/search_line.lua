-- Who waits until they can be searched for, see room_search.lua: by turns of the families of domains that they are from, so that
-- nobody waits behind all that somebody else has sent.
--
-- Bounds: `max_strangers` of other servers. When there are more, the family that has most in line gives up its newest. Each host of this
-- server has turns of its own, and is not limited: it is up to the operator who has an account.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local families = part "shared/families";
local local_hosts = part "muc_cloud_notify/local_hosts";

local max_strangers = 1000;

local function new()
	-- In the order of their turns, and by their keys: { key, first, last = which entries are there, is_local }
	local turns, lines = {}, {};
	local strangers = 0;

	local function open(bare_jid)
		local is_local = local_hosts.is_local(bare_jid);
		local host = jid_host(bare_jid);
		local key = is_local and "local "..host or families.of(host);
		local line = lines[key];
		if not line then
			line = { key = key, first = 1, last = 0, is_local = is_local };
			lines[key] = line;
			table.insert(turns, line);
		end
		return line;
	end

	local function length(line)
		return line.last - line.first + 1;
	end

	-- Takes out the newest of the family that has most in line. newcomer: the line of the last who came
	local function take_newest(newcomer)
		local longest = newcomer;
		for _, line in ipairs(turns) do
			if not line.is_local and length(line) > length(longest) then longest = line; end
		end
		local entry = longest[longest.last];
		longest[longest.last], longest.last = nil, longest.last - 1;
		strangers = strangers - 1;
		if length(longest) == 0 then -- it has just been opened
			lines[longest.key] = nil;
			table.remove(turns);
		end
		return entry;
	end

	-- go_on(): is called when it is their turn; give_up(): where it never will be
	local function add(bare_jid, go_on, give_up)
		local line = open(bare_jid);
		line.last = line.last + 1;
		line[line.last] = { go_on = go_on, give_up = give_up };
		if line.is_local then return; end
		strangers = strangers + 1;
		if strangers > max_strangers then take_newest(line).give_up(); end
	end

	-- Returns the go_on() of the next one, nil where nobody waits.
	local function take()
		local line = table.remove(turns, 1);
		if not line then return nil; end
		local entry = line[line.first];
		line[line.first], line.first = nil, line.first + 1;
		if not line.is_local then strangers = strangers - 1; end
		if length(line) > 0 then
			table.insert(turns, line);
		else
			lines[line.key] = nil;
		end
		return entry.go_on;
	end

	local function is_any()
		return turns[1] ~= nil;
	end

	return { add = add, take = take, is_any = is_any };
end

return { new = new };
