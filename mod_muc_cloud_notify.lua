-- XEP-0357: Push Notifications, for a MUC service: members who are away get a push
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- Exposed functions:
--
-- absent_members(room_jid) -> array of the bare JIDs of the members with a device who are not in the room
-- stats() -> how much there is at the moment, by names: see engine_types.lua
-- look_at_leases() -> removes the devices whose lease is over, as is done once a day
-- read_records() -> reads the records again that could not be read, as is done once in a while

local envloadfile = require "util.envload".envloadfile; -- COMPAT 0.12: no prosody.* names

local part = assert(envloadfile(module:get_directory().."/lua/shared/part.lua", module.environment))();

if not part "shared/host_check".check() then
	return;
end

if not math.type then
	module:log_status("error", "mod_%s needs Lua 5.4 or 5.3, but this Prosody runs on %s: see the README", module.name, _VERSION);
	return;
end

local muc = module:depends "muc";

local engines = part "muc_cloud_notify/engine";
local native, load_error = engines.load();
if not native then
	module:log_status("error", "%s", load_error);
	return;
end

local undelivered = module:depends "muc_undelivered";

local options = part "muc_cloud_notify/options".read(native);
local seconds_per_turn = options.slice / 1000;

local standby = part "muc_cloud_notify/standby".new(options.standby);
local outbox_stores = part "muc_cloud_notify/outbox_store";
local outbox_records, has_journal = outbox_stores.open(options.journal, standby);
options.engine.journal = has_journal;

local engine, is_new = engines.open(native, options.engine);
local tasks = part "shared/tasks".new(seconds_per_turn);
local extensions = part "muc_cloud_notify/extensions".new();
local presence = part "muc_cloud_notify/presence".new(options.count_hibernating);
local publish = part "muc_cloud_notify/publish".new(engine);
local publishers = part "muc_cloud_notify/publishers".new(options.from);

-- What happens in rooms, as facts for the engine.
local live_rooms = part "muc_cloud_notify/live_rooms".watch(muc);
local consent = part "muc_cloud_notify/consent".watch { muc = muc, live_rooms = live_rooms, is_asked_for = options.consent };
local early_facts = part "muc_cloud_notify/early_facts".new(engine, is_new);
local account_devices;
local choices = part "muc_cloud_notify/choices".watch {
	muc = muc, engine = engine, is_forwarding = options.forward == "asked";
	may_reach_account = function (user) return account_devices.may_reach(user); end;
};
local room_sync = part "muc_cloud_notify/room_sync".new {
	engine = engine, tasks = tasks, presence = presence, consent = consent, choices = choices, early_facts = early_facts;
	is_loaded = not is_new;
};
local rooms = part "muc_cloud_notify/rooms".watch {
	engine = engine, live_rooms = live_rooms, tasks = tasks, room_sync = room_sync, consent = consent, choices = choices;
	author_of = undelivered.author_of, wants_message = extensions.is_listening;
};
local hibernation = part "muc_cloud_notify/hibernation".watch {
	engine = engine, tasks = tasks, live_rooms = live_rooms, room_sync = room_sync, presence = presence;
};
part "muc_cloud_notify/bounces".watch {
	engine = engine, room_sync = room_sync, presence = presence, consent = consent, hibernation = hibernation;
	author_of = undelivered.author_of, facts_of = rooms.facts_of, visit = rooms.visit;
};

