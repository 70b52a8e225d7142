-- Options of an app server for browsers that are set to what they cannot be: one line each says so, and the default is used; but
-- an option that allows somebody allows nobody else.

local json = require "util.json";

local logs = require "spec.support.logs";
local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

-- Option; values that are refused; what is expected; the default as the log shows it; a value that is fine.
local options = {
	{ "web_push_contact", { "admin@example.com", 7, "mailto:a b@c" }, "an address such as", [["https://bad-]], "https://example.com/contact" };
	{ "web_push_content", { "all", true, 1 }, [["full", "sender" or "none"]], [["full"]], "sender" };
	{ "web_push_ttl", { "2d", -1, 1e9 }, "a whole number of seconds from 0 to 2592000", "172800", 3600 };
};

-- Lists of push services; whether FCM is one of them, and what is said.
local service_lists = {
	{ nil, true }, { { "fcm.googleapis.com" }, true }, { "*.googleapis.com", true }, { { "FCM.googleapis.com:443" }, true };
	{ {}, false }, { { "example.com" }, false };
	{ 3, false, "Option web_push_services is 3 (a number), but a list of hosts of push services is expected" };
	{ { "fcm.googleapis.com", 7 }, false, "Option web_push_services is table: " };
	{ { "https://fcm.googleapis.com/" }, false, "has the entry \"https://fcm.googleapis.com/\", which is no host name: it allows nobody" };
	{ { "*", "fcm.googleapis.com" }, true, "has the entry \"*\", which is no host name" };
};

-- Lists of origins; whether a page of https://chat.example.com may read what is answered.
local page = "https://chat.example.com";
local origin_lists = {
	{ nil, false }, { page, true }, { { "HTTPS://Chat.example.com" }, true }, { "*", true }, { { "https://other.example.com", page }, true };
	{ {}, false }, { true, false, "Option web_push_origins is true (a boolean)" };
	{ { page.."/" }, false, "which is no origin: it allows nobody" }, { "chat.example.com", false, "which is no origin" };
};

local contact_info = { abuse = { "mailto:abuse@example.com" }, admin = { "xmpp:admin@example.com", "mailto:admin@example.com" } };

versions.describe("options of an app server for browsers", function (version)
	local app;

	local function list_host(kind, i) return ("%s-%d.localhost"):format(kind, i); end

	lazy_setup(function ()
		local service = web_push.start_push_service();
		local internal = {};
		for i = 1, 3 do
			internal["bad-"..i..".localhost"] = web_push.component(service);
			for _, option in ipairs(options) do internal["bad-"..i..".localhost"][option[1]] = option[2][i]; end
		end
		internal["good.localhost"] = web_push.component(service);
		for _, option in ipairs(options) do internal["good.localhost"][option[1]] = option[5]; end
		for i, list in ipairs(service_lists) do
			internal[list_host("services", i)] = { module = "web_push_app_server", web_push_services = list[1] };
		end
		for i, list in ipairs(origin_lists) do
			internal[list_host("origins", i)] = web_push.component(service, { web_push_origins = list[1] });
		end
		internal["published.localhost"] = web_push.component(service, { contact_info = contact_info });
		internal["admin.localhost"] = web_push.component(service, { admins = { "boss@example.com" } });
		app = web_push.start(version, { service = service, internal = internal });
	end);

	lazy_teardown(function () app:close(); end);

	local function errors_at(host)
		local found = {};
		for _, entry in ipairs(logs.entries(app.server:log()).error) do
			if entry:find(" "..host..":web_push_app_server\t", 1, true) then table.insert(found, entry); end
		end
		return found;
	end

	-- The token and the headers of a push.
	local function push_of(host)
		local status, _, body = app:http("POST", app:subscription(), { host = host });
		assert.equal(200, status, body);
		local subscribed = json.decode(body);
		local user = app.server:user("muc@users.localhost/x");
		assert.equal("result", app:publish(user, { to = host, node = subscribed.node, secret = subscribed.secret }));
		local headers = app.service:expect_request().headers;
		return web_push.claims(headers.authorization), headers;
	end

	it("says what is wrong, and uses the default", function ()
		for i = 1, 3 do
			local host = "bad-"..i..".localhost";
			local errors = errors_at(host);
			assert.equal(#options, #errors);
			for _, option in ipairs(options) do
				local line;
				for _, entry in ipairs(errors) do
					if entry:find("Option "..option[1].." is ", 1, true) then line = entry; end
				end
				assert.truthy(line:find("(a "..type(option[2][i])..")", 1, true), line);
				assert.truthy(line:find(option[3], 1, true), line);
				assert.truthy(line:find("using the default, "..option[4], 1, true), line);
			end
			local claims, headers = push_of(host);
			assert.same({ "https://"..host.."/", "172800" }, { claims.sub, headers.ttl });
		end
	end);

	it("has what is set where it is well set", function ()
		assert.same({}, errors_at("good.localhost"));
		local claims, headers = push_of("good.localhost");
		assert.same({ "https://example.com/contact", "3600" }, { claims.sub, headers.ttl });
		assert.equal(app.service.origin, claims.aud);
	end);

	it("names a contact that the server publishes, or its first admin", function ()
		assert.equal("mailto:admin@example.com", (push_of "published.localhost").sub);
		assert.equal("mailto:boss@example.com", (push_of "admin.localhost").sub);
	end);

	for i, list in ipairs(service_lists) do
		it("allows no push service that a list does not name: list "..i, function ()
			local host = list_host("services", i);
			local endpoint = "https://fcm.googleapis.com/fcm/send/x";
			local status = app:http("POST", app:subscription { endpoint = endpoint }, { host = host });
			assert.equal(list[2] and 200 or 403, status);
			assert.equal(403, (app:http("POST", app:subscription { endpoint = "https://push.example.net/x" }, { host = host })));
			local errors = errors_at(host);
			assert.equal(list[3] and 1 or 0, #errors);
			assert.truthy(not list[3] or errors[1]:find(list[3], 1, true), errors[1]);
		end);
	end

	for i, list in ipairs(origin_lists) do
		it("allows no page of an origin that a list does not name: list "..i, function ()
			local host = list_host("origins", i);
			local _, headers = app:http("GET", nil, { origin = page, host = host });
			assert.equal(list[2] and page or nil, headers["access-control-allow-origin"]);
			local errors = errors_at(host);
			assert.equal(list[3] and 1 or 0, #errors);
			assert.truthy(not list[3] or errors[1]:find(list[3], 1, true), errors[1]);
		end);
	end

	it("has the push services of the browsers by default", function ()
		for endpoint, status in pairs {
			["https://fcm.googleapis.com/fcm/send/x"] = 200, ["https://updates.push.services.mozilla.com/wpush/v2/x"] = 200;
			["https://web.push.apple.com/x"] = 200, ["https://wns2-par02p.notify.windows.com/w/?token=x%2by"] = 200;
			["https://push.services.mozilla.com/x"] = 403, ["https://fcm.googleapis.com:8443/x"] = 403, ["https://example.com/x"] = 403;
		} do
			assert.equal(status, (app:http("POST", app:subscription { endpoint = endpoint }, { host = list_host("services", 1) })));
		end
	end);
end);
