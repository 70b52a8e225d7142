-- Accounts of this server: nothing is pushed to the devices of one that is gone, nor to those of one that is disabled.
--
-- Prosody announces what the running server does to accounts. What another process does, as `prosodyctl deluser` of
-- Prosody 0.12, nobody announces: so the account is looked at when registrations are loaded, when one is added, and before
-- a push, though not each time. An account may also have been made anew by then, for somebody else: whatever was
-- registered before that is not theirs. The account's time says so on Prosody 13.0, and its marker everywhere: see
-- account_markers.lua.
--
-- Only accounts that Prosody itself stores are looked at. Other providers do not tell "there is no such account" from
-- "I cannot say at the moment"; nor do those, so it is their store that is asked.
--
-- Bounds: `users_kept` users, each looked at before a push every `seconds_between_looks`. A look keeps the event loop
-- waiting for the store: so the outbox ends its turn as soon as its time is up after one.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names
local jid_join = require "util.jid".join;
local jid_split = require "util.jid".split;
local monotonic = require "util.time".monotonic;
local now = require "util.time".now;
local usermanager = require "core.usermanager";

local account_markers = part "muc_cloud_notify/account_markers";
local bounded_cache = part "shared/bounded_cache";
local brief_cache = part "shared/brief_cache";
local growing_pause = part "shared/growing_pause";
local guard = part "shared/guard";
local host_stores = part "muc_cloud_notify/host_stores";
local local_hosts = part "muc_cloud_notify/local_hosts";

-- Whatever number of users there are, a store that fails is told of no more often, for each host: while it goes on to fail, ever less often.
local seconds_between_errors, longest_between_errors = 60, 3600;

local hosts = prosody.hosts;

local seconds_between_looks = 60;
-- More of them get a push within that time only on servers that are large; they cost a look each time then.
local users_kept = 10000;

-- Providers (mod_auth_*) that keep accounts in the store "accounts". With mod_auth_insecure users need none.
local has_accounts_store = { internal_hashed = true, internal_plain = true };

-- What was just found out of accounts.
local accounts_kept = 100;

-- How often an account is read anew, where accounts have changed between one look into a store and the next, before that is done
-- without a pause.
local tries_with_pauses = 2;

local function no_pause() end

-- The field of a stored registration that says for which account it is.
local marker_field = "account";

local function new()
	local markers = account_markers.new();
	local stores = host_stores.new "accounts";
	local failed = {}; -- host -> { pauses; is_quiet_until = before that the log does not say again that its store fails }
	local found_just_now = brief_cache.new(accounts_kept); -- bare JID -> as from find(), where there is an account
	local changes = 0; -- how often accounts were said to have changed

	local function log_failure(host, err)
		local time = monotonic();
		local before = failed[host];
		if before and time < before.is_quiet_until then return; end
		if not before or time > before.is_quiet_until + longest_between_errors then
			before = { pauses = growing_pause.new(seconds_between_errors, longest_between_errors) };
			failed[host] = before;
		end
		before.is_quiet_until = time + before.pauses.take();
		module:log("error", "The accounts of %s cannot be looked at, so those that are gone are not noticed: %s", host, err);
	end

	-- As from look().
	local function look_once(user, pause)
		local username, host = jid_split(user);
		local session = hosts[host];
		if not username or not session or session.type ~= "local" or not session.users or not has_accounts_store[session.users.name] then
			return nil, false;
		end
		local ok, account = pcall(stores.get, username, host);
		pause(true);
		if not ok or account and type(account) ~= "table" then
			log_failure(host, ok and "the account of "..username.." is no table: "..host_stores.advice or account);
			return nil, true;
		end
		return account and { created = account.created, disabled = account.disabled } or false, true;
	end

	-- As from find(). Where there is no marker, the id of the store is needed next, whatever is registered: if there is a pause, it is read too.
	local function find_once(user, pause)
		local account, is_asked = look_once(user, pause);
		if not account then return account, is_asked; end
		local username, host = jid_split(user);
		local is_known, marker = pcall(markers.find, username, host);
		pause(true);
		if is_known and not marker.id and pause ~= no_pause then
			pcall(markers.store_id_of, marker); -- where it is needed, it is asked for again
			pause(true);
		end
		if not is_known then log_failure(host, marker); end
		account.marker = is_known and marker or nil;
		return account, true;
	end

	-- What a function says of a user who may have to be waited for. It is as of the return: where an account changes in a pause, all
	-- that was read is read anew.
	local function settled(func, user, pause)
		for _ = 1, pause and tries_with_pauses or 0 do
			local before = changes;
			local account, is_asked = func(user, pause);
			if changes == before then return account, is_asked; end
		end
		return func(user, no_pause);
	end

	-- The account of a user, as far as its store says: { created, disabled = as they are stored }. False where it is gone; nil
	-- where that cannot be said, as of a user of another server. Also returns whether a store was asked, so that it may be said later.
	-- pause: see lua/shared/tasks.lua; called after each look into a store, the last one too. nil: there is none
	local function look(user, pause)
		return settled(look_once, user, pause);
	end

	-- The same with its marker: as from markers.find(), nil where it cannot be said.
	local function find(user, pause)
		return settled(find_once, user, pause);
	end

	-- Somebody has changed an account.
	local function note_change()
		changes = changes + 1;
	end

	-- The same as it was found out just now: clients may enable several nodes in a row, and a store may be slow.
	local function find_just_now(user)
		local account = found_just_now.get(user);
		if not account then
			account = find(user);
			if account then found_just_now.set(user, account); end
		end
		return account;
	end

	-- Whether something from before that time was registered for an account of that name that is gone. account: see find()
	local function is_older(account, timestamp)
		local created = account.created; -- nil on Prosody 0.12
		return type(created) == "number" and type(timestamp) == "number" and timestamp < created and created <= now();
	end

	-- Whether a registration was made for an earlier account of that name. account: see find()
	local function is_former(account, registration)
		if account == false then return true; end
		if not account or type(registration) ~= "table" then return false; end
		if is_older(account, registration.timestamp) then return true; end
		if not account.marker then return false; end
		local is_known, has_former_marker = pcall(markers.is_former, account.marker, registration[marker_field]);
		if not is_known then log_failure(account.marker.host, has_former_marker); end
		return is_known and has_former_marker;
	end

	-- The push identifiers of those registrations of a record that are not those of the account.
	local function former(account, record)
		local push_identifiers = {};
		for push_identifier, registration in pairs(record) do
			if is_former(account, registration) then
				table.insert(push_identifiers, push_identifier);
			end
		end
		return push_identifiers;
	end

	-- Those registrations of a record that do not say for which account they are. account: see find()
	local function unmarked(account, record)
		local found = {};
		if not account then return found; end
		local id = account.marker and account.marker.id;
		for _, registration in pairs(record) do
			if type(registration) == "table" and (id == nil or registration[marker_field] ~= id) then
				table.insert(found, registration);
			end
		end
		return found;
	end

	-- Makes the registrations of a record, none of which is former, say for which account they are. Returns whether any did
	-- not. Raises an error where the account cannot be given a marker. account: see find()
	local function mark(user, account, record)
		local to_mark = unmarked(account, record);
		if not to_mark[1] then return false; end
		local username, host = jid_split(user);
		account.marker = account.marker or markers.find(username, host);
		if not account.marker.id then
			markers.add(username, host, account.marker);
		end
		for _, registration in ipairs(to_mark) do
			registration[marker_field] = account.marker.id;
		end
		return true;
	end

	-- account: see find()
	local function is_disabled(user, account)
		if not usermanager.user_is_enabled then return false; end -- COMPAT 0.12
		if account ~= nil then return account and account.disabled or false; end
		local username, host = jid_split(user);
		if not username or not hosts[host] or hosts[host].type ~= "local" or not hosts[host].users then return false; end
		-- Some providers can only be asked where there is time to wait for them; others do not know.
		local ok, is_enabled = pcall(usermanager.user_is_enabled, username, host);
		return ok and is_enabled == false;
	end

	return {
		look = look, find = find, note_change = note_change, find_just_now = find_just_now, forget = found_just_now.forget;
		is_former = is_former, former = former, unmarked = unmarked, mark = mark, is_disabled = is_disabled;
		log_failure = log_failure;
	};
