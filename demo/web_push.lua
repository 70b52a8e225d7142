-- The last mile to a browser, without the internet: a push service on loopback, browsers that get their pushes from it, and the
-- options of an app server that may send there.

local merge = require "harness.tables".merge;
local process = require "harness.process";
local push_service = require "harness.push_service";

local browser = require "demo.browser";

local web_push = {};

local web_push_methods = {};
local web_push_mt = { __index = web_push_methods };

-- names: of the browsers
function web_push.open(names)
	local service = push_service.start((process.make_folder()));
	local browsers = {};
	for _, name in ipairs(names) do
		browsers[name] = browser.subscribe(service.origin .. "/" .. name);
	end
	return setmetatable({
		browsers = browsers;
		global = { client_https_ssl = { cafile = service.cafile } }; -- options of the server, which trusts others as before
		service = service;
	}, web_push_mt);
end

-- The options of the component. services: further push services that it may send to; options: further ones
function web_push_methods:component(services, options)
	local all = { self.service.host };
	table.move(services, 1, #services, 2, all);
	return merge({ module = "web_push_app_server", web_push_contact = "mailto:admin@example.com", web_push_services = all }, options);
end

-- The next push that has come, already answered: the name of the browser, what it says there, and how it has come, as a request. nil
-- when there is none.
function web_push_methods:take()
	local request = table.remove(self.service.requests, 1);
	if not request then return nil; end
	local name = request.path:sub(2);
	return name, self.browsers[name]:read(request.body), request;
end

function web_push_methods:close()
	self.service:close();
end

return web_push;
