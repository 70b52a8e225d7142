-- Ghosts: clients of this very server that lose their connection. Their sessions hibernate (XEP-0198) and are occupants
-- all the while.

local loop = require "harness.loop";
local prosody = require "harness.prosody";
local new_scene = require "spec.support.scene".new;

local waiting = "waiting.localhost"; -- where a session that hibernates is taken for present
local forgetful = "forgetful.localhost"; -- which neither remembers nor archives what was said
local slow = "slow.localhost"; -- where rooms are read in many turns

local contentless = "New Message!";

local function service(options)
	options.modules_enabled = { "muc_cloud_notify" };
	options.push_notification_with_body = true;
	return options;
end

for _, version in ipairs(prosody.versions) do
	describe("a client whose connection is cut, on Prosody "..version, function ()
		local server, scene, room, ann, ann_jid;

		lazy_setup(function ()
			server = prosody.start {
				version = version; c2s = true; community_modules = true;
				components = { "users.localhost", "push.localhost" };
				global = { modules_enabled = { "cloud_notify", "smacks" } };
				muc = service {};
				mucs = {
					[waiting] = service { muc_push_hibernating = false };
					[forgetful] = service { muc_undelivered_messages = 0 };
					[slow] = service { muc_push_slice = 0.1 };
				};
			};
			scene = new_scene(server);
		end);

		lazy_teardown(prosody.close_all);

		local function say(body)
			scene:say(room, body);
		end

		-- Loses the connection, which nobody is told of.
		local function cut(client)
			client:cut();
			assert(loop.wait_until(function ()
				return server:admin("return prosody.full_sessions[...].hibernating ~= nil", client.jid);
			end, 5, 0.005), client.jid.." does not hibernate");
		end

		-- What mod_smacks does when a session has hibernated for too long.
		local function end_hibernation(client)
			server:admin("prosody.full_sessions[...].hibernating_watchdog:callback()", client.jid);
			server:settle();
			assert.is_nil(server:admin("return prosody.full_sessions[...]", client.jid));
		end

		local function set_up(host)
			room = scene:new_room({}, host);
			ann_jid = room:gsub("@.*", "-ann@localhost");
			scene.bob:affiliate(room, ann_jid, "member");
			ann = server:client(ann_jid.."/phone");
			assert.equal("result", scene:enable(ann, "ann", nil, host));
			ann:join(room, "Ann");
			scene.app:start_anew();
		end

		before_each(function ()
			set_up();
		end);

		after_each(function ()
			for _, client in ipairs(server.clients) do client:close(); end
		end);

		it("is pushed to at once, and not any more when it has resumed", function ()
			say "there";
			assert.same({}, scene:told());
			cut(ann);
			say "one";
			say "two";
			assert.same({ "ann 1 one", "ann 2 two" }, scene:told());
			ann:resume();
			ann:expect { body = "two" };
			say "three";
			assert.same({}, scene:told());
			cut(ann);
			say "four";
			assert.same({ "ann 1 four" }, scene:told());
		end);

		it("is not pushed to of what waits when it resumes", function ()
			scene.app.answer = "silence";
			cut(ann);
			say "one";
			say "two";
			ann:resume();
			scene.app.answer = "result";
			assert.equal("1", scene:answer "result");
			assert.same({}, scene:told());
		end);

		it("is pushed to of what it had not acknowledged when its session ends, and not again of what came after", function ()
			ann:go_silent();
			say "unread";
			say "unread too";
			assert.same({}, scene:told());
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			end_hibernation(ann);
			local told = scene:told();
			assert.equal("ann 3 "..contentless, told[#told]);
			say "two";
			assert.same({ "ann 4 two" }, scene:told());
		end);

		it("is not pushed to again when its session ends and it had read everything before", function ()
			say "read";
			ann:expect { body = "read" };
			ann:sync();
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			end_hibernation(ann);
			say "two";
			assert.same({ "ann 2 two" }, scene:told());
		end);

		it("is not pushed to again where nobody remembers what it was sent", function ()
			set_up(forgetful);
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			end_hibernation(ann);
			say "two";
			assert.same({ "ann 2 two" }, scene:told());
		end);

		it("is pushed to of what it had not acknowledged though nobody remembers it", function ()
			set_up(forgetful);
			ann:go_silent();
			say "unread";
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			end_hibernation(ann);
			assert.same({ "ann 2 "..contentless }, scene:told());
		end);

		it("is seen in a room that is in its roster, and so gets its presence anyway", function ()
			server:admin("prosody.full_sessions[...].roster[select(2, ...)] = { subscription = 'both', groups = {} }", ann.jid, room);
			server:admin("prosody.full_sessions[...].directed = nil", ann.jid);
			ann:join(room, "Ann");
			assert.is_nil(server:admin("return (prosody.full_sessions[...].directed or {})[select(2, ...)]", ann.jid, room.."/Ann"));
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
		end);

		it("is not pushed to again after a reload of the module, and is pushed to on", function ()
			ann:go_silent();
			say "unread";
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			server:reload_module "muc_cloud_notify";
			say "two";
			assert.same({ "ann 2 two" }, scene:told());
			end_hibernation(ann);
			assert.same({ "ann 3 "..contentless }, scene:told());
			say "three";
			assert.same({ "ann 4 three" }, scene:told());
		end);

		it("is followed after a reload of the module", function ()
			server:reload_module "muc_cloud_notify";
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			ann:resume();
			say "two";
			assert.same({}, scene:told());
		end);

		it("is followed under the nickname that it has by now", function ()
			ann:join(room, "Anna");
			cut(ann);
			say "one";
			assert.same({ "ann 1 one" }, scene:told());
			ann:resume();
			say "two";
			assert.same({}, scene:told());
		end);

		it("is pushed to in every room that it is in", function ()
			local first = room;
			room = scene:new_room { ann_jid };
			ann:join(room, "Ann");
			cut(ann);
			say "here";
			scene:say(first, "there");
			assert.same({ "ann 1 here", "ann 2 there" }, scene:told());
			ann:resume();
			say "here";
			scene:say(first, "there");
			assert.same({}, scene:told());
		end);

		it("is pushed to although its room is read meanwhile", function ()
			set_up(slow);
			cut(ann);
			local log_length = #server:log();
			server:admin([[
				local room = room(...);
				for number = 1, 20000 do
					room._affiliations["user"..number.."@elsewhere.example"] = "member";
				end
				module:context("slow.localhost"):fire_event("muc-room-restored", { jid = room.jid, room = room });
				room:broadcast_message(st.message({ type = "groupchat", from = room.jid.."/bob", to = room.jid, id = "held" }, "held"));
				module:log("info", "The message is broadcast");
			]], room);
			assert.equal("held", scene.app:expect_push().summary["last-message-body"]);
			local log = server:log(log_length);
			assert.is_true(log:find("The message is broadcast", 1, true) < log:find("is pushed to", 1, true), "the message was not held");
			say "one";
			assert.same({ "ann 2 one" }, scene:told());
		end);

		describe("beside another session", function ()
			for _, nick in ipairs { "Ann", "Tablet" } do
				it("is pushed to once that is cut too, as "..nick, function ()
					local tablet = server:client(ann_jid.."/tablet");
					tablet:join(room, nick);
					cut(ann);
					say "one";
					assert.same({}, scene:told());
					cut(tablet);
					say "two";
					assert.same({ "ann 1 two" }, scene:told());
					tablet:resume();
					say "three";
					assert.same({}, scene:told());
				end);

				it("is pushed to once that has left, as "..nick, function ()
					local tablet = server:client(ann_jid.."/tablet");
					tablet:join(room, nick);
					cut(ann);
					tablet:leave(room);
					say "one";
					assert.same({ "ann 1 one" }, scene:told());
				end);
			end

			it("is pushed to once of what neither had acknowledged when both have ended", function ()
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, "Ann");
				ann:go_silent();
				tablet:go_silent();
				say "unread";
				cut(ann);
				cut(tablet);
				end_hibernation(ann); -- the tablet may still have it
				assert.same({}, scene:told());
				end_hibernation(tablet);
				assert.same({ "ann 1 unread" }, scene:told());
				say "one";
				assert.same({ "ann 2 one" }, scene:told());
			end);

			for what, go in pairs { ["has lost its connection"] = cut, ["has left"] = function (client) client:leave(room); end } do
				it("is not pushed to of what one has read that "..what.." since", function ()
					local tablet = server:client(ann_jid.."/tablet");
					tablet:join(room, "Ann");
					cut(ann);
					say "one";
					say "two";
					tablet:ping("localhost");
					go(tablet);
					end_hibernation(ann);
					assert.same({}, scene:told());
					say "three";
					assert.same({ "ann 1 three" }, scene:told());
				end);
			end

			it("is pushed to of what one had not read that ends, though the other goes on hibernating", function ()
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, "Ann");
				cut(ann);
				tablet:go_silent();
				say "unread";
				cut(tablet);
				end_hibernation(tablet);
				assert.same({ "ann 1 unread" }, scene:told());
				end_hibernation(ann);
				say "one";
				assert.same({ "ann 2 one" }, scene:told());
			end);

			it("is not pushed to when one comes in, nor when it ends then", function ()
				ann:go_silent();
				say "unread";
				cut(ann);
				say "one";
				assert.same({ "ann 1 one" }, scene:told());
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, "Ann");
				say "two";
				end_hibernation(ann);
				say "three";
				assert.same({}, scene:told());
			end);

			it("is not pushed to when it comes back with a new session in its place", function ()
				cut(ann);
				say "one";
				assert.same({ "ann 1 one" }, scene:told());
				ann = server:client(ann.jid);
				ann:join(room, "Ann");
				say "two";
				assert.same({}, scene:told());
				ann:leave(room);
				say "three";
				assert.same({ "ann 1 three" }, scene:told());
			end);
		end);

		it("is watched on a host that is activated later", function ()
			server:admin [[assert(require "core.hostmanager".activate("late.localhost", {}))]];
			local eve = server:client "eve@late.localhost/phone";
			scene.bob:affiliate(room, eve.bare_jid, "member");
			assert.equal("result", scene:enable(eve, "eve"));
			eve:join(room, "Eve");
			cut(eve);
			say "one";
			assert.same({ "eve 1 one" }, scene:told());
			eve:resume();
			say "two";
			assert.same({}, scene:told());
		end);

		it("is pushed to when its session ends where those that hibernate are taken for present", function ()
			set_up(waiting);
			cut(ann);
			say "one";
			say "two";
			assert.same({}, scene:told());
			end_hibernation(ann);
			local told = scene:told();
			assert.equal("ann 2 two", told[#told]);
			say "three";
			assert.same({ "ann 3 three" }, scene:told());
		end);

		describe("and has push enabled on its account", function ()
			-- The texts of what its own server has pushed, and whether there was something else.
			local function of_account()
				local texts = {};
				scene.app.component:sync();
				for _, push in ipairs(scene.app.pushes) do
					assert.same({ "localhost", "account" }, { push.from, push.node });
					table.insert(texts, push.summary["last-message-body"]);
				end
				scene.app:clear();
				return texts;
			end

			before_each(function ()
				assert.equal("result", ann:enable({ to = ann.bare_jid, jid = scene.app.jid, node = "account" }).attr.type);
				ann:sync();
			end);

			it("is pushed to by its own server, and not by us", function ()
				cut(ann);
				say "one";
				assert(loop.wait_until(function () return scene.app.pushes[1]; end, 5));
				assert.same({ contentless }, of_account());
				end_hibernation(ann);
				assert.same({}, of_account());
				say "two";
				assert.same({ "ann 1 two" }, scene:told());
			end);

			it("is pushed to by us once its own server has given up meanwhile", function ()
				say "there";
				cut(ann);
				server:admin("prosody.full_sessions[...].push_identifier = nil", ann.jid); -- as mod_cloud_notify does after too many errors
				say "one"; -- by which it is noticed
				scene.app.component:sync();
				scene.app:clear();
				say "two";
				assert.same({ "ann 1 two" }, scene:told());
			end);

			it("is pushed to by us once its account's push is disabled", function ()
				assert.equal("result", ann:disable({ to = ann.bare_jid, jid = scene.app.jid, node = "account" }).attr.type);
				cut(ann);
				say "one";
				assert.same({ "ann 1 one" }, scene:told());
			end);

			it("is pushed to by us for a session without it, once no other one is there", function ()
				local tablet = server:client(ann_jid.."/tablet");
				tablet:join(room, "Ann");
				cut(tablet);
				say "one";
				assert.same({}, scene:told());
				ann:leave(room);
				say "two";
				assert.same({ "ann 1 two" }, scene:told());
			end);
		end);
	end);
end
