-- A server with accounts, and blocks of tests of what becomes of them.

local assert = require "luassert";
local busted = require "busted";

local loop = require "harness.loop";

local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

local Accounts = {};
Accounts.__index = Accounts;

function Accounts:start(version)
	local global = self.storage.global or {};
	self.server, self.muc = muc_service.start(version, {
		c2s = true;
		hosts = {
			localhost = {};
			["open.localhost"] = { authentication = "insecure", insecure_open_authentication = "Yes please, I know what I'm doing!" };
		};
		global = {
			modules_enabled = { "admin_socket", "admin_shell" }, authentication = "internal_hashed";
			storage = global.storage, sql = global.sql;
		};
		muc = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true, muc_push_retry_delay = 0.1 };
		mucs = { ["other-muc.localhost"] = muc_service.with_body { muc_push_default = "always", muc_room_default_persistent = true } };
	});
end

function Accounts:new_account()
	return ("ann-%d@localhost"):format(self.count);
end

-- A client of an account, which is made where there is none; it has a device, and is a member of a new room, in which it is
-- not. Returns its bare JID and the room.
function Accounts:new_device(bare_jid, node)
	bare_jid = bare_jid or self:new_account();
	local client = self.server:client(bare_jid .. "/phone", { stream_management = false });
	assert.equal("result", (self.muc:enable(client, node or "old")));
	client:close();
	return bare_jid, self.muc:new_room { bare_jid };
end

function Accounts:pushed(room)
	self.muc:say(room, "hello");
	local nodes = {};
	for i, push in ipairs(self.muc:take_pushes()) do nodes[i] = push:match("^%S+"); end
	table.sort(nodes);
	return nodes;
end

function Accounts:stored(bare_jid)
	local nodes = {};
	for _, registration in pairs(self.storage.read(self.server, bare_jid) or {}) do table.insert(nodes, registration.node); end
	table.sort(nodes);
	return nodes;
end

-- What the running server does to an account: "create_user", "delete_user", "disable_user", "enable_user".
function Accounts:manage(action, bare_jid, password)
	self.server:admin([[
		local action, bare_jid, password = ...;
		local usermanager = require "core.usermanager";
		local username, host = jid.split(bare_jid);
		if action == "create_user" then
			assert(usermanager.create_user(username, password, host));
		else
			assert(usermanager[action](username, host));
		end
	]], action, bare_jid, password);
end

-- What another process does to an account: nobody in the server hears of it. account: what is stored, nil for nothing
function Accounts:store_account(bare_jid, account)
	self.server:admin([[
		local bare_jid, account = ...;
		local username, host = jid.split(bare_jid);
		assert(require "core.storagemanager".open(host, "accounts"):set(username, account));
	]], bare_jid, account);
end

-- Restarts the server, until all that is stored is loaded.
function Accounts:restart(finish)
	local length = #self.server:log();
	self.muc:restart(finish);
	self.server:wait_for_log(self.server.muc_host:gsub("%p", "%%%0") .. ":muc_cloud_notify[^\n]*are registered", nil, length);
end

-- The next push is looked at, as it is once a while.
function Accounts:let_time_pass()
	self.muc:manage "reload";
end

-- Another process deletes an account and makes it again, for somebody else, in the way of prosodyctl of 0.12: what Prosody
-- stores of a user is removed, and nobody in the server hears of it.
function Accounts:replace_account(bare_jid)
	self.server:admin([[
		local username, host = jid.split(...);
		local storagemanager = require "core.storagemanager";
		assert(storagemanager.open(host, "accounts"):set(username, nil));
		storagemanager.purge(username, host);
		assert(storagemanager.open(host, "accounts"):set(username, { password = "harness" }));
	]], bare_jid);
	loop.turn(0.02); -- what was found out just now is known for 0.01 s: whoever does this elsewhere takes longer
end

-- block: a function of the accounts and the version, run for each storage
local function describe_in(describe_storages, title, block)
	describe_storages(title, function (version, storage)
		local accounts = setmetatable({ storage = storage, count = 0 }, Accounts);
		busted.lazy_setup(function () accounts:start(version); end);
		busted.before_each(function ()
			accounts.count = accounts.count + 1;
			accounts.muc.app:start_anew();
		end);
		block(accounts, version);
	end);
end

return {
	describe = function (...) describe_in(versions.describe_storages, ...); end;
	describe_local = function (...) describe_in(versions.describe_local_storages, ...); end;
};
