-- Enabling and disabling (XEP-0357, sections 5 and 6), and the store behind it.
--
-- Invariant: the store is the truth. A change is in it before it is confirmed, and before the engine counts on it. A record
-- that cannot be read is never taken for "nothing registered".
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";
local now = require "util.time".now;

local guard = part "shared/guard";

local xmlns_push = "urn:xmpp:push:0";

local function refuse(event, refusal)
	module:log("debug", "Refused a request of %s: %s", event.stanza.attr.from, refusal.text);
	event.origin.send(st.error_reply(event.stanza, refusal.type, refusal.condition, refusal.text));
	return true;
end

local function store_failed(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "internal-server-error", "Your registrations cannot be stored at the moment"));
	return true;
end

-- parts: { engine; on_first_device(bare_jid) = called for a user who had no device before; may_register(event, push_info) =
-- whether other modules agree; accounts = see accounts.lua }
local function new(parts)
	local engine, on_first_device, may_register, accounts = parts.engine, parts.on_first_device, parts.may_register, parts.accounts;
	local store = module:open_store();

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

	local function set_registrations(user, record, added)
		if engine:set_registrations(user, record, added) then
			on_first_device(user);
		end
	end

	-- Makes a change count: in the store first, in the engine second. Should the engine fail, both are as they were.
	local function commit(user, before, change)
		write_record(user, change.record);
		local ok, is_first_device = pcall(engine.set_registrations, engine, user, change.record, change.added);
		if not ok then
			guard.attempt("take back what was stored of "..user, write_record, user, before);
			pcall(set_registrations, user, before); -- which most likely fails as well
			error(is_first_device, 0);
		end
		if is_first_device then
			on_first_device(user);
		end
	end

	-- A record without what was registered for an account that is gone, and how many registrations that were. account: see
	-- accounts.lua
	local function without_former(record, account)
		local former = record and accounts.former(account, record) or {};
		for _, push_identifier in ipairs(former) do
			record = engine:without_registration(record, push_identifier);
		end
		return record, #former;
	end

	-- Takes the registrations of an account that is gone from a user. The engine first: whatever the store does, nothing is
	-- pushed to them any more.
	local function remove_former(user, account)
		guard.attempt("remove the devices of the earlier account "..user, function ()
			local ok, record, removed = pcall(function () return without_former(read_record(user), account); end);
			if not ok then
				engine:set_registrations(user, nil);
				error(record, 0);
			end
			set_registrations(user, record);
			if removed > 0 then
				module:log("info", "%s is not pushed to through %d device(s) any more: the account is gone", user, removed);
				write_record(user, record);
			end
		end);
	end

	-- The same for all of them.
	local function remove_all(user)
		remove_former(user, false);
	end

	local function enable(event)
		local stanza = event.stanza;
		local user = jid_bare(stanza.attr.from);
		local account = accounts.find(user);
		local before = without_former(read_record(user), account);
		local change, refusal = engine:prepare_enable(user, stanza, before, now());
		if not change then
			return refuse(event, refusal);
		end
		local registration = change.record[change.added];
		if not may_register(event, registration) then
			return true; -- the module that does not agree has answered
		end
		accounts.mark(user, account, change.record);
		commit(user, before, change);
		module:log("info", "%s is pushed to through %s now", user, registration.jid);
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
		local change, refusal = engine:prepare_disable(stanza, before);
		if not change then
			return refuse(event, refusal);
		end
		if change.removed > 0 then
			commit(user, before, change); -- the user's other devices are new where the record could not be read before
			module:log("info", "%s has disabled %d device(s)", user, change.removed);
		else
			-- Nothing to write, but the engine may have known another record: that of a store which failed to write it and yet
			-- did something (storage_internal removes a file that it could not empty), or to read it.
			set_registrations(user, before);
		end
		event.origin.send(st.reply(stanza));
		return true;
	end

	module:hook("iq-set/host/"..xmlns_push..":enable", guard.answer("enable pushes", enable, store_failed));
	module:hook("iq-set/host/"..xmlns_push..":disable", guard.answer("disable pushes", disable, store_failed));

	-- Makes what a user registered before there were markers, or before they were lost, say for which account it is.
	local function mark(user)
		local account = accounts.find(user);
		local record = without_former(read_record(user), account);
		if record and accounts.mark(user, account, record) then
			write_record(user, record);
			set_registrations(user, record);
		end
	end

	local function mark_all(users, pause)
		local failed, reason = 0, nil;
		for _, user in ipairs(users) do
			local ok, err = pcall(mark, user);
			if not ok then failed, reason = failed + 1, err; end
			pause();
		end
		if failed > 0 then
			module:log("error", "The accounts of %d user(s) could not be given a marker, so it may not be noticed if they are deleted and made again: %s",
				failed, reason);
		end
	end

	-- Loads everything that is stored into the engine; pause() is called wherever there may be an interruption.
	-- Returns false where that is to be tried again.
	local function load_all(pause)
		if not store.users then
			module:log_status("error", "The storage of this host cannot list its users, so nobody who registered before is known; see docs/operators.md");
			return true;
		end
		local gone = {}; -- users -> their accounts, where there are registrations of earlier ones
		local unmarked = {}; -- users, where there are registrations that do not say for which account they are
		local is_listed = guard.attempt("list the registered users", function ()
			for user in store:users() do
				guard.attempt("load the registrations of "..tostring(user), function ()
					local account = accounts.find(user);
					local record, removed = without_former(read_record(user), account);
					engine:set_registrations(user, record);
					if removed > 0 then gone[user] = account; end
					if record and accounts.unmarked(account, record)[1] then table.insert(unmarked, user); end
					if record and accounts.is_disabled(user, account) then
						engine:set_suspended(user, true);
					end
				end);
				pause(true);
			end
		end);
		-- Not while they are listed: a store may do only one thing at a time.
		for user, account in pairs(gone) do
			remove_former(user, account);
			pause(true);
		end
		mark_all(unmarked, pause);
		if not is_listed then
			module:log_status("error", "The store cannot be read, so nobody who registered before is known; reload mod_%s when it can", module.name);
			return false;
		end
		local stats = engine:stats();
		module:log_status("info", "%d device(s) of %d user(s) are registered", stats.devices, stats.users);
		return true;
	end

	-- The engine has disabled a device: takes it out of the store.
	---@param device device_disabled
	local function remove(device)
		if device.errors then
			module:log("warn", "%s is not pushed to through %s any more: %d errors in a row", device.user, device.app_server, device.errors);
		else
			module:log("warn", "%s is not pushed to through %s any more: it could not be reached for too long", device.user, device.app_server);
		end
		guard.attempt("remove a disabled device of "..device.user.." from the store", function ()
			local record, was_there = engine:without_registration(read_record(device.user), device.push_identifier);
			if was_there then
				write_record(device.user, record);
			end
		end);
	end

	return { load_all = load_all, remove = remove, remove_former = remove_former, remove_all = remove_all };
end

return { new = new };
