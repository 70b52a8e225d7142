-- mod_muc_undelivered and a client that loses its connection: what XEP-0198 has kept for it comes back.

local mime = require "mime";
local socket = require "socket";

local loop = require "spec.support.loop";
local prosody = require "spec.support.prosody";
local undelivered = require "spec.support.undelivered";

local xmlns_sm = "urn:xmpp:sm:3";
local interface = "127.0.0.2"; -- on which no other service has a port that the system chooses

-- A client of the VirtualHost, as plain text: it says something, and waits for a text in what comes back.
local function connect(server, name, password)
	local port = server:admin([[
		local listening = require "core.portmanager".get_active_services():get("c2s", ..., 0)[1];
		local _, port = listening.server:socket():getsockname();
		return tonumber(port);
	]], interface);
	local conn = assert(socket.connect(interface, port));
	conn:settimeout(0);
	local client, received = {}, "";
	loop.add(conn, function ()
		local data, err, partial = conn:receive(65536);
		received = received .. (data or partial);
		if err == "closed" then client.drop(); end
	end);

	function client.drop()
		loop.remove(conn);
		conn:close();
	end

	function client.say(xml, wanted)
		received = "";
		assert(conn:send(xml));
		assert(loop.wait_until(function () return received:find(wanted, 1, true); end, 5), "no " .. wanted .. " in " .. received);
	end

	local opening = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";
	client.say(opening, "</stream:features>");
	client.say(("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>")
		:format(mime.b64("\0" .. name .. "\0" .. password)), "<success");
	client.say(opening, "</stream:features>");
	client.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>phone</resource></bind></iq>", "</jid>");
	client.say(("<enable xmlns='%s' resume='true'/>"):format(xmlns_sm), "<enabled");
	return client;
end

for _, version in ipairs(prosody.versions) do
	describe("mod_muc_undelivered and stream management on Prosody " .. version, function ()
		local server, service;

		lazy_setup(function ()
			server = prosody.start {
				version = version;
				components = { "users.localhost" };
				global = {
					allow_unencrypted_plain_auth = true;
					c2s_interfaces = { interface };
					c2s_ports = { 0 };
					c2s_require_encryption = false;
					modules_disabled = { "s2s", "s2s_auth_certs", "tls" };
					modules_enabled = { "saslauth", "smacks" };
					smacks_hibernation_time = 1;
				};
				muc = { modules_enabled = { "muc_undelivered", "spec_undelivered" } };
			};
			server:admin "assert(require 'core.usermanager'.create_user('ann', 'secret', 'localhost'))";
			service = undelivered.new(server);
		end);

		lazy_teardown(prosody.close_all);

		it("tells of each message that was not acknowledged, and of no other", function ()
			local room = service:new_room();
			local bob, carl = service:user "bob/desk", service:user "carl/desk";
			bob:create_room(room, "Bob");
			carl:join(room, "Carl");
			local ann = connect(server, "ann", "secret");
			ann.say(("<presence to='%s/Ann'><x xmlns='http://jabber.org/protocol/muc'/></presence>"):format(room), "<subject");
			undelivered.say(bob, room, "acknowledged");
			local handled = server:admin "return prosody.full_sessions['ann@localhost/phone'].outgoing_stanza_queue:count_unacked()";
			ann.say(("<a xmlns='%s' h='%d'/><iq type='get' to='localhost' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"):format(xmlns_sm, handled), "id='p'");
			undelivered.say(bob, room, "one");
			ann.drop();
			undelivered.say(carl, room, "two");
			assert.same({}, service:bodies());
			assert.truthy(loop.wait_until(function ()
				return not server:admin("return room(...):get_occupant_jid('ann@localhost/phone')", room);
			end, 10, 0.05));
			server:settle();
			local seen = service:seen();
			local got = {};
			for i, event in ipairs(seen) do
				got[i] = table.concat({ event.real_jid, event.nick:match("/(.*)"), event.from:match("/(.*)"), event.body, event.condition }, " ");
			end
			assert.same({ "ann@localhost/phone Ann Bob one recipient-unavailable", "ann@localhost/phone Ann Carl two recipient-unavailable" }, got);
		end);
	end);
end
