-- Enabling and disabling (XEP-0357, sections 5 and 6), and the store behind it.
--
-- The store is the truth: a change is in it before it is confirmed, and before the engine counts on it.
-- A record that cannot be read is never taken for "nothing registered".
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";
local now = require "util.time".now;

local guard = part "shared/guard";

local xmlns_push = "urn:xmpp:push:0";
local store = module:open_store();

local function store_failed(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "internal-server-error", "Your registrations cannot be stored at the moment"));
	return true;
end

-- The record of a user, or nil; raises an error where the store cannot tell.
local function read_record(user)
	local record, err = store:get(user);
	if not record and err then
		-- The details may quote what is stored, which is nothing for the log.
		module:log("debug", "Reading the registrations of %s: %s", user, err);
		error("the store cannot be read", 0);
	end
	return record;
end

local function write_record(user, record)
	local ok, err = store:set(user, record);
	if not ok then
		module:log("debug", "Writing the registrations of %s: %s", user, err);
		error("the store cannot be written", 0);
	end
end

-- Makes a change count: in the store first, in the engine second. Should the engine fail, the store is as
-- it was. Returns whether the user had no device before.
local function commit(engine, user, before, after, added)
	write_record(user, after);
	local ok, result = pcall(engine.register, engine, user, after, added);
	if not ok then
		guard.attempt("take back what was stored of "..user, write_record, user, before);
		error(result, 0);
	end
	return result;
end

local function refuse(event, err)
	module:log("debug", "Refused a request of %s: %s", event.stanza.attr.from, err.text);
	event.origin.send(st.error_reply(event.stanza, err.type, err.condition, err.text));
	return true;
end

-- engine: the engine; on_new_user(bare_jid): called for a user who had no device before;
-- may_register(event, push_info): whether other modules agree
local function handle(engine, on_new_user, may_register)
	local function enable(event)
		local stanza = event.stanza;
		local user = jid_bare(stanza.attr.from);
		local before = read_record(user);
		local change, err = engine:enable(user, stanza, before, now());
		if not change then
			return refuse(event, err);
		end
		if not may_register(event, change.record[change.added]) then
			return true; -- the module that does not agree has answered
		end
		if commit(engine, user, before, change.record, change.added) then
			on_new_user(user);
		end
		module:log("info", "%s is pushed to through %s now", user, change.record[change.added].jid);
		if change.removed > 0 then
			module:log("info", "%s has more than push_max_devices devices, the oldest was removed", user);
		end
		event.origin.send(st.reply(stanza));
		return true;
	end

	local function disable(event)
		local stanza = event.stanza;
		local user = jid_bare(stanza.attr.from);
		local before = read_record(user);
		local change, err = engine:disable(stanza, before);
		if not change then
			return refuse(event, err);
		end
		if change.removed > 0 then
			if commit(engine, user, before, change.record) then
				on_new_user(user); -- the others of their devices were unknown: the record could not be read before
			end
			module:log("info", "%s has disabled %d device(s)", user, change.removed);
		elseif engine:register(user, before) then
			-- Nothing to write, but the engine may have known another record: that of a store which failed to write
			-- it and yet did something (storage_internal removes a file that it could not empty), or to read it.
			on_new_user(user);
		end
		event.origin.send(st.reply(stanza));
		return true;
	end

	module:hook("iq-set/host/"..xmlns_push..":enable", guard.answer("enable pushes", enable, store_failed));
	module:hook("iq-set/host/"..xmlns_push..":disable", guard.answer("disable pushes", disable, store_failed));
end

-- Loads everything that is stored into an engine; pause() is called wherever there may be an interruption.
-- Returns false where that is to be tried again.
local function load_all(engine, pause)
	if not store.users then
		module:log_status("error", "The storage of this host cannot list its users, so nobody who registered before is known; see the README");
		return true;
	end
	local is_listed = guard.attempt("list who has registered", function ()
		for user in store:users() do
			guard.attempt("load the registrations of "..tostring(user), function ()
				engine:register(user, read_record(user));
			end);
			pause();
		end
	end);
	if not is_listed then
		module:log_status("error", "The store cannot be read, so nobody who registered before is known; reload mod_%s when it can", module.name);
		return false;
	end
	local census = engine:census();
	module:log_status("info", "%d device(s) of %d user(s) are registered", census.devices, census.users);
	return true;
end

-- The engine has disabled a device: takes it out of the store.
local function remove(engine, device)
	if device.errors then
		module:log("warn", "%s is not pushed to through %s any more: %d errors in a row", device.user, device.app_server, device.errors);
	else
		module:log("warn", "%s is not pushed to through %s any more: it could not be reached for too long", device.user, device.app_server);
	end
	guard.attempt("remove a disabled device of "..device.user.." from the store", function ()
		local record, was_there = engine:without(read_record(device.user), device.key);
		if was_there then
			write_record(device.user, record);
		end
	end);
end

return { handle = handle, load_all = load_all, remove = remove };
