-- Ghosts: occupants who look present and are gone. Clients of this very server whose connection is cut (XEP-0198).

local prosody = require "spec.support.prosody";
local new_scene = require "spec.support.scene".new;

for _, version in ipairs(prosody.versions) do
	describe("a client whose connection is cut, on Prosody "..version, function ()
		local server, scene;

		lazy_setup(function ()
			server = prosody.start {
				version = version; c2s = true; community_modules = true;
				components = { "users.localhost", "push.localhost" };
				global = { modules_enabled = { "cloud_notify", "smacks" } };
				muc = {
					modules_enabled = { "muc_cloud_notify" }; muc_push_default = "always";
					push_notification_with_body = true;
				};
			};
			scene = new_scene(server);
		end);

		lazy_teardown(prosody.close_all);

		it("is pushed to at once, and not any more when it has resumed", function ()
			local room = scene:new_room { "ann@localhost" };
			local ann = server:client "ann@localhost/phone";
			assert.equal("result", scene:enable(ann, "ann"));
			ann:join(room, "Ann");
			assert.same({}, scene:pushed(room));
			ann:cut();
			server:settle();
			assert.same({ "ann" }, scene:pushed(room));
			ann:resume();
			assert.same({}, scene:pushed(room));
		end);
	end);
end
