-- The newest messages in a room's archive, which is mod_muc_mam's.
--
-- Reading it keeps everybody waiting, so it is read in one page, and not again before the room has broadcast something
-- else: a flood of bounces costs one look.
--
-- Bounds: `limit` entries of an archive in a page.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_node = require "util.jid".node;
local st = require "util.stanza";
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;

local guard = part "shared/guard";

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
	for _, message in ipairs(page) do
		if message.stanza_id == stanza_id then return message.author; end
	end
end

-- limit: how many entries of an archive are looked at
local function new(limit)
	local store;

	local function read(room_jid)
		store = store or module:open_store("muc_log", "archive");
		-- Neither a kind nor a time is asked for: some storages would go over the whole archive to find them.
		return assert(store:find(jid_node(room_jid), { limit = limit, reverse = true }));
	end

	local function fill(page, room_jid)
		-- The archive has the time of day, on Prosody 0.12 in whole seconds, rounded down.
		local since_monotonic = now() - monotonic();
		for stanza_id, stanza, when in read(room_jid) do
			page.length = page.length + 1;
			page.positions[stanza_id] = page.length;
			stanza = st.is_stanza(stanza) and stanza or st.deserialize(stanza);
			if stanza.name == "message" and stanza.attr.type == "groupchat" then
				local author = listed_author(stanza);
				stanza:maptags(keep_what_was_broadcast);
				stanza:tag("stanza-id", { xmlns = xmlns_sid, by = room_jid, id = stanza_id }):up();
				table.insert(page, {
					stanza_id = stanza_id, stanza = stanza, from = stanza.attr.from, author = author;
					position = page.length, time = when - since_monotonic;
				});
			end
		end
	end

	-- The newest messages of a room, the newest first: a list of { stanza_id, stanza, from, author, position, time }, with
	-- `positions` by archive id, where 1 is the newest; `author` is the bare JID where it is archived. An archive that cannot be read has none.
	-- old_page: the one that was read last, nil if none
	local function page_of(history, old_page)
		if old_page and old_page.number == history.number then return old_page; end
		local page = { number = history.number, length = 0, positions = {} };
		if limit > 0 and is_enabled() then
			guard.attempt("look into the archive of "..history.room_jid, fill, page, history.room_jid);
		end
		return page;
	end

	return { page_of = page_of };
end

return {
	new = new, is_enabled = is_enabled, has = has, is_before = is_before;
	covers_what_is_forgotten = covers_what_is_forgotten, has_authors = has_authors, author_of = author_of;
};
