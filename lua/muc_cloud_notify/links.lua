-- The links to app servers, as far as the server is told of them: an app server is an external component of this server, lives in this
-- very Prosody, or is reached over s2s. What was on its way when a link is lost is not going to be answered, and who waits for an app
-- server need not do so once the link is there again.
--
-- Which domains have app servers the engine knows: that a link to another one comes or goes costs a look into a table.
--
-- This file is MIT/X11 licensed.

local part = ...;

local monotonic = require "util.time".monotonic; -- COMPAT 0.12: no prosody.* names

local guard = part "shared/guard";

-- mod_smacks returns what was not acknowledged with errors, which say less.
local before_smacks = 10;

-- How many sessions each server has opened to a host. Many may end at once, and nobody is to go through all for each.
local function count_incoming(host)
	local domains, counts = setmetatable({}, { __mode = "k" }), {};

	local function add(session)
		local domain = session.from_host;
		if domain and not domains[session] then
			domains[session], counts[domain] = domain, (counts[domain] or 0) + 1;
		end
	end

	-- Returns whether it was the last one of its domain.
	local function remove(session)
		local domain = domains[session];
		if not domain then return true; end
		domains[session] = nil;
		counts[domain] = counts[domain] > 1 and counts[domain] - 1 or nil;
		return not counts[domain];
	end

	for session in pairs(prosody.incoming_s2s) do
		if session.type == "s2sin" and session.to_host == host then add(session); end
	end
	return { add = add, remove = remove };
end

-- parts: { engine; publishers }
local function watch(parts)
	local engine = parts.engine;

	-- host: whose link it was; nil: that of all hosts of this server
	local function lost(domain, host)
		if domain then engine:link_lost(domain, monotonic(), host); end
	end

	local function restored(domain)
		if domain then engine:link_restored(domain, monotonic()); end
	end

	-- The sessions with other servers of a host that publishes leave from.
	local function watch_sessions(host)
		local events, incoming = prosody.hosts[host].events, count_incoming(host);

		local function hook(name, what, handler, priority)
			module:hook_object_event(events, name, guard.watch(what, handler), priority);
		end

		hook("s2sout-established", "take note of a link to a server", function (event)
			restored(event.session.to_host);
		end);

		-- It can reach us, which is more than was known.
		hook("s2sin-established", "take note of a link from a server", function (event)
			incoming.add(event.session);
			restored(event.session.from_host);
		end);

		hook("s2sout-destroyed", "take note of a lost link to a server", function (event)
			lost(event.session.to_host, host);
		end, before_smacks);

		-- The answers come on it. On a bidirectional one (XEP-0288) what is to be answered leaves too.
		hook("s2sin-destroyed", "take note of a lost link from a server", function (event)
			local session = event.session;
			local is_last = incoming.remove(session);
			if is_last or session.outgoing then lost(session.from_host, host); end
		end, before_smacks);
	end

	watch_sessions(module.host);
	parts.publishers.watch_hosts(watch_sessions);

	-- The hosts of this server, external components among them.

	local function watch_host(host)
		local events = prosody.hosts[host].events;
		module:hook_object_event(events, "component-authenticated", guard.watch("take note of a component", function ()
			restored(host);
		end));
		module:hook_object_event(events, "component-disconnected", guard.watch("take note of a lost component", function (event)
			-- Another one may have tried in vain to connect.
			if event.session.type == "component" then lost(host); end
		end));
		-- One of its modules may be the app server.
		module:hook_object_event(events, "module-loaded", guard.watch("take note of a module", function ()
			restored(host);
		end));
		-- What the one before has not answered, nobody will. The stream of an external component outlives the reload.
		module:hook_object_event(events, "module-reloaded", guard.watch("take note of a module that was reloaded", function ()
			if not prosody.hosts[host].modules.component then lost(host); end
			restored(host);
		end));
	end

	for host in pairs(prosody.hosts) do
		if host ~= module.host then watch_host(host); end
	end
	module:hook_global("host-activated", guard.watch("watch a host", watch_host));
	module:hook_global("host-deactivating", guard.watch("take note of a host that ends", function (event)
		lost(event.host);
	end));
end

return { watch = watch };
