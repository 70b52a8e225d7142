-- Ann, a client of this very server, who is in a room with Bob and has a device: anew before each test of a block.

local busted = require "busted";

local muc_service = require "spec.support.muc_service";

local client_in_room = {};

-- set(server, muc, ann, room): called before each test, with the server and its service. Returns a function with which Bob says something
-- in that room.
function client_in_room.prepare(version, set)
	local server, muc, room;

	busted.lazy_setup(function ()
		server, muc = muc_service.start_with_clients(version);
	end);

	busted.before_each(function ()
		local ann;
		ann, room = muc:new_ann { is_client = true };
		set(server, muc, ann, room);
	end);

	busted.after_each(function ()
		for _, client in ipairs(server.clients) do client:close(); end
	end);

	return function (body) muc:say(room, body); end;
end

return client_in_room;
