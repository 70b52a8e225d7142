-- Bounces: occupants that look present and are gone. Their server returns the messages of the room, and they get pushes as if
-- they had been absent.

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local slow = "slow.localhost"; -- where rooms are read in many turns

local contentless = "New Message!";
local chat_state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
local correction = "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>";

versions.describe("a bounced message", function (version)
	local server, muc, room, ann, ann_jid;

	lazy_setup(function ()
		server, muc = muc_service.start(version, {
			muc = muc_service.with_body();
			mucs = {
				[slow] = muc_service.with_body { muc_push_slice = 0.1 };
			};
		});
	end);

	-- Another session of Ann's.
	local function session(resource)
		return server:user(ann_jid.."/"..resource);
	end

	-- Somebody says something, and everybody in the room gets it. Returns its id.
	local function say(body, extra, who)
		local id = (who or muc.bob):say(room, body, extra);
		muc.bob.component:sync();
		return id;
	end

	-- The server of a session returns a message to its sender.
	local function bounce(user, id, nick)
		undelivered.bounce(user, room.."/"..(nick or "bob"), id);
	end

	before_each(function ()
		ann, room, ann_jid = muc:new_ann();
	end);

	it("is pushed, and so are the messages after it", function ()
		local id = say "hello";
		assert.same({}, muc:take_pushes());
		bounce(ann, id);
		assert.same({ "ann 1 hello" }, muc:take_pushes());
		say "and more";
		assert.same({ "ann 2 and more" }, muc:take_pushes());
	end);

	it("is not pushed if the error does not say that its recipient is gone", function ()
		undelivered.bounce(ann, room.."/bob", say "hello", { condition = "policy-violation" });
		say "and more";
		assert.same({}, muc:take_pushes());
	end);

	it("is pushed without its text if it was too large to be kept, unless it is of a kind that nobody needs a push for", function ()
		local keys = ("<key rid='1'>a</key>"):rep(600);
		local encrypted = "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'><keys>"..keys.."</keys></header>%s</encrypted>";
		local reactions = "<reactions xmlns='urn:xmpp:reactions:0' id='m1'>"..("<reaction>a</reaction>"):rep(600).."</reactions>";
		local function pushes_for(body, extra)
			ann, room, ann_jid = muc:new_ann(); -- whoever returns a message is removed
			bounce(ann, say(body, extra));
			return muc:take_pushes();
		end
		assert.same({}, pushes_for(nil, encrypted:format ""));
		assert.same({}, pushes_for(nil, reactions));
		local unknown = { "ann 1 "..contentless };
		assert.same(unknown, pushes_for(nil, encrypted:format "<payload>a</payload>"));
		assert.same(unknown, pushes_for("hello", reactions));
		assert.same(unknown, pushes_for(("word "):rep(15000), chat_state));
		assert.same(unknown, pushes_for(nil, chat_state..("<a/>"):rep(600))); -- with more than an outline has
	end);

	it("is pushed if its recipient has left meanwhile, and the messages since are not pushed again", function ()
		local before = say "before";
		ann:leave(room);
		local after = say "after";
		assert.same({ "ann 1 after" }, muc:take_pushes());
		bounce(ann, before);
		bounce(ann, after);
		assert.same({ "ann 2 "..contentless }, muc:take_pushes());
	end);

	it("is pushed after its room is read if it bounces meanwhile", function ()
		ann, room, ann_jid = muc:new_ann { service = slow };
		local id, log_length = say "hello", #server:log();
		server:admin([[
			local room_jid, real_jid, id = ...;
			local room, service = room(room_jid), module:context(jid.host(room_jid));
			for number = 1, 20000 do
				room._affiliations["user"..number.."@elsewhere.example"] = "member";
			end
			service:fire_event("muc-room-restored", { jid = room_jid, room = room });
			service:send(st.error_reply(st.message({ from = room_jid.."/bob", to = real_jid, id = id }), "cancel", "recipient-unavailable"));
			module:log("info", "The message is back");
		]], room, ann.jid, id);
		assert.equal("hello", muc.app:expect_push().summary["last-message-body"]);
		assert.logs_in_order(server, "The message is back", "came back from", log_length);
		say "and more";
		assert.same({ "ann 2 and more" }, muc:take_pushes());
	end);

	describe("among others", function ()
		it("is counted with them in their order", function ()
			local ids = { say "one", say "two", say "three" };
			for _, id in ipairs(ids) do bounce(ann, id); end
			assert.same({ "ann 1 one", "ann 2 two", "ann 3 three" }, muc:take_pushes());
		end);

		it("is merged with them while a push is in flight: the last one's text and the whole count", function ()
			local ids = { say "one", say "two", say "three" };
			muc.app.answer = "silence";
			for _, id in ipairs(ids) do bounce(ann, id); end
			muc.app.answer = "result";
			assert.equal("1", muc:answer "result");
			assert.same({ "ann 3 three" }, muc:take_pushes());
		end);

		it("leaves the text to a newer one that is queued", function ()
			local ids = { say "one", say "two" };
			muc.app.answer = "silence";
			bounce(ann, ids[1]);
			say "three";
			bounce(ann, ids[2]);
			muc.app.answer = "result";
			assert.equal("1", muc:answer "result");
			assert.same({ "ann 3 three" }, muc:take_pushes());
		end);

		it("has no text any more where a newer one has been pushed, but counts", function ()
			local ids = { say "one", say "two" };
			bounce(ann, ids[1]);
			say "three";
			bounce(ann, ids[2]);
			assert.same({ "ann 1 one", "ann 2 three", "ann 3 "..contentless }, muc:take_pushes());
		end);
	end);

	describe("of its class", function ()
		it("is not pushed if it is a chat state, nor if it is a correction", function ()
			local ids = { say(nil, chat_state), say("hallo", correction) };
			for _, id in ipairs(ids) do bounce(ann, id); end
			assert.same({}, muc:take_pushes());
		end);

		it("is pushed if it has a chat state beside its text", function ()
			bounce(ann, say("hello", "<active xmlns='http://jabber.org/protocol/chatstates'/>"));
			assert.same({ "ann 1 hello" }, muc:take_pushes());
		end);
	end);

	describe("in a public room", function ()
		before_each(function ()
			server:admin("room(...):set_public(true)", room);
		end);

		it("is not pushed if it mentions nobody", function ()
			bounce(ann, say "hello");
			assert.same({}, muc:take_pushes());
		end);

		it("is pushed if it mentions its recipient", function ()
			bounce(ann, say "hello, Ann");
			assert.same({ "ann 1 hello, Ann" }, muc:take_pushes());
		end);

		it("is not pushed if it mentions somebody else", function ()
			bounce(ann, say "hello, bob");
			assert.same({}, muc:take_pushes());
		end);
	end);

	describe("that bounces from a session of its sender", function ()
		local tablet;

		before_each(function ()
			tablet = session "tablet";
		end);

		it("is not pushed", function ()
			tablet:join(room, "Ann");
			local own, other = say("mine", nil, tablet), say "Bob's";
			bounce(tablet, own, "Ann");
			bounce(tablet, other);
			bounce(ann, own, "Ann");
			assert.same({}, muc:take_pushes());
			bounce(ann, other);
			assert.same({ "ann 1 Bob's" }, muc:take_pushes());
		end);

		it("is not pushed if it was sent under another nickname that has left", function ()
			tablet:join(room, "Tablet");
			local own, other = say("mine", nil, tablet), say "Bob's";
			bounce(tablet, own, "Tablet");
			bounce(tablet, other);
			bounce(ann, own, "Tablet");
			assert.same({}, muc:take_pushes());
			bounce(ann, other);
			assert.same({ "ann 1 Bob's" }, muc:take_pushes());
		end);

		it("is pushed if the recipient has taken the nickname that the sender had", function ()
			local carl = server:user "carl@users.localhost/desk";
			carl:join(room, "Carl");
			local id = say("Carl's", nil, carl);
			carl:leave(room);
			undelivered.rename(ann, room, "Carl");
			bounce(ann, id, "Carl");
			assert.same({ "ann 1 Carl's" }, muc:take_pushes());
		end);
	end);

	describe("from one of many sessions of a user", function ()
		for _, nick in ipairs { "Ann", "Tablet" } do
			it("is not pushed while another one is there as "..nick, function ()
				local tablet = session "tablet";
				tablet:join(room, nick);
				bounce(ann, say "hello");
				say "and more";
				assert.same({}, muc:take_pushes());
				tablet:leave(room);
				say "good bye";
				assert.same({ "ann 1 good bye" }, muc:take_pushes());
			end);

			it("is pushed once when it bounces from one that is there as "..nick.." too", function ()
				local tablet = session "tablet";
				tablet:join(room, nick);
				local ids = { say "one", say "two" };
				for _, user in ipairs { ann, tablet } do
					for _, id in ipairs(ids) do bounce(user, id); end
				end
				assert.same({ "ann 1 one", "ann 2 two" }, muc:take_pushes());
			end);
		end
	end);

	it("is not pushed if another session had it and has left, unless it bounces from that one too", function ()
		local tablet = session "tablet";
		tablet:join(room, "Ann");
		local id = say "hello";
		ann:leave(room);
		bounce(tablet, id);
		assert.same({}, muc:take_pushes());
		bounce(ann, id);
		assert.same({ "ann 1 hello" }, muc:take_pushes());
		bounce(ann, id);
		say "and more";
		assert.same({ "ann 2 and more" }, muc:take_pushes());
	end);

	it("is not pushed if its recipient has been there again since", function ()
		local id = say "hello";
		ann:leave(room);
		ann:join(room, "Ann");
		ann:leave(room);
		bounce(ann, id);
		say "and more";
		assert.same({ "ann 1 and more" }, muc:take_pushes());
	end);

	it("is not pushed any more when its recipient has returned, and does not count", function ()
		local ids = { say "one", say "two", say "three" };
		muc.app.answer = "silence";
		bounce(ann, ids[1]);
		bounce(ann, ids[2]);
		ann:join(room, "Ann");
		bounce(session "elsewhere", ids[3]);
		muc.app.answer = "result";
		assert.equal("1", muc:answer "result");
		assert.same({}, muc:take_pushes());
		ann:leave(room);
		say "four";
		assert.same({ "ann 1 four" }, muc:take_pushes());
	end);

	it("is not pushed if it bounces when its recipient has returned", function ()
		local id = say "hello";
		ann:leave(room);
		session("tablet"):join(room, "Ann");
		bounce(ann, id);
		assert.same({}, muc:take_pushes());
	end);

	describe("to somebody", function ()
		local eve;

		-- From Ann too: once her push is there, no other can be on its way.
		local function bounce_from_both()
			local id = say "hello";
			bounce(eve, id);
			bounce(ann, id);
		end

		before_each(function ()
			eve = server:user(ann_jid:gsub("@", "-eve@").."/phone");
			muc.bob:affiliate(room, eve.bare_jid, "member");
			eve:join(room, "Eve");
		end);

		it("with an affiliation and a device is pushed", function ()
			muc:enable(eve, "eve");
			bounce_from_both();
			assert.same({ "eve 1 hello", "ann 1 hello" }, muc:take_pushes());
		end);

		it("without a device is not pushed", function ()
			bounce_from_both();
			assert.same({ "ann 1 hello" }, muc:take_pushes());
		end);

		it("whose device is disabled is not pushed", function ()
			muc:enable(eve, "eve");
			muc:disable(eve, "eve");
			bounce_from_both();
			assert.same({ "ann 1 hello" }, muc:take_pushes());
		end);

		it("whose affiliation has ended is not pushed", function ()
			muc:enable(eve, "eve");
			muc.bob:affiliate(room, eve.bare_jid, "none");
			bounce_from_both();
			assert.same({ "ann 1 hello" }, muc:take_pushes());
		end);
	end);

	describe("and is forged", function ()
		it("is not pushed if there was no such message", function ()
			say "hello";
			bounce(ann, "made-up");
			assert.same({}, muc:take_pushes());
		end);

		it("is not pushed if it comes from a user that was not in the room", function ()
			local eve = server:user(ann_jid:gsub("@", "-eve@").."/phone");
			muc.bob:affiliate(room, eve.bare_jid, "member");
			muc:enable(eve, "eve");
			local id = say "hello";
			assert.same({ "eve 1 hello" }, muc:take_pushes());
			bounce(eve, id);
			eve:join(room, "Eve");
			bounce(eve, id);
			assert.same({}, muc:take_pushes());
			bounce(session "elsewhere", id);
			assert.same({}, muc:take_pushes());
		end);

		it("is pushed once, and only to the user that returns it", function ()
			local mallory = server:user(ann_jid:gsub("@", "-mallory@").."/cave");
			muc.bob:affiliate(room, mallory.bare_jid, "member");
			muc:enable(mallory, "mallory");
			mallory:join(room, "Mallory");
			local id = say "hello";
			for _ = 1, 3 do bounce(mallory, id); end
			assert.same({ "mallory 1 hello" }, muc:take_pushes());
		end);
	end);
end);
