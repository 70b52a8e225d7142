-- Replies (XEP-0461) mention the author of the message that they are to: the id says which that is, and `to` where nobody
-- knows the id.

local muc_service = require "spec.support.muc_service";
local undelivered = require "spec.support.undelivered";
local versions = require "spec.support.versions";

local xmlns_sid = "urn:xmpp:sid:0";
local modules = { "muc_cloud_notify", "muc_mam" };

versions.describe("a reply", function (version)
	local server, muc, count;

	lazy_setup(function ()
		count = 0;
		local options = muc_service.with_body { modules_enabled = modules, muc_push_default = "on-mention", muc_room_default_persistent = true };
		local archive_options = {};
		for name, value in pairs(options) do archive_options[name] = value; end
		archive_options.muc_undelivered_messages = 0;
		server, muc = muc_service.start(version, { muc = options, mucs = { ["archive.localhost"] = archive_options } });
	end);

	before_each(function () count = count + 1; end);

	-- Says something in a room and returns the id that the room has given it.
	local function say(user, room, body)
		local id = user:say(room, body);
		local message = user:expect { name = "message", id = id };
		return message:get_child_with_attr("stanza-id", xmlns_sid, "by", room).attr.id;
	end

	-- Ann, a member, has said something as "ann", and has left as "ann2". Returns the room, the id of her message, Ann, and her
	-- bare JID. options: service; whois
	local function ann_has_spoken(options)
		options = options or {};
		local ann, room, bare_jid = muc:new_device("ann", options.service);
		if options.whois then muc.bob:configure_room(room, { ["muc#roomconfig_whois"] = options.whois }); end
		ann:join(room, "ann");
		local id = say(ann, room, "who knows?");
		undelivered.rename(ann, room, "ann2");
		ann:leave(room);
		muc.app:start_anew();
		return room, id, ann, bare_jid;
	end

	-- The number of pushes for a reply to an id, with `to`, an occupant's nickname; each may be nil.
	local function pushed(room, id, nick, extra)
		local attributes = (id and (" id='%s'"):format(id) or "") .. (nick and (" to='%s/%s'"):format(room, nick) or "");
		muc.bob:say(room, "I do", ("<reply xmlns='urn:xmpp:reply:0'%s/>%s"):format(attributes, extra or ""));
		muc.bob.component:sync();
		return #muc:take_pushes();
	end

	for title, nick in pairs { ["with the nickname they have now"] = "ann2", ["with the nickname they had"] = "ann", ["without any"] = false } do
		it("is to the author of the message, " .. title, function ()
			local room, id = ann_has_spoken();
			assert.equal(1, pushed(room, id, nick or nil));
		end);

		it("is to the author of a message that is in the archive alone, " .. title, function ()
			local room, id = ann_has_spoken { service = "archive.localhost", whois = "anyone" };
			assert.equal(1, pushed(room, id, nick or nil));
		end);
	end

	it("is to the author, though somebody else has the nickname now", function ()
		local room, id = ann_has_spoken();
		server:user(("eve-%d@users.localhost/phone"):format(count)):join(room, "ann");
		server:user(("eva-%d@users.localhost/phone"):format(count)):join(room, "ann2");
		assert.equal(1, pushed(room, id, "ann"));
		assert.equal(1, pushed(room, id, "ann2"));
	end);

	it("is not to somebody who has the nickname, but is not the author", function ()
		local room = ann_has_spoken();
		local id = say(muc.bob, room, "I have a question");
		assert.equal(0, pushed(room, id, "ann2"));
		assert.equal(1, pushed(room, nil, "ann2"));
	end);

	it("is not to anybody where neither id nor nickname are known", function ()
		local room = ann_has_spoken();
		assert.equal(0, pushed(room, "made-up", "nobody"));
		assert.equal(0, pushed(room, "made-up"));
		assert.equal(0, pushed(room));
	end);

	it("is to the member with the nickname where the id is not known", function ()
		local room = ann_has_spoken();
		assert.equal(1, pushed(room, "made-up", "ann2"));
	end);

	it("is to the member with the nickname where the archive does not have the author", function ()
		local room, id = ann_has_spoken { service = "archive.localhost" };
		assert.equal(1, pushed(room, id, "ann2"));
		assert.equal(0, pushed(room, id, "ann"));
		assert.equal(0, pushed(room, id));
	end);

	it("is to nobody by the id of another room", function ()
		local _, id, _, bare_jid = ann_has_spoken();
		local room = muc:new_room { bare_jid };
		assert.equal(0, pushed(room, id));
	end);

	it("is to nobody who is no member any more", function ()
		local room, id, _, bare_jid = ann_has_spoken();
		muc.bob:affiliate(room, bare_jid, "none");
		assert.equal(0, pushed(room, id, "ann2"));
	end);

	it("is a message like any other to the author who is there", function ()
		local room, id, ann = ann_has_spoken();
		ann:join(room, "ann3");
		assert.equal(0, pushed(room, id, "ann2"));
	end);

	it("is to the author also where the room has to be read first", function ()
		local room, id = ann_has_spoken();
		muc:manage "reload";
		assert.equal(1, pushed(room, id));
	end);

	it("is to the author when it bounces", function ()
		local room, id, ann, bare_jid = ann_has_spoken();
		ann:join(room, "ann3");
		assert.equal(0, pushed(room, id, "ann"));
		local reply = ann:expect { name = "message", body = "I do" };
		undelivered.bounce(ann, room .. "/bob", reply.attr.id);
		assert.same({ "ann 1 I do" }, muc:take_pushes(), bare_jid);
	end);

	it("has its author looked up only where somebody is absent", function ()
		local room, id, ann = ann_has_spoken();
		ann:join(room, "ann");
		server:admin([[
			local modules = prosody.hosts[module.host].modules;
			module.look_ups = 0;
			for i = 1, 200 do
				local name, value = debug.getupvalue(modules.muc_undelivered.author_of, i);
				if not name then break; end
				if name == "history" then
					local find = value.find;
					value.find = function (...) module.look_ups = module.look_ups + 1; return find(...); end;
				end
			end
		]]);
		assert.equal(0, pushed(room, id, "ann"));
		assert.equal(0, server:admin("return module.look_ups"));
		ann:leave(room);
		assert.equal(1, pushed(room, id, "ann"));
		assert.equal(1, server:admin("return module.look_ups"));
		muc:say(room, "no reply");
		assert.equal(0, pushed(room, nil, "nobody"));
		assert.equal(1, server:admin("return module.look_ups"));
	end);
end);
