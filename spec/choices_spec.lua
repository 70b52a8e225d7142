-- The registration form of a room: whether a member wants messages to be forwarded.

local prosody = require "harness.prosody";

local muc_service = require "spec.support.muc_service";
local registrations = require "spec.support.registrations";
local versions = require "spec.support.versions";

local st = require "util.stanza";

local submit, shown, remove = registrations.submit, registrations.shown, registrations.remove;
local feature = "http://tigase.org/protocol/muc#offline";
local silent_service = "silent.localhost";

local muc_options = muc_service.with_body {
	muc_push_default = "always", muc_room_default_persistent = true, muc_registration_include_form = true, allow_unaffiliated_register = true;
};

-- The store of rooms fails while prosody.rooms_fail is set.
local break_store = [[
	local methods = getmetatable(require "core.storagemanager".open(module.host, "config")).__index;
	local set = methods.set;
	function methods:set(...)
		if prosody.rooms_fail and self.store == "config" then return nil, "on purpose"; end
		return set(self, ...);
	end
]];

versions.describe("the choice of a member", function (version)
	local server, muc, user, room, bare_jid;

	lazy_setup(function ()
		local silent = muc_service.with_body { muc_push_forward = "none", allow_unaffiliated_register = true };
		server, muc = muc_service.start(version, {
			muc = muc_options; mucs = { [silent_service] = silent };
			plugin_paths = { prosody.root .. "/spec/support/modules" };
		});
	end);

	before_each(function ()
		user, room, bare_jid = muc:new_member();
	end);

	local function stored()
		return registrations.stored(server, room, bare_jid);
	end

	-- As it is after a restart, whatever is in memory.
	local function stored_on_disk()
		muc:restart "kill";
		user = server:user(bare_jid .. "/phone");
		return stored();
	end

	local function has_feature(of_room)
		local reply = user:iq(st.stanza("iq", { type = "get", to = of_room }):tag("query", { xmlns = "http://jabber.org/protocol/disco#info" }):reset());
		return reply:find("{http://jabber.org/protocol/disco#info}query/") ~= nil and tostring(reply):find(feature, 1, true) ~= nil;
	end

	it("can be made where the room says so", function ()
		assert.is_true(has_feature(room));
		assert.same({ "0" }, shown(user, room));
		assert.same({ "0" }, shown(server:user("stranger@users.localhost/x"), room));
	end);

	it("cannot be made where the operator forwards nothing", function ()
		local _, silent_room, member = muc:new_member { service = silent_service };
		user = server:user(member .. "/phone");
		assert.is_false(has_feature(silent_room));
		assert.same({}, shown(user, silent_room));
		assert.equal("result", (submit(user, silent_room, "Ann", "1")));
		assert.same({ n = 2, nil, "Ann" }, table.pack(server:admin([[
			local data = muc_of(select(3, ...)).get_room_from_jid(...)._affiliation_data[select(2, ...)];
			return data.offline_delivery, data.reserved_nickname;
		]], silent_room, member, silent_service)));
	end);

	it("is shown and outlives a crash", function ()
		assert.equal("result", (submit(user, room, "Ann", "1")));
		assert.same({ "1" }, shown(user, room));
		assert.is_true((stored_on_disk()));
		assert.same({ "1" }, shown(user, room));
	end);

	it("can be made with a nickname that is registered already", function ()
		assert.equal("result", (submit(user, room, "Ann")));
		assert.same({ "0" }, shown(user, room));
		assert.equal("result", (submit(user, room, "Ann", "true")));
		assert.same({ n = 2, true, "Ann" }, table.pack(stored()));
		assert.equal("result", (submit(user, room, "Ann", "0")));
		assert.same({ "0" }, shown(user, room));
		assert.same({ n = 2, false, "Ann" }, table.pack(stored_on_disk()));
	end);

	it("stays where a registration says nothing of it", function ()
		submit(user, room, "Ann", "1");
		assert.equal("result", (submit(user, room, "Anna")));
		assert.same({ n = 2, true, "Anna" }, table.pack(stored()));
		muc.bob:affiliate(room, bare_jid, "admin", "Annie");
		assert.same({ n = 2, true, "Annie" }, table.pack(stored_on_disk()));
	end);

	it("cannot be anything else", function ()
		for _, text in ipairs { "2", "yes", "", " 1", "TRUE" } do
			assert.same({ "error", "modify", "bad-request" }, { table.unpack({ submit(user, room, "Ann", text) }, 1, 3) });
			assert.same({ n = 2 }, table.pack(stored()));
		end
		submit(user, room, "Ann", "1");
		assert.equal("error", (submit(user, room, "Anna", "maybe")));
		assert.same({ n = 2, true, "Ann" }, table.pack(stored()));
	end);

	it("does not change where Prosody refuses the registration", function ()
		submit(user, room, "Ann", "1");
		assert.same({ "error", "cancel", "conflict" }, { table.unpack({ submit(user, room, "bob", "0") }, 1, 3) });
		assert.same({ n = 2, true, "Ann" }, table.pack(stored()));
		muc.bob:affiliate(room, bare_jid, "outcast");
		assert.same({ "error", "auth", "forbidden" }, { table.unpack({ submit(user, room, "Ann", "0") }, 1, 3) });
		assert.is_not_false((stored()));
	end);

	it("is not confirmed where it could not be stored", function ()
		submit(user, room, "Ann", "0");
		server:admin(break_store);
		server:admin("prosody.rooms_fail = true");
		for _, nick in ipairs { "Ann", "Anna" } do
			assert.same({ "error", "wait", "internal-server-error" }, { table.unpack({ submit(user, room, nick, "1") }, 1, 3) });
			assert.is_false((stored()));
		end
		server:admin("prosody.rooms_fail = false");
		assert.equal("result", (submit(user, room, "Anna", "1")));
		assert.same({ n = 2, true, "Anna" }, table.pack(stored_on_disk()));
	end);

	it("makes Prosody store the room no more often", function ()
		muc:count_saves(room);
		submit(user, room, "Ann", "1");
		assert.equal(1, muc:saves());
		submit(user, room, "Ann", "1");
		assert.equal(1, muc:saves());
		submit(user, room, "Ann", "0");
		assert.equal(2, muc:saves());
	end);

	it("ends with the registration, and with the membership", function ()
		submit(user, room, "Ann", "1");
		assert.equal("result", (remove(user, room)));
		assert.same({ n = 2 }, table.pack(stored()));
		submit(user, room, "Ann", "1");
		muc.bob:affiliate(room, bare_jid, "none");
		muc.bob:affiliate(room, bare_jid, "member");
		assert.is_nil((stored()));
		assert.same({ "0" }, shown(user, room));
	end);

	it("changes with a form that is submitted, and nothing does with one that is cancelled", function ()
		submit(user, room, "Ann", "1");
		for _, nick in ipairs { "Ann", "Anna" } do
			assert.equal("result", (submit(user, room, nick, "0", "cancel")));
			assert.same({ n = 2, true, "Ann" }, table.pack(stored()));
		end
		assert.equal("result", (submit(user, room, "Anna", "0")));
		assert.same({ n = 2, false, "Anna" }, table.pack(stored()));
	end);

	-- Has a request to register, or to end that, come to nothing.
	local function disturb(name, code)
		server:admin(([[
			local name = ...;
			local function disturb(event) %s end
			module:hook(name, disturb, -1.5);
			prosody.undisturbed = function () module:unhook(name, disturb); end
		]]):format(code), name);
	end

	-- Nobody may answer.
	local function send(iq)
		iq.attr.id = "unanswered";
		user:send(iq);
		muc.bob.component:sync();
	end

	local request = "iq/bare/jabber:iq:register:query";
	for what, disturbance in pairs {
		["in mod_muc"] = { "muc-registration-submitted", [[error("on purpose");]] };
		["in another module"] = { request, [[error("on purpose");]] };
		["with nothing but silence"] = { request, [[return true;]] };
		["by another module's answer"] = { request, [[module:send(st.error_reply(event.stanza, "wait", "resource-constraint")); return true;]] };
	} do
		it("and what watches over it end with a request that ends "..what, function ()
			submit(user, room, "Ann", "1");
			server:admin("prosody.save_before = room(...).save", room);
			disturb(table.unpack(disturbance));
			send(registrations.submission(room, "Anna", "0"));
			server:admin("prosody.undisturbed()");
			assert.is_true(server:admin("return room(...).save == prosody.save_before", room));
			assert.same({ n = 2, true, "Ann" }, table.pack(stored()));
			disturb(request, disturbance[2]);
			send(registrations.removal(room));
			server:admin("prosody.undisturbed()");
			muc.bob:affiliate(room, bare_jid, "admin", "Annie");
			assert.same({ n = 2, true, "Annie" }, table.pack(stored()));
		end);
	end

	it("is to refuse where an owner ends the registration who had asked", function ()
		muc.bob:affiliate(room, bare_jid, "owner");
		submit(user, room, "Ann", "1");
		assert.equal("result", (remove(user, room)));
		assert.same({ n = 1, false }, table.pack((stored())));
		-- Others give up a nickname, and no more.
		local other = server:user("other@users.localhost/phone");
		muc.bob:affiliate(room, other.bare_jid, "owner", "Other");
		assert.equal("result", (remove(other, room)));
		assert.same({ n = 2 }, table.pack(registrations.stored(server, room, other.bare_jid)));
	end);

	it("is not that of others with whom data is shared", function ()
		submit(user, room, "Ann", "1");
		server:admin([[
			local room, data = room(...), { reserved_nickname = "x" };
			for _, bare_jid in ipairs { select(2, ...) } do
				assert(room:set_affiliation(true, bare_jid, "member", nil, data));
			end
		]], room, bare_jid, "third@users.localhost");
		assert.is_true((stored()));
		assert.is_nil((registrations.stored(server, room, "third@users.localhost")));
	end);

	it("is shown to nobody else", function ()
		submit(user, room, "Ann", "1");
		local list = muc.bob:iq(st.stanza("iq", { type = "get", to = room }):tag("query", { xmlns = "http://jabber.org/protocol/muc#admin" })
			:tag("item", { affiliation = "member" }):reset());
		assert.is_nil(tostring(list):find("offline", 1, true), tostring(list));
		assert.same({ "0" }, shown(muc.bob, room));
	end);

	it("is left to another module that has the same field", function ()
		submit(user, room, "Ann", "1");
		server:admin("assert(require 'core.modulemanager'.load(module.host, 'muc_offline_delivery'))");
		muc:manage "reload";
		assert.same({ "1" }, shown(user, room));
		assert.is_false(has_feature(room));
		server:admin("assert(require 'core.modulemanager'.unload(module.host, 'muc_offline_delivery'))");
		muc:manage "reload";
		assert.same({ "1" }, shown(user, room));
		assert.is_true(has_feature(room));
	end);

	it("stays without the module, and is there again with it", function ()
		submit(user, room, "Ann", "1");
		local length = #server:log();
		muc:manage "unload";
		assert.is_false(has_feature(room));
		muc:manage "load";
		assert.same({ "1" }, shown(user, room));
		assert.log_is_clean(server, length);
	end);
end);
