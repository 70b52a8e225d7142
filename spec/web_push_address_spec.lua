-- Names of push services that lead into a private network, or to this very machine: nothing is sent there, unless the operator
-- wants the push service to be there.

local versions = require "spec.support.versions";
local web_push = require "spec.support.web_push";

-- host of the endpoint -> its addresses; none: the name does not exist
local addresses = {
	["private.example.test"] = { "10.0.0.1" }, ["own.example.test"] = { "127.0.0.1" }, ["mixed.example.test"] = { "203.0.114.1", "192.168.0.1" };
	["linked.example.test"] = { "169.254.169.254" }, ["unknown.example.test"] = {};
};

versions.describe("addresses of push services", function (version)
	local app, user, port;

	lazy_setup(function ()
		local service = web_push.start_push_service { "localhost", "named.example.test" };
		port = service.port;
		app = web_push.start(version, {
			service = service;
			component = { web_push_services = { "*.example.test", "named.example.test:"..port, "*.example.test:"..port } };
		});
		user = app.server:user("muc@users.localhost/x");
		-- In place of the DNS. Connections that are attempted are counted, and not made unless they are to the push service.
		app.server:admin([[
			local addresses, port = ...;
			attempts = {};
			local basic = require "net.resolvers.basic";
			local new = basic.new;
			function basic.new(host, ...)
				if prosody.is_look_up_failing then error("on purpose"); end
				local list = addresses[host];
				if not list then return new(host, ...); end
				local place, to_port, kind, extra = 0, ...;
				return { hostname = host, next = function (_, callback)
					place = place + 1;
					if list[place] then callback((kind or "tcp").."4", list[place], to_port, extra); else callback(nil); end
				end };
			end
			local server = require "net.server";
			local addclient = server.addclient;
			function server.addclient(address, to_port, ...)
				table.insert(attempts, address);
				if address ~= "127.0.0.1" or to_port ~= port then return nil, "not in this test"; end
				return addclient(address, to_port, ...);
			end
			prosody.attempts = attempts;
		]], (function ()
			local all = { ["named.example.test"] = { "127.0.0.1" }, ["failing.example.test"] = { "10.0.0.1" } };
			for host, list in pairs(addresses) do all[host] = list; end
			return all;
		end)(), port);
	end);

	lazy_teardown(function () app:close(); end);

	local function publish(endpoint)
		local subscribed = app:subscribe { endpoint = endpoint };
		local error_type, condition = app:publish(user, subscribed);
		return error_type, condition;
	end

	for host in pairs(addresses) do
		for _, is_default_port in ipairs { true, false } do
			it("does not connect to "..host..(is_default_port and "" or " at another port"), function ()
				local from = #app.server:log();
				local error_type, condition = publish(("https://%s%s/push/1"):format(host, is_default_port and "" or ":"..port));
				assert.same({ "wait", "remote-server-timeout" }, { error_type, condition });
				assert.same({}, app.server:admin("return prosody.attempts"));
				app:expect_no_push(user);
				assert.matches("has no public address", app.server:log(from), 1, true);
				assert.log_is_clean(app.server);
			end);
		end
	end

	it("loses one request where a host cannot even be looked up, and goes on with the next", function ()
		local from = #app.server:log();
		app.server:admin("prosody.is_look_up_failing = true;");
		assert.same({ "wait", "remote-server-timeout" }, { publish("https://failing.example.test/1") });
		app.server:admin("prosody.is_look_up_failing = nil");
		assert.matches("Failed to look up a push service", app.server:log(from), 1, true);
		from = #app.server:log();
		assert.same({ "wait", "remote-server-timeout" }, { publish("https://failing.example.test/1") });
		assert.log_is_clean(app.server, from);
	end);

	it("connects to one that the operator has named with its port, wherever that is", function ()
		assert.equal("result", (publish("https://named.example.test:"..port.."/push/1")));
		app.service:expect_request();
		assert.same({ "127.0.0.1" }, app.server:admin("return prosody.attempts"));
	end);
end);
