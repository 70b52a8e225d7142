-- The newest messages in a room's archive, which is mod_muc_mam's.
--
-- Reading it keeps everybody waiting, so a page of it is read at a time, and none again before the room has
-- broadcast something: a flood of bounces costs one look.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_node = require "util.jid".node; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;

local guard = part "shared/guard";

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";
local xmlns_sid = "urn:xmpp:sid:0";

local modules = prosody.hosts[module.host].modules;

local function is_there()
	return modules.muc_mam ~= nil;
end

-- mod_muc_mam notes the sender's real JID where everybody may know it.
local function is_broadcast(tag)
	if tag.attr.xmlns ~= xmlns_muc_user then return tag; end
end

-- limit: how many of a room's archived messages are looked at
local function new(limit)
	local store;

	local function read(room_jid)
		store = store or module:open_store("muc_log", "archive");
		-- Neither a kind nor a time is asked for: some storages would go over the whole archive to find them.
		return assert(store:find(jid_node(room_jid), { limit = limit, reverse = true }));
	end

	local function load_page(page, room_jid)
		-- What is archived has a time of the day. On Prosody 0.12 it is that of the second that was just over.
		local since_monotonic = now() - monotonic();
		for stanza_id, stanza, when in read(room_jid) do
			page.length = page.length + 1;
			page.positions[stanza_id] = page.length;
			stanza = st.is_stanza(stanza) and stanza or st.deserialize(stanza);
			if stanza.name == "message" and stanza.attr.type == "groupchat" then
				stanza:maptags(is_broadcast);
				stanza:tag("stanza-id", { xmlns = xmlns_sid, by = room_jid, id = stanza_id }):up();
				table.insert(page, { stanza_id = stanza_id, stanza = stanza, from = stanza.attr.from, position = page.length, time = when - since_monotonic });
			end
		end
	end

	-- The newest messages, each with its position, where 1 is the newest; positions are by stanza-id. An archive
	-- that cannot be read has none.
	local function page_of(memory, room_jid)
		local page = memory.page;
		if not page or page.number ~= memory.number then
			page = { number = memory.number, length = 0, positions = {} };
			memory.page = page;
			if limit > 0 and is_there() then
				guard.attempt("look into the archive of "..room_jid, load_page, page, room_jid);
			end
		end
		return page;
	end

	-- What is not in the page is older than all that is.
	local function is_newer(page, position, stanza_id)
		local other = page.positions[stanza_id];
		return not other or position < other;
	end

	-- Whether an archived message falls into a stay. Where it lies among those with an id that is known says so
	-- exactly; the time at which it was archived does not, on Prosody 0.12.
	local function has(memory, stay, page, message)
		local position, first = message.position, memory.first_archived;
		local is_witnessed = first and (is_newer(page, position, first) or position == page.positions[first]) or false;
		if stay.since then
			if not is_witnessed then return false; end
			if stay.archived_before and not is_newer(page, position, stay.archived_before) then return false; end
		end
		if not stay.till then return true; end
		if not stay.archived_till then return not is_witnessed; end
		return not is_newer(page, position, stay.archived_till);
	end

	-- Whether a stay has begun after an archived message.
	local function is_before(stay, page, message)
		return stay.archived_before ~= nil and not is_newer(page, message.position, stay.archived_before);
	end

	return { page_of = page_of, has = has, is_before = is_before };
end

return { new = new, is_there = is_there };