-- What devices there are, and what is sent to them.
local accounts = part "muc_cloud_notify/accounts";
local known_accounts = accounts.new();
local records = part "muc_cloud_notify/record_store".new(standby);
local blocklists = part "muc_cloud_notify/blocklists".watch { engine = engine, tasks = tasks };
local outbox_store;
local registrations = part "muc_cloud_notify/registrations".new {
	engine = engine, accounts = known_accounts, tasks = tasks, records = records, blocklists = blocklists;
	find_memberships = rooms.find_memberships, bequeath = function (...) return outbox_store.bequeath(...); end;
};
local awaited_accounts = part "muc_cloud_notify/awaited_accounts".new {
	engine = engine, tasks = tasks, accounts = known_accounts, registrations = registrations;
};
local loading = part "muc_cloud_notify/loading".new {
	engine = engine, accounts = known_accounts, awaited_accounts = awaited_accounts, tasks = tasks, records = records, registrations = registrations;
};
part "muc_cloud_notify/requests".watch {
	engine = engine, standby = standby, registrations = registrations, may_register = extensions.may_register;
	accounts = known_accounts, find_memberships = rooms.find_memberships, when_searchable = rooms.when_searchable;
};
local leases = part "muc_cloud_notify/leases".new {
	engine = engine, tasks = tasks, registrations = registrations, find_memberships = rooms.find_memberships, lease = options.engine.lease;
};
local may_push = accounts.watch {
	engine = engine, standby = standby, accounts = known_accounts, registrations = registrations, awaited_accounts = awaited_accounts;
}.may_push;
account_devices = part "muc_cloud_notify/account_devices".watch {
	engine = engine, standby = standby, tasks = tasks, accounts = known_accounts, blocklists = blocklists;
	find_memberships = rooms.find_memberships, when_searchable = rooms.when_searchable, is_wanted = options.accounts;
	awaited_accounts = awaited_accounts;
};
local held_told = part "muc_cloud_notify/held_told".new { engine = engine, held = room_sync.held };
outbox_store = outbox_stores.new {
	engine = engine, is_new = is_new, records = outbox_records, has_journal = has_journal, held_told = held_told;
};
local forwarding = part "muc_cloud_notify/forwarding".watch {
	engine = engine, live_rooms = live_rooms, engine_options = options.engine, is_wanted = options.forward == "asked";
};
local held_store = part "muc_cloud_notify/held_store".new {
	engine = engine, room_sync = room_sync, early_facts = early_facts, live_rooms = live_rooms, is_new = is_new, has_journal = has_journal;
	records = part "muc_cloud_notify/outbox_records".open("held", standby), has_texts = options.engine.with_body, held_told = held_told;
};
local outbox = part "muc_cloud_notify/outbox".new {
	engine = engine, standby = standby, publish = publish, publishers = publishers, extensions = extensions, early_facts = early_facts;
	outbox_store = outbox_store, may_push = may_push;
	may_push_through = part "muc_cloud_notify/allowed_app_servers".new(options.engine.app_servers);
	ways = {
		account = part "muc_cloud_notify/account_handover".new { engine = engine, account_devices = account_devices }.hand_over;
		forward = forwarding.hand_over;
	};
	confidants = part "muc_cloud_notify/confidants".watch(engine), seconds_per_turn = seconds_per_turn;
};

part "muc_cloud_notify/links".watch { engine = engine, publishers = publishers };

engine:on_event("device-disabled", registrations.remove);
engine:on_event("device-answered", leases.refresh);
engine:on_event("addressee-changed", function (event) publish.forget_addressee(event.device); end);
engine:on_due(outbox.turn, outbox_store.has_begun);

part "muc_cloud_notify/lifecycle".start {
	native = native, engine = engine, standby = standby, is_new = is_new, live_rooms = live_rooms, tasks = tasks, room_sync = room_sync;
	registrations = registrations, blocklists = blocklists, loading = loading, account_devices = account_devices, leases = leases;
	awaited_accounts = awaited_accounts, early_facts = early_facts, forwarding = forwarding, outbox_store = outbox_store, held_store = held_store;
};

module:add_feature("urn:xmpp:push:0");

-- Global in this module's environment, for the shell and for other modules.
function absent_members(room_jid)
	local room = muc.get_room_from_jid(room_jid);
	if not room then return {}; end
	rooms.visit(room);
	room_sync.read_now(room);
	return engine:absent_members(room_jid);
end

function stats()
	return engine:stats();
end

function look_at_leases()
	if standby.is_serving() then leases.look(); end
end

function read_records()
	loading.retry();
end
