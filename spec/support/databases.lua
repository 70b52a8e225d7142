-- MUC services that store everything in a database of PostgreSQL, which others may have too.

local st = require "util.stanza";

local loop = require "harness.loop";
local postgresql = require "harness.postgresql";
local prosody = require "harness.prosody";
local tables = require "harness.tables";

local muc_service = require "spec.support.muc_service";

local merge = tables.merge;

local databases = {};

local database_methods = {};
local database_mt = { __index = database_methods };

-- A new database. cluster: nil for the one that all such specs share
function databases.new(cluster)
	cluster = cluster or postgresql.shared();
	return setmetatable({ cluster = cluster, global = cluster:new_database() }, database_mt);
end

function database_methods:execute(statement, ...)
	return self.cluster:execute(self.global.sql.database, statement, ...);
end

-- How many users have something in a store of a host.
function database_methods:users_in(host, store)
	local rows = self:execute([[SELECT count(DISTINCT "user") AS users FROM "prosody" WHERE "host" = ? AND "store" = ?]], host, store);
	return tonumber(rows[1].users);
end

-- Everything in the stores of this module but who serves, as one text.
function database_methods:contents()
	local rows = self:execute([[SELECT concat_ws(' ', "host", "user", "store", "key", "value") AS line FROM "prosody"
		WHERE "store" LIKE 'muc_cloud_notify%' AND "store" <> 'muc_cloud_notify_standby' ORDER BY line]]);
	for i, row in ipairs(rows) do rows[i] = row.line; end
	return table.concat(rows, "\n");
end

-- Starts a Prosody that stores everything in it. options: those of prosody.start(), and global_modules. Returns server and service.
function database_methods:start(version, options)
	options = merge({}, options);
	options.global = merge(merge({}, self.global), options.global);
	options.muc = merge(muc_service.with_body {
		muc_push_default = "always", muc_push_journal = true, muc_room_default_persistent = true;
	}, options.muc);
	return muc_service.start(version, options);
end

-- Members of a room that are not in it, with a device each: their nodes. Returns the number of enables that were answered with a result.
function databases.enable_members(muc, room, nodes)
	local ids = {};
	muc.server:admin([[
		local room_jid, nodes = ...;
		local room = room(room_jid);
		-- set_affiliation() stores the room each time.
		for node in nodes:gmatch("%S+") do room._affiliations[node.."@users.localhost"] = "member"; end
		assert(room:save(true));
	]], room, table.concat(nodes, " "));
	local results = 0;
	muc.bob.component:add_handler(function (stanza)
		if stanza.name ~= "iq" or not ids[stanza.attr.id] then return; end
		ids[stanza.attr.id] = nil;
		if stanza.attr.type == "result" then results = results + 1; end
		return true;
	end);
	for _, node in ipairs(nodes) do
		local id = "enable-" .. node;
		ids[id] = true;
		muc.bob.component:send(st.iq({ type = "set", id = id, from = node .. "@users.localhost/phone", to = muc.server.muc_host })
			:tag("enable", { xmlns = "urn:xmpp:push:0", jid = muc.app.jid, node = node }):reset());
	end
	assert(loop.wait_until(function () return next(ids) == nil; end, 30), "an enable was not answered");
	return results;
end

-- The pushes until there were so many, and those that are still to come: node -> { message-count of each }.
function databases.counts(app, count, timeout)
	loop.wait_until(function () return #app.pushes >= count; end, timeout or 60);
	app.component:sync();
	local counts = {};
	for _, push in ipairs(app.pushes) do
		counts[push.node] = counts[push.node] or {};
		table.insert(counts[push.node], push.count);
	end
	app:clear();
	return counts;
end

-- Waits until a server has loaded all registrations, once more after its log had a length. Returns the seconds since a time.
function databases.wait_until_serving(server, since, length, timeout)
	server:wait_for_log(server.muc_host:gsub("%p", "%%%0") .. ":muc_cloud_notify[^\n]*are registered", timeout or 60, length);
	return loop.now() - since;
end

databases.close_all = prosody.close_all;

return databases;
