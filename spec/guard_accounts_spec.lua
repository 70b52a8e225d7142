-- Whatever goes wrong in the engine for accounts of this server, Prosody and its other modules go on.

local st = require "util.stanza";

local engine_faults = require "spec.support.engine_faults";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

versions.describe("guard, for accounts,", function (version)
	local server, muc;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			c2s = true;
			hosts = { localhost = { modules_enabled = { "blocklist" } } };
			muc = muc_service.with_body {
				muc_cloud_notify_library = engine_faults.library, muc_push_default = "always", muc_push_retry_delay = 0.1, muc_push_reply_timeout = 2;
				muc_push_from = { ["push.localhost"] = "account" };
			};
		});
	end);

	local function block(ann, action, den)
		local iq = st.stanza("iq", { type = "set" }):tag(action, { xmlns = "urn:xmpp:blocking" }):tag("item", { jid = den }):up();
		assert.equal("result", ann:iq(iq:reset()).attr.type);
	end

	for _, kind in ipairs { "error", "panic" } do
		it("survives one in set_blocked and in set_publisher: "..kind, function ()
			muc.app:start_anew();
			local ann = server:client(("ann-%s@localhost/phone"):format(kind), { stream_management = false });
			local den = muc:new_room { ann.bare_jid };
			assert.equal("result", (muc:enable(ann, "ann")));
			local length = #server:log();
			engine_faults.break_method(server, "set_blocked", kind);
			block(ann, "block", den);
			muc:say(den, "one");
			assert.same({ "ann 1 one" }, muc:take_pushes());
			assert.truthy(server:log(length):find("What users of localhost have blocked cannot be read", 1, true));
			engine_faults.break_method(server, nil);
			block(ann, "block", den);
			muc:say(den, "two");
			assert.same({}, muc:take_pushes());
			block(ann, "unblock", den);
			length = #server:log();
			engine_faults.break_method(server, "set_publisher", kind);
			muc:say(den, "three");
			muc.bob:expect { name = "message", body = "three" };
			assert.same({}, muc:take_pushes());
			assert.truthy(server:log(length):find("Failed to send a push to push.localhost", 1, true));
			engine_faults.break_method(server, nil);
			local push = muc.app:expect_push();
			assert.same({ "localhost", "three" }, { push.from, push.summary["last-message-body"] });
			server:reload_module("blocklist", "localhost"); -- its lists can be read again, and the log may say so once more
			server:settle();
		end);
	end
end);
