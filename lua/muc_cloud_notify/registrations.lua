-- Enabling and disabling (XEP-0357, sections 5 and 6), and the store behind it.
--
-- Invariant: the store is the truth. A change is in it before it is confirmed, and before the engine counts on it. A record
-- that cannot be read is never taken for "nothing registered".
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_prep = require "util.jid".prep;
local st = require "util.stanza";
local now = require "util.time".now;

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
local record_store = part "muc_cloud_notify/record_store";
local token_buckets = part "shared/token_buckets";

local xmlns_push = "urn:xmpp:push:0";

---@type refusal
local no_account = { type = "auth", condition = "registration-required", text = "Your account does not exist any more" };
---@type refusal
local too_long = { type = "modify", condition = "policy-violation", text = "Your registration is too long" };

local function refuse(event, refusal)
	module:log("debug", "Refused a request of %s: %s", event.stanza.attr.from, refusal.text);
	event.origin.send(st.error_reply(event.stanza, refusal.type, refusal.condition, refusal.text));
	return true;
end

local function store_failed(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "internal-server-error", "Your registrations cannot be stored at the moment"));
	return true;
end

-- Requests of a user of each kind: so many at once, and so many a second after that.
local requests_at_once, requests_per_second = 30, 10 / 60;

-- Who is searched for before it is known whether they may have a device; others have to come again.
local max_searched_for = 1000;

-- The most that is stored of a device in all, with what other modules add, in about as many bytes.
local longest_registration = 65536;

local function rate_exceeded(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "resource-constraint", "You have sent too many requests, try again in a minute"));
	return true;
end

-- The app server that a request names, as Prosody prepares it.
local function app_server_of(stanza, name)
	local request = stanza:get_child(name, xmlns_push);
	return request and request.attr.jid and jid_prep(request.attr.jid);
end

