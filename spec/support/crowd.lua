-- A room with many members who have a device each, and the app server that counts what each of them is told, over kills of the
-- server too.

local loop = require "harness.loop";
local muc_service = require "spec.support.muc_service";

local crowd = {};

local crowd_methods = {};
local crowd_mt = { __index = crowd_methods };

local room_jid = "crowd@conference.localhost";

local make_room = [[
	local room_jid, count = ...;
	local room = assert(muc.create_room(room_jid));
	for i = 1, count do
		room._affiliations["user"..i.."@users.localhost"] = "member"; -- set_affiliation() stores the room each time
	end
	room:set_persistent(true);
	assert(room:save(true));
]];

local say = [[
	local room_jid, text = ...;
	local room = muc.get_room_from_jid(room_jid);
	room:broadcast_message(st.message({ type = "groupchat", from = room_jid.."/somebody", id = "m"..text }):text_tag("body", text));
]];

-- Starts a server with such a room. options: of muc_service.start(); storage, see spec.support.storages; members; muc, options of
-- the service; plugin_paths; log_level
function crowd.start(version, options)
	local muc_options = muc_service.with_body {
		muc_push_default = "always", muc_push_journal = true, muc_push_retry_delay = 0.1, muc_push_max_retry_delay = 1;
		muc_push_app_servers = { "push.localhost" };
	};
	for name, value in pairs(options.muc or {}) do muc_options[name] = value; end
	if options.storage.prepare then options.storage.prepare(); end -- each has a database of its own
	local global = {};
	for _, set in ipairs { options.storage.global or {}, options.global or {} } do
		for name, value in pairs(set) do global[name] = value; end
	end
	local server, muc = muc_service.start(version, {
		global = global, muc = muc_options, plugin_paths = options.plugin_paths, log_level = options.log_level;
	});
	local self = setmetatable({ server = server, muc = muc, members = options.members, said = 0, room = room_jid }, crowd_mt);
	server:admin(make_room, room_jid, options.members);
	local user, room = muc:new_device("first"); -- so that the store is there, in its format
	muc:disable(user, "first");
	muc.bob:destroy_room(room);
	server:stop();
	local records = {};
	for i = 1, options.members do
		local node = "user" .. i;
		records[node .. "@users.localhost"] = { ["push.localhost<" .. node] = { jid = "push.localhost", node = node, timestamp = 1 } };
	end
	options.storage.write_all(server, records);
	self:forget();
	self:start_again();
	return self;
end

-- A room in the place of the one before, in which nobody has missed anything yet.
function crowd_methods:replace_room()
	self.rooms = (self.rooms or 0) + 1;
	self.server:admin("local room = muc.get_room_from_jid(...); if room then room:destroy(); end", self.room);
	self.room, self.said = ("crowd%d@conference.localhost"):format(self.rooms), 0;
	self.server:admin(make_room, self.room, self.members);
end

-- Counts what comes from now on.
function crowd_methods:watch(answer)
	self.muc.app.answer = function (push)
		local of = self.told[push.node] or {};
		self.told[push.node] = of;
		table.insert(of, tonumber(push.count));
		self.pushes = self.pushes + 1;
		return answer or "result";
	end;
end

function crowd_methods:forget()
	self.told, self.pushes = {}, 0; -- the message-counts by node
end

-- Starts the server again. answer: what the app server answers with, "away" if there is none
function crowd_methods:start_again(answer)
	self.log_length = #self.server:log();
	self.server:start_again();
	if answer == "away" then
		self.muc.app = nil;
		self.muc.bob = self.server:user("bob@users.localhost/desk");
	else
		self.muc:connect();
		self:watch(answer);
	end
end

-- Waits until the registrations are loaded, and what the last run has left.
function crowd_methods:wait_until_loaded()
	self.server:wait_for_log(self.members .. " device(s) of " .. self.members, 60, self.log_length);
	assert(loop.wait_until(function () return self.server:admin "local is_filled, is_read = is_filled(); return is_filled and is_read"; end,
		60, 0.01), "not all is loaded");
end

-- Waits until it is known who is absent: what is said before that is in no store.
function crowd_methods:wait_until_read()
	assert(loop.wait_until(function ()
		local absent = self.server:admin("return #prosody.hosts[module.host].modules.muc_cloud_notify.absent_members(...)", self.room);
		return absent == self.members;
	end, 60), "the room is not read");
end

-- Returns at once, whatever the server has done by then.
function crowd_methods:say()
	self.said, self.said_at = self.said + 1, #self.server:log();
	self.server:admin(say, self.room, "text " .. self.said);
end

-- Ends the server so many seconds from now, as a crash would.
function crowd_methods:kill(seconds)
	loop.pause(seconds or 0);
	if self.muc.app then self:watch("silence"); end -- nobody takes an answer any more
	self.server:kill();
end

-- Whether anything was stored or pushed since the last message.
function crowd_methods:has_begun_to_push()
	return self.pushes > 0 or self.server:log(self.said_at):find("is stored", 1, true) ~= nil;
end

-- Waits until anything was.
function crowd_methods:wait_until_begun()
	assert(loop.wait_until(function () return self:has_begun_to_push(); end, nil, 0.005), "it is neither stored nor pushed");
end

-- How many members were told, how many of them more than twice, and how many whose last count is another one.
function crowd_methods:summary(count)
	local told, too_often, wrong = 0, 0, 0;
	for _, counts in pairs(self.told) do
		told = told + 1;
		if #counts > 2 then too_often = too_often + 1; end
		if counts[#counts] ~= (count or self.said) then wrong = wrong + 1; end
	end
	return told, too_often, wrong;
end

-- Waits until so many were told, and nothing more comes. messages: how many the last push of each counts by then, nil: any number. Returns
-- how many were told.
function crowd_methods:wait_until_told(count, messages)
	local told, _, wrong;
	loop.wait_until(function ()
		told, _, wrong = self:summary(messages);
		return told >= count and (wrong == 0 or not messages);
	end, 60);
	self.muc.app.component:sync();
	self.muc.app.component:sync();
	return told;
end

local lasting = { ["answer overdue"] = true }; -- a deadline that nothing may wait for any more

-- Waits until the module has nothing more to do: nothing spreads, is under way, waits for its turn or a retry, or has yet to be stored.
function crowd_methods:wait_until_done(timeout)
	local stats;
	assert(loop.wait_until(function ()
		stats = self:stats();
		return stats.spreading + stats.queued + stats.in_flight + stats.unstored == 0
			and (not stats.next_deadline or lasting[stats.next_deadline]);
	end, timeout or 60, 0.02), ("%d in flight, %s"):format(stats.in_flight, stats.next_deadline));
	self.muc.app.component:sync();
	self.muc.app.component:sync();
end

-- What the module says of itself, see stats() in engine_types.lua.
function crowd_methods:stats()
	return self.server:admin("return prosody.hosts[module.host].modules.muc_cloud_notify.stats()");
end

-- Waits until all that has happened by now is in the store.
function crowd_methods:wait_until_stored()
	assert(loop.wait_until(function () return self:stats().unstored == 0; end, 60, 0.01), "not everything is stored");
end

return crowd;
