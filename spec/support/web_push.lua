-- An app server for browsers inside a real Prosody, with a push service on loopback and a browser's subscription.

local ltn12 = require "ltn12";
local base64 = require "util.encodings".base64;
local http = require "socket.http";
local json = require "util.json";

local files = require "harness.files";
local loop = require "harness.loop";
local prosody = require "harness.prosody";
local publish = require "harness.publish";
local push_service = require "harness.push_service";
local tables = require "harness.tables";

local shell = require "spec.support.shell";

local merge = tables.merge;

local web_push = {
	host = "push.localhost";
	-- The browser of RFC 8291, Appendix A.
	browser = {
		p256dh = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
		auth = "BTBZMqHH6r4Tts7J_aSIgg";
		key = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
	};
};

local methods = {};
local mt = { __index = methods };

local function base64url(bytes)
	return (base64.encode(bytes):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }));
end

-- Starts a push service.
function web_push.start_push_service(names)
	return push_service.start(shell.run("mktemp -d"), names);
end

-- The options of the component.
function web_push.component(service, options)
	return merge({ module = "web_push_app_server", web_push_services = { service.host } }, options);
end

-- Starts a server with the component, users, and a push service of its own unless `service` is given. options: those of
-- prosody.start() that are not as usual; component: options of the component
function web_push.start(version, options)
	options = options or {};
	local service = options.service or web_push.start_push_service();
	local server = prosody.start(merge({
		version = version;
		components = { "users.localhost" };
		http = true;
		internal = { [web_push.host] = web_push.component(service, options.component) };
	}, merge(merge({}, options), {
		global = merge({ client_https_ssl = { cafile = service.cafile } }, options.global);
	})));
	return setmetatable({ server = server, service = service }, mt);
end

-- Asks the server by HTTP. Returns the status, the headers and the body.
function methods:http(method, body, headers, path)
	local parts = {};
	local _, status, answer = http.request {
		url = string.format("http://%s:%d%s", self.server.http_address, self.server.http_port, path or "/web_push");
		method = method;
		source = body and ltn12.source.string(body);
		sink = ltn12.sink.table(parts);
		headers = merge({
			host = web_push.host;
			["content-type"] = body and "application/json";
			["content-length"] = body and tostring(#body);
		}, headers);
	};
	return status, answer, table.concat(parts);
end

-- What PushSubscription.toJSON() gives. fields: those that are not as usual; path, of the endpoint
function methods:subscription(fields)
	fields = fields or {};
	return json.encode {
		endpoint = fields.endpoint or self.service.origin .. (fields.path or "/push/1");
		expirationTime = json.null;
		keys = { p256dh = fields.p256dh or web_push.browser.p256dh, auth = fields.auth or web_push.browser.auth };
	};
end

-- Subscribes the browser. Returns the decoded answer.
function methods:subscribe(fields)
	local status, _, body = self:http("POST", self:subscription(fields));
	assert(status == 200, body);
	return json.decode(body);
end

-- A publish. options: see harness.publish, and without `to` it is to the component
function web_push.publish(options)
	return publish.stanza(merge({ to = web_push.host }, options));
end

-- Publishes as a user. Returns "result", or the type, the condition and the text of the error.
function methods:publish(user, options) -- luacheck: ignore 212/self
	local reply = user:iq(web_push.publish(options), options.timeout);
	if reply.attr.type == "result" then return "result"; end
	return reply:get_error();
end

-- What the token in a header `Authorization` claims.
function web_push.claims(authorization)
	local text = authorization:match("%.([^.]+)%."):gsub("[-_]", { ["-"] = "+", ["_"] = "/" });
	return json.decode(base64.decode(text..("="):rep(-#text % 4)));
end

-- What requests say to the browser: a list of texts, and one of their lengths.
function web_push.decrypt(requests)
	local path = os.tmpname();
	local lines = {};
	for i, request in ipairs(requests) do
		lines[i] = json.encode { body = base64url(request.body), key = web_push.browser.key, auth = web_push.browser.auth };
	end
	files.write(path, table.concat(lines, "\n") .. "\n");
	local output = shell.run(string.format("node '%s/spec/browser/decrypt.js' < '%s'", prosody.root, path));
	os.remove(path);
	local texts, lengths = {}, {};
	for line in output:gmatch("[^\n]+") do
		local decrypted = json.decode(line);
		table.insert(texts, json.decode(decrypted.text));
		table.insert(lengths, decrypted.length);
	end
	return texts, lengths;
end

-- The next request, and what it says to the browser.
function methods:expect_push(timeout)
	local request = self.service:expect_request(timeout);
	local texts = web_push.decrypt { request };
	return texts[1], request;
end

-- Nothing comes to the push service of what was sent so far to the server.
function methods:expect_no_push(user)
	user.component:sync();
	loop.turn(0.05);
	assert(not self.service.requests[1], "there came a request to the push service");
end

function methods:close()
	self.service:close();
	self.server:close();
end

return web_push;
