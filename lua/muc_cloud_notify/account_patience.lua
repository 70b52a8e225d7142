-- How long a store is left alone that cannot say whether an account has devices, where a push to it waits for that.
--
-- The record of one account may be damaged, or the store may be down for all of a host. So each account is asked about again after a pause
-- of its own, which grows; and once several in a row could not be asked about, none of the host is for a while: then one of them at a
-- time, until any can be. However many pushes wait, the store is asked no more often than that.
--
-- Bounds: of `accounts_kept` accounts it is known how long their pause is.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_host = require "util.jid".host; -- COMPAT 0.12: no prosody.* names

local bounded_cache = part "shared/bounded_cache";
local growing_pause = part "shared/growing_pause";

-- The pauses of an account, in seconds.
local first_pause, longest_pause = 1, 60;

-- The same of a host, and after how many accounts in a row.
local first_rest, longest_rest = 4, 30;
local failures_per_rest = 5;

local accounts_kept = 1000;

-- The log says of a host that its store fails no more often.
local seconds_between_errors = 3600;

local function new()
	local pauses = bounded_cache.new(accounts_kept); -- bare JID -> its pauses
	-- host -> { accounts = which could not be asked about since any other could, count = how many; rests = its pauses, rests_until }
	local failing = {};
	local logged = {}; -- host -> when

	-- For how many seconds no account of the host of this one is to be asked about; nil: it may be.
	local function rest(user, time)
		local of_host = failing[jid_host(user)];
		local until_then = of_host and of_host.rests_until;
		return until_then and time < until_then and until_then - time or nil;
	end

	local function log_failure(host, time, err)
		if logged[host] and time < logged[host] + seconds_between_errors then return; end
		logged[host] = time;
		module:log("error", "It cannot be read which devices accounts of %s have, so pushes to them wait until it can: %s", host, err);
	end

	-- An account could not be asked about. Returns after how many seconds it may be again.
	local function note_failure(user, time, err)
		local host = jid_host(user);
		log_failure(host, time, err);
		local of_host = failing[host] or { accounts = {}, count = 0, rests = growing_pause.new(first_rest, longest_rest) };
		failing[host] = of_host;
		if not of_host.accounts[user] then
			if of_host.count < failures_per_rest then
				of_host.accounts[user], of_host.count = true, of_host.count + 1;
			end
			if of_host.count == failures_per_rest then
				of_host.rests_until = time + of_host.rests.take();
			end
		end
		local of_user = pauses.get(user) or growing_pause.new(first_pause, longest_pause);
		pauses.set(user, of_user);
		return of_user.take();
	end

	local function note_success(user)
		pauses.forget(user);
		failing[jid_host(user)] = nil;
	end

	return { rest = rest, note_failure = note_failure, note_success = note_success };
end

return { new = new };