-- Whether a value takes no more than so many bytes, about. Returns how many are left, nil where it takes more.
local function fits(value, left)
	left = left - 16 - (type(value) == "string" and #value or 0);
	for key, field in pairs(type(value) == "table" and value or {}) do
		left = left and left >= 0 and fits(key, left);
		left = left and fits(field, left);
		if not left then return nil; end
	end
	return left >= 0 and left or nil;
end

-- parts: { engine; may_register(event, push_info) = whether other modules agree; accounts = see accounts.lua;
-- find_memberships = see rooms.lua }
local function new(parts)
	local engine, may_register, accounts, find_memberships = parts.engine, parts.may_register, parts.accounts, parts.find_memberships;
	local records = record_store.new();
	local read_record, write_record = records.get, records.set;
	local enables = token_buckets.new(requests_at_once, requests_per_second);
	-- Of their own: who may not enable for now can still disable.
	local disables = token_buckets.new(requests_at_once, requests_per_second);
	local searched_for = 0;

	-- A user has a device, and had none before. A user of this server is no stranger, nor is a member of a room.
	local function on_first_device(user)
		if local_hosts.is_local(user) then
			engine:establish(user);
		end
		find_memberships(user, function (is_member)
			if is_member then engine:establish(user); end
		end);
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

	local search_and_enable;

	-- is_member: whether the user is a member of a room; nil where that is not known
	local function answer_enable(event, user, is_member)
		local stanza = event.stanza;
		local account = accounts.find(user);
		if account == false then
			-- A session may outlive the account, where another process deletes it; the next account of the name is not theirs.
			remove_former(user, account);
			return refuse(event, no_account);
		end
		local before = without_former(read_record(user), account);
		local facts = {
			user = user, app_server = app_server_of(stanza, "enable"), is_local = local_hosts.is_local(user), is_member = is_member or false;
		};
		local change, refusal = engine:prepare_enable(facts, stanza, before, now());
		if not change then
			local is_searched = refusal.unless_member and is_member == nil and search_and_enable(event, user);
			return is_searched or refuse(event, refusal);
		end
		local registration = change.record[change.added];
		if not may_register(event, registration) then
			return true; -- the module that does not agree has answered
		end
		if not fits(registration, longest_registration) then
			return refuse(event, too_long);
		end
		accounts.mark(user, account, change.record);
		commit(user, before, change);
		if is_member then engine:establish(user); end
		module:log("info", "%s is pushed to through %s now", user, registration.jid);
		if change.removed > 0 then
			module:log("info", "%s has more than push_max_devices devices, the oldest was removed", user);
		end
		event.origin.send(st.reply(stanza));
		return true;
	end

	-- The domain of a user has no room for another stranger: so it is found out first whether they are one, and how many of the
	-- others are. Returns nil where too many are searched for already.
	function search_and_enable(event, user)
		if searched_for >= max_searched_for then return nil; end
		searched_for = searched_for + 1;
		local answer = guard.answer("enable pushes", function (is_member)
			return answer_enable(event, user, is_member);
		end, function () return store_failed(event); end);
		find_memberships(user, function (is_member)
			searched_for = searched_for - 1;
			answer(is_member);
		end);
		return true;
	end

	local function enable(event)
		local user = jid_bare(event.stanza.attr.from);
		if not enables.take(user) then return rate_exceeded(event); end
		return answer_enable(event, user, nil);
	end

	local function disable(event)
		local stanza = event.stanza;
		local user = jid_bare(stanza.attr.from);
		if not disables.take(user) then return rate_exceeded(event); end
		local before = read_record(user);
		local change, refusal = engine:prepare_disable(stanza, app_server_of(stanza, "disable"), before);
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

	-- Loads what is stored under the keys for which is_wanted(key) holds. Returns whether it could be listed.
	local function load_where(is_wanted, pause)
		local gone = {}; -- users, where there are registrations of earlier accounts
		local unmarked = {}; -- users, where there are registrations that do not say for which account they are
		local is_listed = guard.attempt("list the registered users", function ()
			records.each_key(function (key)
				guard.attempt("load the registrations of "..tostring(key), function ()
					if not is_wanted(key) then return; end
					local user, stored = records.get_by_key(key);
					local account = accounts.find(user);
					local record, removed = without_former(stored, account);
					engine:set_registrations(user, record);
					if removed > 0 then table.insert(gone, user); end
					if record and accounts.unmarked(account, record)[1] then table.insert(unmarked, user); end
					if record and accounts.is_disabled(user, account) then
						engine:set_suspended(user, true);
					end
				end);
				pause(true);
			end);
		end);
		-- Not while they are listed: a store may do only one thing at a time.
		for _, user in ipairs(gone) do
			remove_former(user, accounts.find(user)); -- it may have been made anew meanwhile
			pause(true);
		end
		mark_all(unmarked, pause);
		return is_listed;
	end

	-- Loads everything that is stored into the engine; pause() is called wherever there may be an interruption.
	-- Returns false where that is to be tried again.
	local function load_all(pause)
		if not records.can_list then
			module:log_status("error", "The storage of this host cannot list its users, so nobody who registered before is known; see docs/operators.md");
			return true;
		end
		if not load_where(function () return true; end, pause) then
			module:log_status("error", "The store cannot be read, so nobody who registered before is known; reload mod_%s when it can", module.name);
			return false;
		end
		local stats = engine:stats();
		module:log_status("info", "%d device(s) of %d user(s) are registered", stats.devices, stats.users);
		return true;
	end

	-- Loads what is stored of the users of a host again: it was activated just now, and so its accounts can be looked at.
	local function load_host(host, pause)
		load_where(function (key) return records.may_be_of(key, host); end, pause);
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

	-- Finds out which keys there are, where the engine has the registrations already.
	local function list(pause)
		guard.attempt("list the registered users", records.each_key, function () pause(); end);
	end

	-- There was a sign of life of a device: stores it, and then counts on it.
	local function refresh(user, push_identifier)
		local record = read_record(user);
		local registration = record and record[push_identifier];
		if not registration then return; end
		registration.last_sign = math.floor(now());
		write_record(user, record);
		engine:set_registrations(user, record);
	end

	-- Removes a device of which there was no sign of life for too long. Returns whether it was there.
	local function expire(user, push_identifier)
		local is_done, was_there = guard.attempt("remove an old device of "..user, function ()
			local record, was_there = engine:without_registration(read_record(user), push_identifier);
			if was_there then
				write_record(user, record);
				engine:set_registrations(user, record);
			end
			return was_there;
		end);
		return is_done and was_there;
	end

	return {
		load_all = load_all, load_host = load_host, list = list, mark = mark, refresh = refresh, expire = expire;
		remove = remove, remove_former = remove_former, remove_all = remove_all;
	};
end

return { new = new };
