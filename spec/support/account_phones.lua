-- A MUC service on a server with accounts whose devices are registered there, with the real mod_cloud_notify.

local assert = require "luassert";

local tables = require "harness.tables";

local muc_service = require "spec.support.muc_service";

local account_phones = {};

account_phones.app_host = "phones.localhost"; -- of the app server of those devices
account_phones.plain_host = "plain.localhost"; -- of accounts, but without mod_cloud_notify

-- Options of a MUC service that tells all accounts of all, at once.
function account_phones.options(options)
	return muc_service.with_body(tables.merge({
		muc_push_default = "always", muc_room_default_persistent = true, muc_push_account_interval = 0;
	}, options));
end

-- options: localhost = those of the host of the accounts; global, muc, mucs = see prosody.start(). Returns server, service, and app server.
function account_phones.start(version, options)
	local server, muc = muc_service.start(version, {
		components = { "users.localhost", "push.localhost", account_phones.app_host };
		c2s = true;
		community_modules = true;
		hosts = {
			localhost = tables.merge({ modules_enabled = { "cloud_notify" }, push_notification_with_body = true }, options.localhost);
			[account_phones.plain_host] = {};
		};
		global = tables.merge({ authentication = "internal_hashed" }, options.global);
		muc = options.muc, mucs = options.mucs;
	});
	return server, muc, server:app_server(account_phones.app_host);
end

-- Registers a device of a client's account.
function account_phones.enable(client, node)
	assert.equal("result", client:enable({ to = client.bare_jid, jid = account_phones.app_host, node = node }).attr.type);
end

return account_phones;
