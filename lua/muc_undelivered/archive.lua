-- The newest messages in a room's archive, which is mod_muc_mam's.
--
-- Reading it keeps everybody waiting, so it is read in one page. How often it may be read, and how many pages are kept, is
-- said in pages.lua.
--
-- Bounds: `limit` entries of an archive in a page, of whose stanzas `max_weight` bytes are kept, the newest.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_node = require "util.jid".node;
local st = require "util.stanza";
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;

local guard = part "shared/guard";
local message_index = part "muc_undelivered/message_index";
local packing = part "muc_undelivered/packing";

local max_weight = 1024 * 1024;

-- Of a message beside its stanza: its table, and its places in tables.
local weight_of_message = 700;
-- Of an entry that is none: its place among the others.
local weight_of_entry = 100;

local xmlns_muc_user = "http://jabber.org/protocol/muc#user";
local xmlns_sid = "urn:xmpp:sid:0";

local modules = prosody.hosts[module.host].modules;

local function is_enabled()
	return modules.muc_mam ~= nil;
end

-- mod_muc_mam archives the sender's real JID where all occupants may know it. It was not part of the broadcast.
local function keep_what_was_broadcast(tag)
	if tag.attr.xmlns ~= xmlns_muc_user then return tag; end
end

-- That real JID. mod_muc_mam adds it last: what comes before, a client has made up.
local function listed_author(stanza)
	local author;
	for x in stanza:childtags("x", xmlns_muc_user) do
		local item = x:get_child("item");
		author = item and item.attr.jid;
	end
	return author and jid_bare(author);
end

-- What is not in the page is older than all that is.
local function is_newer(page, position, stanza_id)
	local other = page.positions[stanza_id];
	return not other or position < other;
end

-- Whether an archived message was sent during a visit. history: the room's. Its place among the messages whose ids are
-- known says so exactly; the time at which it was archived does not, on Prosody 0.12.
local function has(history, visit, page, message)
	local position, first = message.position, history.first_archived;
	local is_of_our_time = first and (is_newer(page, position, first) or position == page.positions[first]) or false;
	if visit.since then
		if not is_of_our_time then return false; end
		if visit.archived_before and not is_newer(page, position, visit.archived_before) then return false; end
	end
	if not visit.till then return true; end
	if not visit.archived_till then return not is_of_our_time; end
	return not is_newer(page, position, visit.archived_till);
end

-- Whether a visit began after an archived message.
local function is_before(visit, page, message)
	return visit.archived_before ~= nil and not is_newer(page, message.position, visit.archived_before);
end

-- Whether a page has all of the newest messages that are not kept in the memory any more.
local function covers_what_is_forgotten(page, history)
	return page ~= nil and page.number + 1 >= history.oldest;
end

-- Whether authors are archived. Where the occupants of a room may not know them, what looks like a real JID is somebody
-- else's work.
local function has_authors(room)
	return room:get_whois() == "anyone";
end

-- The bare JID of a message's author, nil where it is not in the page.
local function author_of(page, stanza_id)
	local message = page.index.by_stanza_id[stanza_id];
	return message and message.author;
end

-- limit: how many entries of an archive are looked at
local function new(limit)
	local store;

	local function read(room_jid)
		store = store or module:open_store("muc_log", "archive");
		-- Neither a kind nor a time is asked for: some storages would go over the whole archive to find them.
		return assert(store:find(jid_node(room_jid), { limit = limit, reverse = true }));
	end

	local function message_of(room_jid, stanza_id, stored, is_kept)
		local stanza = st.is_stanza(stored) and stored or st.deserialize(stored);
		if stanza.name ~= "message" or stanza.attr.type ~= "groupchat" then return nil; end
		local author = listed_author(stanza);
		stanza:maptags(keep_what_was_broadcast);
		stanza:tag("stanza-id", { xmlns = xmlns_sid, by = room_jid, id = stanza_id }):up();
		local packed, weight, description = packing.pack(stanza);
		if not is_kept(weight) then packed, weight, description = false, 0, packing.describe(stanza); end
		local attr = stanza.attr;
		return {
			stanza_id = stanza_id, packed = packed, description = description, id = attr.id, from = attr.from, author = author;
			weight = weight + weight_of_message + #(author or "") + (description and #(attr.id or "") + #attr.from or 0);
		};
	end

	-- An archive's query is read to its end, whatever is kept: what is left open can keep a database from committing.
	local function fill(page, room_jid)
		-- The archive has the time of day, on Prosody 0.12 in whole seconds, rounded down.
		local since_monotonic = now() - monotonic();
		local messages = {}; -- the newest first
		local function is_kept(weight) return page.weight + weight <= max_weight; end
		for stanza_id, stored, when in read(room_jid) do
			page.length = page.length + 1;
			page.positions[stanza_id] = page.length;
			page.weight = page.weight + weight_of_entry + #stanza_id;
			local message = message_of(room_jid, stanza_id, stored, is_kept);
			if message then
				message.position, message.time = page.length, when - since_monotonic;
				page.weight = page.weight + message.weight;
				table.insert(messages, message);
			end
		end
		for i = #messages, 1, -1 do
			message_index.add(page.index, messages[i]);
		end
	end

	-- Reads the newest messages of a room. Returns a page: { number = that of the room's newest broadcast then; index, see
	-- message_index.lua, of messages { stanza_id, packed, description, id, from, author, position, time }, see packing.lua;
	-- positions = by archive id, where 1 is the newest; length; weight }. `author` is the bare JID where it is archived. An
	-- archive that cannot be read has no messages.
	local function read_page(history)
		local page = { number = history.number, length = 0, positions = {}, index = message_index.new(), weight = 400 };
		if limit > 0 and is_enabled() then
			guard.attempt("look into the archive of "..history.room_jid, fill, page, history.room_jid);
		end
		return page;
	end

	return { read_page = read_page };
end

return {
	new = new, is_enabled = is_enabled, has = has, is_before = is_before;
	covers_what_is_forgotten = covers_what_is_forgotten, has_authors = has_authors, author_of = author_of;
};
