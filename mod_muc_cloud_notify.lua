-- XEP-0357: Push Notifications, for a MUC service: members who are away get a push
-- Copyright (C) 2026 the mod_muc_cloud_notify contributors
--
-- This file is MIT/X11 licensed.

-- Exposed functions:
--
-- absent_members(room_jid) -> array of the bare JIDs of the members with a device who are not in the room

if module:get_host_type() ~= "component" then
	module:log_status("error", "mod_%s belongs under a MUC component, not under a host: see the README", module.name);
	return;
elseif not prosody.hosts[module.host].modules.muc then
	module:log_status("error", "mod_%s belongs under a MUC component (Component \"%s\" \"muc\"): see the README", module.name, module.host);
	return;
end

if not math.type then
	module:log_status("error", "mod_%s needs Lua 5.4 or 5.3, but this Prosody runs on %s: see the README", module.name, _VERSION);
	return;
end

local muc = module:depends "muc";

local stanza_mt = require "util.stanza".stanza_mt; -- COMPAT 0.12: no prosody.* names
local monotonic = require "util.time".monotonic;

local part = assert(loadfile(module:get_directory().."/lua/shared/part.lua", "t", _ENV))();

local guard = part "shared/guard";
local options = part "muc_cloud_notify/options";
local native, load_error = part "muc_cloud_notify/engine".load();
if not native then
	module:log_status("error", "%s", load_error);
	return;
end

module:depends "muc_undelivered";

local extension = part "muc_cloud_notify/extensions";
local registration = part "muc_cloud_notify/registrations";
local outbox_store = module:open_store(module.name.."_outbox");

-- The engine outlives a reload of this module, with all that is in flight. A new one has to be filled.
local engine, is_new = native.open(module.host, options.of_engine, stanza_mt);
-- Rooms may have changed while nobody was watching.
engine:rooms_unwatched();

local seconds_per_turn = options.own.slice / 1000;
local background = part "shared/tasks".new(seconds_per_turn);
local outbox = part "muc_cloud_notify/outbox".open(engine, extension, seconds_per_turn, function (device)
	registration.remove(engine, device);
end);
local rooms = part "muc_cloud_notify/rooms".watch(engine, muc, background, not is_new, options.own.count_hibernating,
	outbox.wake, extension.is_listening);
registration.handle(engine, rooms.add_user, extension.may_register);
module:add_feature("urn:xmpp:push:0");

-- Global in this module's environment, for the shell and for other modules.
function absent_members(room_jid)
	local room = muc.get_room_from_jid(room_jid);
	if not room then return {}; end
	rooms.read_now(room);
	return engine:absent(room_jid);
end

-- What a clean stop has left to be told. Returns the rooms it is about: none of it is told before they are
-- read, so that nobody is told anything who is there by now, or is no member any more.
local function restore_outbox()
	local snapshot, err = outbox_store:get(nil);
	local ok, result = true, nil;
	if snapshot then
		ok, result = pcall(engine.restore, engine, snapshot, monotonic());
	end
	if err or not ok then
		-- The details may quote what is stored, which is nothing for the log.
		module:log("debug", "Reading the outbox: %s", tostring(err or result));
		error("it cannot be read", 0);
	end
	return result;
end

local function read_restored(room_jids)
	for _, room_jid in ipairs(room_jids) do
		local is_read = guard.attempt("read the room "..room_jid, function ()
			rooms.read_now(assert(muc.get_room_from_jid(room_jid), "there is no such room any more"));
		end);
		if not is_read then
			engine:room_destroyed(room_jid);
		end
	end
	outbox_store:set(nil, nil);
end

local is_loaded, has_begun, loading = not is_new, false, nil;

local function on_loaded()
	if not is_loaded then
		-- The next reload gets a new engine, and what the last run has left is still there for it.
		native.close(module.host);
		return;
	end
	local ok, room_jids = true, nil;
	if is_new then
		ok, room_jids = guard.attempt("take up the outbox of the last run", restore_outbox);
	end
	rooms.registrations_loaded();
	if ok and room_jids then
		guard.attempt("take up the outbox of the last run", read_restored, room_jids);
	end
	outbox.wake();
end

local function begin()
	if has_begun then return; end
	has_begun = true;
	if is_new then
		loading = background.start("load the registrations", function (pause)
			is_loaded = registration.load_all(engine, pause);
		end, on_loaded);
	else
		on_loaded();
	end
end

-- Once the server is up: nobody waits for it, rooms are restored, and other modules may want to see that.
module:add_timer(0, guard.watch("begin", begin));

-- What is being loaded or held is dealt with now: who comes next finds an engine that is complete.
local function finish()
	begin();
	if loading then background.finish(loading); end
	rooms.finish();
end

local function save_outbox()
	finish();
	if not is_loaded then return; end
	local snapshot = engine:snapshot(monotonic());
	local ok, err = outbox_store:set(nil, snapshot.devices[1] and snapshot or nil);
	if not ok then
		module:log("error", "The outbox cannot be stored: %s", err);
	end
end

local is_reload = false;

function module.save()
	is_reload = true;
	guard.attempt("finish what was begun", finish);
	return {};
end

function module.unload()
	if is_reload then return; end
	guard.attempt("store the outbox", save_outbox);
	native.close(module.host);
end

-- After mod_muc has saved its rooms.
module:hook_global("server-stopping", guard.watch("store the outbox", save_outbox), -310);
