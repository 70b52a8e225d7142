-- Gives out a node for a browser's subscription: to web pages by HTTP, and to other clients by an ad-hoc command (XEP-0050).
--
-- This file is MIT/X11 licensed.

local part = ...;

local dataforms = require "util.dataforms"; -- COMPAT 0.12: no prosody.* names
local json = require "util.json";
local jid_bare = require "util.jid".bare;
local jid_host = require "util.jid".host;
local new_simple_form = require "util.adhoc".new_simple_form;
local pton = require "util.net".pton;

local guard = part "shared/guard";
local token_buckets = part "shared/token_buckets";

local max_body = 4096;

-- A page subscribes when somebody logs in, and whole offices have one address.
local subscriptions_at_once, subscriptions_per_second, subscribers_kept = 60, 1, 10000;
local seconds_of_a_token = math.ceil(1 / subscriptions_per_second);

local status_of_reason = { malformed = 400, ["not-allowed"] = 403, ["too-long"] = 400 };

-- Of the addresses of IPv6, a household has a network.
local function network_of(ip)
	local packed = ip:find(":", 1, true) and pton(ip);
	return packed and packed:sub(1, 8) or ip;
end

local function respond(event, status, value)
	local response = event.response;
	response.status_code = status;
	response.headers.content_type = "application/json";
	response.headers.cache_control = "no-store";
	response.headers.x_content_type_options = "nosniff";
	if status == 429 then response.headers.retry_after = tostring(seconds_of_a_token); end
	return json.encode(value);
end

local function refuse(event, status, reason, text)
	return respond(event, status, { error = reason, text = text });
end

-- parts: { app_server; origins = those of other web pages that may use this; files = further routes }
local function serve_http(parts)
	local app_server = parts.app_server;
	local buckets = token_buckets.new(subscriptions_at_once, subscriptions_per_second, subscribers_kept);

	local function subscribe(event)
		local request = event.request;
		if not buckets.take(network_of(request.ip)) then
			return refuse(event, 429, "too-many", "there are too many subscriptions from this address, try again later");
		end
		local content_type = request.headers.content_type or "";
		if not content_type:lower():match("^application/json%f[;%s\0]") then -- which no page may send from elsewhere without being asked
			return refuse(event, 415, "malformed", "the subscription has to be sent as application/json");
		end
		local body = request.body or "";
		if #body > max_body then
			return refuse(event, 413, "too-long", "a subscription is not as long as this");
		end
		local node, secret, text = app_server:subscribe_json(body);
		if not node then
			return refuse(event, status_of_reason[secret], secret, text);
		end
		return respond(event, 200, { jid = module.host, node = node, secret = secret });
	end

	local function failed(event)
		return refuse(event, 500, "failed", "this has failed on the server");
	end

	local routes = parts.files;
	routes.GET = guard.answer("say how to subscribe", function (event)
		return respond(event, 200, { jid = module.host, vapid_public_key = app_server:public_key() });
	end, failed);
	routes.POST = guard.answer("subscribe a browser", subscribe, failed);

	module:depends "http";
	module:provides("http", {
		name = "web_push", route = routes;
		cors = { enabled = true, credentials = false, headers = { ["Content-Type"] = true }, origins = parts.origins };
	});
end

local function serve_command(app_server)
	local buckets = token_buckets.new(subscriptions_at_once, subscriptions_per_second, subscribers_kept);

	local form = dataforms.new {
		title = "Subscribe a browser", instructions = "Enter what PushSubscription.toJSON() says.";
		{ name = "vapid_public_key", type = "fixed", label = "The key to subscribe with", value = app_server:public_key() };
		{ name = "endpoint", type = "text-single", label = "Endpoint", required = true };
		{ name = "p256dh", type = "text-single", label = "Key p256dh", required = true };
		{ name = "auth", type = "text-single", label = "Key auth", required = true };
	};
	local result = dataforms.new {
		title = "Enable push notifications with these";
		{ name = "jid", type = "text-single", label = "App server" };
		{ name = "node", type = "text-single", label = "Node" };
		{ name = "secret", type = "text-single", label = "Secret" };
	};

	-- The users of another server are as many as it wants.
	local function is_too_often(from)
		local host = prosody.hosts[jid_host(from)];
		return not buckets.take(host and host.type == "local" and jid_bare(from) or jid_host(from));
	end

	local function failure(condition, text)
		return { status = "completed", error = { message = text, condition = condition } };
	end

	local handler = new_simple_form(form, function (fields, errors, data)
		if errors then return failure("bad-request", "endpoint, p256dh and auth are all needed"); end
		if is_too_often(data.from) then return failure("resource-constraint", "there are too many subscriptions, try again later"); end
		local node, secret, text = app_server:subscribe(fields.endpoint, fields.p256dh, fields.auth);
		if not node then return failure(secret, text); end
		return { status = "completed", result = { layout = result, values = { jid = module.host, node = node, secret = secret } } };
	end);

	module:depends "adhoc";
	module:provides("adhoc", module:require "adhoc".new("Subscribe a browser to push notifications", "web-push-subscribe", handler, "any"));
end

return { serve_http = serve_http, serve_command = serve_command };
