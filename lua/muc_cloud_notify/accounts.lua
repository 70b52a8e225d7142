-- Accounts of this server: nothing is pushed to the devices of one that is gone, nor to those of one that is disabled.
--
-- Prosody announces what the running server does to accounts. What another process does, as `prosodyctl deluser` of
-- Prosody 0.12, nobody announces: so the account is looked at when registrations are loaded, when one is added, and before
-- a push, though not each time. An account may also have been made anew by then, for somebody else: whatever was
-- registered before that is not theirs.
--
-- Only accounts that Prosody itself stores are looked at. Other providers do not tell "there is no such account" from
-- "I cannot say at the moment"; nor do those, so it is their store that is asked.
--
-- Bounds: `users_kept` users, each looked at before a push every `seconds_between_looks`.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_join = require "util.jid".join; -- COMPAT 0.12: no prosody.* names
local jid_split = require "util.jid".split;
local now = require "util.time".now;
local usermanager = require "core.usermanager";

local bounded_cache = part "shared/bounded_cache";
local guard = part "shared/guard";

local hosts = prosody.hosts;

local seconds_between_looks = 60;
-- More of them get a push within that time only on servers that are large; they cost a look each time then.
local users_kept = 10000;

-- Providers (mod_auth_*) that keep accounts in the store "accounts". With mod_auth_insecure users need none.
local has_accounts_store = { internal_hashed = true, internal_plain = true };

local function new()
	local stores = {}; -- host -> its store of accounts

	local function read_account(username, host)
		stores[host] = stores[host] or module:context(host):open_store("accounts");
		local account, err = stores[host]:get(username);
		if not account and err then
			module:log("debug", "Reading the account %s@%s: %s", username, host, err);
			error("the store cannot be read", 0);
		end
		return account or false;
	end

	-- The account of a user, as it is stored; false where it is gone; nil where that cannot be said, as of a user of another
	-- server.
	local function find(user)
		local username, host = jid_split(user);
		local session = hosts[host];
		if not username or not session or session.type ~= "local" or not session.users or not has_accounts_store[session.users.name] then
			return nil;
		end
		local ok, account = guard.attempt("look at the account "..user, read_account, username, host);
		if ok then return account; end
		return nil;
	end

	-- Whether something from before that time was registered for an account of that name that is gone. account: see find()
	local function is_older(account, timestamp)
		local created = account and account.created; -- nil on Prosody 0.12
		return type(created) == "number" and type(timestamp) == "number" and timestamp < created and created <= now();
	end

	-- The push identifiers of those registrations of a record that are not those of the account.
	local function former(account, record)
		local push_identifiers = {};
		for push_identifier, registration in pairs(record) do
			if account == false or type(registration) == "table" and is_older(account, registration.timestamp) then
				table.insert(push_identifiers, push_identifier);
			end
		end
		return push_identifiers;
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

	return { find = find, is_older = is_older, former = former, is_disabled = is_disabled };
end

-- parts: { engine; accounts = as from new(); registrations }
local function watch(parts)
	local engine, accounts, registrations = parts.engine, parts.accounts, parts.registrations;
	local looked_at = bounded_cache.new(users_kept); -- bare JID -> when that is too long ago

	local function user_of(event)
		return jid_join(event.username, event.host);
	end

	-- An account is deleted, or new: nobody can have registered anything for it.
	local function forget_user(event)
		registrations.remove_all(user_of(event));
	end

	module:hook_global("user-deleted", guard.watch("forget a user whose account is deleted", forget_user));
	module:hook_global("user-disabled", guard.watch("hold the pushes of a disabled account", function (event)
		engine:set_suspended(user_of(event), true);
	end));
	module:hook_global("user-enabled", guard.watch("let go the pushes of an enabled account", function (event)
		engine:set_suspended(user_of(event), false);
	end));

	local function watch_host(host)
		module:hook_object_event(hosts[host].events, "user-registered", guard.watch("forget the earlier user of an account", forget_user));
	end

	for host, session in pairs(hosts) do
		if session.type == "local" then watch_host(host); end
	end
	module:hook_global("host-activated", guard.watch("watch a host", function (host)
		if hosts[host].type == "local" then watch_host(host); end
	end));

	local function is_current(user, id)
		local account = accounts.find(user);
		if account then
			local details = account.created and engine:push_details(id);
			if not details or not accounts.is_older(account, details.push_info.timestamp) then return true; end
		elseif account == nil then
			return true;
		end
		registrations.remove_former(user, account);
		return false;
	end

	local get_look = looked_at.get;

	-- Whether a push that was polled goes to somebody whose account has not changed hands. time: on the clock of
	-- util.time.monotonic
	local function may_push(user, id, time)
		local next_look = get_look(user);
		if next_look and time < next_look then return true; end
		looked_at.set(user, time + seconds_between_looks);
		return is_current(user, id);
	end

	return { may_push = may_push };
end

return { new = new, watch = watch };