end

-- parts: { engine; standby; accounts = as from new(); registrations; awaited_accounts }
local function watch(parts)
	local engine, accounts, registrations = parts.engine, parts.accounts, parts.registrations;
	local looked_at = bounded_cache.new(users_kept); -- bare JID -> when that is too long ago

	local function user_of(event)
		return jid_join(event.username, event.host);
	end

	-- An account is deleted, or new: nobody can have registered anything for it. A process that does not serve writes nothing:
	-- the one that does finds it out.
	local function forget_user(event)
		accounts.note_change();
		if not parts.standby.is_serving() then return; end
		accounts.forget(user_of(event));
		registrations.remove_all(user_of(event));
	end

	module:hook_global("user-deleted", guard.watch("forget a user whose account is deleted", forget_user));
	module:hook_global("user-disabled", guard.watch("hold the pushes of a disabled account", function (event)
		accounts.note_change();
		engine:set_suspended(user_of(event), true);
	end));
	module:hook_global("user-enabled", guard.watch("let go the pushes of an enabled account", function (event)
		accounts.note_change();
		engine:set_suspended(user_of(event), false);
	end));

	local function watch_host(host)
		module:hook_object_event(hosts[host].events, "user-registered", guard.watch("forget the earlier user of an account", forget_user));
	end

	local_hosts.watch(watch_host);

	-- A registration may say of no account, as where the markers could not be stored when it was loaded.
	local function mark_if_need_be(user, account, registration)
		if not accounts.unmarked(account, { registration })[1] then return; end
		local ok, err = pcall(registrations.mark, user);
		if not ok then accounts.log_failure(jid_host(user), err); end
	end

	-- Also returns whether the store was asked. Where it cannot say, what was known of the account counts.
	local function is_current(user, id, time)
		local account, is_asked = accounts.find(user);
		if account then
			if accounts.is_disabled(user, account) then
				parts.awaited_accounts.await_enabled(user);
				engine:handle_send_failure(id, time); -- what it says is not lost
				return false, is_asked;
			end
			local details = engine:push_details(id);
			if not details or not accounts.is_former(account, details.push_info) then
				if details and account.marker then mark_if_need_be(user, account, details.push_info); end
				return true, is_asked;
			end
		elseif account == nil then
			return true, is_asked;
		end
		if not registrations.remove_former(user, account) then parts.awaited_accounts.await(user); end
		return false, is_asked;
	end

	local get_look = looked_at.get;

	-- Whether a push that was polled goes to somebody whose account has not changed hands, and whether it took a look into
	-- the store to know. time: on the clock of util.time.monotonic
	local function may_push(user, id, time)
		local next_look = get_look(user);
		if next_look and time < next_look then return true, false; end
		looked_at.set(user, time + seconds_between_looks);
		return is_current(user, id, time);
	end

	return { may_push = may_push };
end

return { new = new, watch = watch };
