-- Enabling and disabling (XEP-0357, sections 5 and 6).
--
-- Invariant: a change is in the store before it is confirmed.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local jid_prep = require "util.jid".prep;
local st = require "util.stanza";
local now = require "util.time".now;

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";
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

local function refuse_on_standby(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "recipient-unavailable",
		"This server is on standby for another one that registers devices, try again in a minute"));
	return true;
end

-- Requests of a user of each kind: so many at once, and so many a second after that.
local requests_at_once, requests_per_second = 30, 10 / 60;
local buckets_kept = 10000;

-- The most that is stored of a device in all, with what other modules add, in about as many bytes.
local longest_registration = 65536;

local function rate_exceeded(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "resource-constraint", "You have sent too many requests, try again in a minute"));
	return true;
end

local function too_many(event)
	event.origin.send(st.error_reply(event.stanza, "wait", "resource-constraint", "Too many others enable pushes at the moment, try again in a minute"));
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

-- parts: { engine; standby; registrations; may_register(event, push_info) = whether other modules agree; accounts = see accounts.lua;
-- find_memberships, when_searchable = see rooms.lua }
local function watch(parts)
	local engine, standby, registrations, may_register = parts.engine, parts.standby, parts.registrations, parts.may_register;
	local accounts, find_memberships = parts.accounts, parts.find_memberships;
	local enables = token_buckets.new(requests_at_once, requests_per_second, buckets_kept);
	-- Of their own: who may not enable for now can still disable.
	local disables = token_buckets.new(requests_at_once, requests_per_second, buckets_kept);
	local searched_for = 0; -- before it is known whether they may have a device
	local held = {}; -- user -> a list of functions, where a request of theirs waits: those that came after it are done in their order

	local search_and_enable;

	-- before: what is stored of the user, nil where nothing is, or that is not known; is_member: whether the user is a member of a room; nil
	-- where that is not known
	local function answer_enable(event, user, before, is_member)
		local stanza = event.stanza;
		local account = accounts.find_just_now(user);
		if account == false then
			-- A session may outlive the account, where another process deletes it; the next account of the name is not theirs.
			registrations.remove_former(user, account);
			return refuse(event, no_account);
		end
		before = registrations.without_former(before or registrations.read(user), account);
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
		registrations.commit(user, before, change);
		if is_member then engine:establish(user); end
		module:log("info", "%s is pushed to through %s now", user, registration.jid);
		if change.removed > 0 then
			module:log("info", "%s has more than push_max_devices devices, the oldest was removed", user);
		end
		event.origin.send(st.reply(stanza));
		return true;
	end

	-- What a user asks for waits for what they have asked for before.
	local function in_order(user, func)
		if held[user] then
			table.insert(held[user], func);
		else
			func();
		end
	end

	-- Goes on with a request that was held, which may have to be held again. func() does not raise errors
	local function resume(user, func)
		local since = held[user];
		held[user] = nil;
		func();
		for _, other in ipairs(since) do in_order(user, other); end
	end

	-- The domain of a user has no room for another stranger: so it is found out first whether they are one, and how many of the
	-- others are.
	function search_and_enable(event, user)
		searched_for = searched_for + 1;
		held[user] = {};
		local answer = guard.answer("enable pushes", function (is_member)
			return answer_enable(event, user, nil, is_member);
		end, function () return store_failed(event); end);
		find_memberships(user, function (is_member)
			searched_for = searched_for - 1;
			resume(user, function () answer(is_member); end);
		end);
		return true;
	end

	local enable_first = guard.answer("enable pushes", function (event)
		local user = jid_bare(event.stanza.attr.from);
		-- Nobody gets a place for which somebody else has come earlier, and waits.
		local has_to_wait = searched_for > 0 and not local_hosts.is_local(user) and not engine:is_registered(user);
		return has_to_wait and search_and_enable(event, user) or answer_enable(event, user, nil, nil);
	end, store_failed);

	local function enable(event, user)
		local before = engine:is_registered(user) and registrations.read(user) or nil;
		if before then return answer_enable(event, user, before, nil); end
		held[user] = {};
		parts.when_searchable(user, function ()
			resume(user, function () enable_first(event); end);
		end, function ()
			resume(user, function () too_many(event); end);
		end);
		return true;
	end

	local function disable(event, user)
		local stanza = event.stanza;
		local before = registrations.read(user);
		local change, refusal = engine:prepare_disable(stanza, app_server_of(stanza, "disable"), before);
		if not change then
			return refuse(event, refusal);
		end
		if change.removed > 0 then
			registrations.commit(user, before, change); -- the user's other devices are new where the record could not be read before
			module:log("info", "%s has disabled %d device(s)", user, change.removed);
		else
			-- Nothing to write, but the engine may have known another record: that of a store which failed to write it and yet
			-- did something (storage_internal removes a file that it could not empty), or to read it.
			registrations.set(user, before);
		end
		event.origin.send(st.reply(stanza));
		return true;
	end

	-- Answers requests where this process serves, and as soon as that is known.
	local function hook(name, what, handler, buckets)
		local answer = guard.answer(what, function (event)
			local user = jid_bare(event.stanza.attr.from);
			if not buckets.take(user) then return rate_exceeded(event); end
			in_order(user, guard.answer(what, function () return handler(event, user); end, function () return store_failed(event); end));
			return true;
		end, store_failed);
		local refuse_for_now = guard.answer(what, refuse_on_standby);
		module:hook("iq-set/host/"..xmlns_push..":"..name, function (event)
			if standby.is_serving() then return answer(event); end
			local is_kept = standby.when_decided(function (is_serving)
				(is_serving and answer or refuse_for_now)(event);
			end);
			return is_kept or refuse_for_now(event);
		end);
	end

	hook("enable", "enable pushes", enable, enables);
	hook("disable", "disable pushes", disable, disables);
end

return { watch = watch };
