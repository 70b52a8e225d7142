-- A server in which mod_muc_undelivered is measured: its weight in bytes, and its work in instructions of the Lua machine.

local assert = require "luassert";
local busted = require "busted";

local prosody = require "harness.prosody";

local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local modules = { "muc_undelivered", "spec_undelivered" };

local small_bytes = 512 * 1024;
local hosts = {
	small = "small.localhost"; -- where little may be kept
	long_lists = "lists.localhost"; -- where a room may have all messages that are kept
	archiving = "archiving.localhost";
};

-- In the server: known as `lab` to the pieces of code below.
local in_server = [[
	local lab = { host = host };

	-- A room as far as the module looks at it, with the occupant that its messages are from.
	function lab.room(name, sender)
		local jid = name .. "@" .. host;
		return {
			jid = jid, _occupants = { [jid .. "/x"] = sender and { bare_jid = sender } };
			_data = { history_length = 0 }, get_persistent = function () end, get_whois = function () return "anyone"; end;
		};
	end

	function lab.say(room, stanza)
		stanza.attr.from, stanza.attr.type = room.jid .. "/x", "groupchat";
		prosody.hosts[host].events.fire_event("muc-broadcast-message", { room = room, stanza = stanza });
	end

	function lab.saved() return prosody.hosts[host].modules.muc_undelivered.module.save(); end

	function lab.kept(room_jid)
		local record, count = lab.saved().rooms[room_jid], 0;
		for _ in pairs(record and record.history.slots or {}) do count = count + 1; end
		return count;
	end

	-- How many bytes more there are after something was done.
	function lab.bytes(func)
		local function count()
			collectgarbage(); collectgarbage();
			return collectgarbage "count" * 1024;
		end
		local before = count();
		func();
		return count() - before;
	end

	-- How many instructions something takes.
	function lab.work(func)
		local count = 0;
		debug.sethook(function () count = count + 100; end, "", 100);
		func();
		debug.sethook();
		return count;
	end

	function lab.enter(room_jid, real_jid, nick)
		prosody.core_post_stanza(prosody.hosts["users.localhost"],
			st.presence({ from = real_jid, to = room_jid .. "/" .. nick }):tag("x", { xmlns = "http://jabber.org/protocol/muc" }):up(), false);
	end

	function lab.leave(room_jid, real_jid, nick)
		prosody.core_post_stanza(prosody.hosts["users.localhost"],
			st.presence { type = "unavailable", from = real_jid, to = room_jid .. "/" .. nick }, false);
	end

	-- Of sessions that the room does not have any more: real_jids is a set.
	function lab.tell_of_leaving(room, nick, bare_jid, real_jids)
		prosody.hosts[host].events.fire_event("muc-broadcast-presence", {
			room = room, stanza = st.presence { from = nick };
			occupant = { nick = nick, bare_jid = bare_jid, each_session = function () return next, real_jids; end };
		});
	end

	function lab.bounce(real_jid, to, id)
		prosody.core_post_stanza(prosody.hosts["users.localhost"], st.message({ type = "error", from = real_jid, to = to, id = id })
			:tag("error", { type = "cancel" }):tag("recipient-unavailable", { xmlns = "urn:ietf:params:xml:ns:xmpp-stanzas" }):up():up(), false);
	end

	function lab.listener() return prosody.hosts[host].modules.spec_undelivered.module; end
]];

local Laboratory = {};
Laboratory.__index = Laboratory;

function Laboratory:start(version)
	self.server = prosody.start {
		version = version;
		components = { "users.localhost" };
		plugin_paths = undelivered.plugin_paths;
		muc = { modules_enabled = modules };
		mucs = {
			[hosts.small] = { modules_enabled = modules, muc_undelivered_bytes = small_bytes };
			[hosts.long_lists] = { modules_enabled = modules, muc_undelivered_messages = 2000 };
			[hosts.archiving] = {
				modules_enabled = { "muc_undelivered", "spec_undelivered", "muc_mam" };
				muc_room_default_persistent = true, muc_undelivered_messages = 2;
			};
		};
	};
	self.service = undelivered.new(self.server);
end

-- Bob and Ann are in a new room.
function Laboratory:meet(host)
	self.room = self.service:new_room(host);
	self.bob, self.ann = self.service:user("bob/desk"), self.service:user("ann/phone");
	self.bob:create_room(self.room, "Bob");
	self.ann:join(self.room, "Ann");
	self.server:admin("room(...):set_historylength(0)", self.room);
end

-- Runs code in the server, which sees lab, `host` and its arguments as `...`.
function Laboratory:try(host, code, ...)
	return self.server:admin(("local host = ...;\n%s\nreturn (function (...) %s end)(select(2, ...))"):format(in_server, code),
		host or self.server.muc_host, ...);
end

-- Forgets all, for the next test.
function Laboratory:clean()
	for _, host in ipairs { self.server.muc_host, hosts.small, hosts.long_lists, hosts.archiving } do
		self.server:admin([[
			local modulemanager = require "core.modulemanager";
			assert(modulemanager.unload(..., "muc_undelivered"));
			assert(modulemanager.load(..., "muc_undelivered"));
		]], host);
	end
end

-- block: a function of the laboratory
local function describe(title, block)
	versions.describe(title, function (version)
		local lab = setmetatable({}, Laboratory);
		busted.lazy_setup(function () lab:start(version); end);
		busted.before_each(function () lab:clean(); end);
		busted.after_each(function () assert.same({}, lab.service:errors()); end);
		block(lab);
	end);
end

return { describe = describe, hosts = hosts, small_bytes = small_bytes };
