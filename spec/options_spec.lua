-- Options that are set to what they cannot be: one line each says so, and the default is used.

local before_due = require "spec.support.before_due";
local muc_service = require "spec.support.muc_service";
local versions = require "spec.support.versions";

-- Option; values that are refused; what is expected; the default as the log shows it; a value that is fine.
local options = {
	{ "push_notification_with_body", { "yes", 1, {} }, "true or false", "false", true };
	{ "push_notification_with_sender", { "true", 0, { true } }, "true or false", "false", true };
	{ "push_notification_important_body", { false, 7, {} }, "a string", [["New Message!"]], "Something" };
	{ "push_max_errors", { "many", 0, 1.5 }, "a whole number of at least 1", "16", 1 };
	{ "push_max_devices", { "5", -1, 2^40 }, "a whole number of at least 1", "5", 3 };
	{ "muc_push_default", { "sometimes", true, 1 }, [["auto", "always", "on-mention" or "never"]], [["auto"]], "always" };
	{ "muc_push_max_users_per_domain", { "10000", 0, 1.5 }, "a whole number of at least 1", "10000", 500 };
	{ "muc_push_max_users", { "all", -1, {} }, "a whole number of at least 1", "1000000", 500 };
	{ "muc_push_lease", { "90d", 3600, {} }, "a number of seconds of at least 86400", "7776000", 86400 };
	{ "muc_push_max_in_flight", { "500", 0, 2.5 }, "a whole number of at least 1", "500", 40 };
	{ "muc_push_reply_timeout", { "2m", 0.5, -1 }, "a number of seconds of at least 1", "120", 1 };
	{ "muc_push_retry_delay", { "10", 0, {} }, "a number of seconds of at least 0.1", "10", 0.1 };
	{ "muc_push_max_retry_delay", { "1h", 0.9, false }, "a number of seconds of at least 1", "3600", 60 };
	{ "muc_push_time_to_live", { "2d", 0, math.huge }, "a number of seconds of at least 1", "172800", 1.5 };
	{ "muc_push_give_up_after", { "14d", -5, true }, "a number of seconds of at least 1", "1209600", 86400 };
	{ "muc_push_max_body", { "1024", 15, 99.5 }, "a whole number of at least 16", "1024", 16 };
	{ "muc_push_interval", { "1s", -1, {} }, "a number of seconds of at least 0", "1", 0 };
	{ "muc_push_accounts", { "yes", 1, {} }, "true or false", "true", false };
	{ "muc_push_account_interval", { "20s", -1, {} }, "a number of seconds of at least 0", "20", 0 };
	{ "muc_push_journal", { "no" }, "true or false", "true", false }; -- with it each push takes a while, so in one case alone
	{ "muc_push_consent", { "yes", 1, {} }, "true or false", "true", false };
	{ "muc_push_forward", { "all", true, {} }, [["asked" or "none"]], [["asked"]], "none" };
	{ "muc_push_hibernating", { "yes", 0, {} }, "true or false", "true", false };
	{ "muc_push_standby", { "yes", 1, {} }, [["auto", true or false]], [["auto"]], false };
	{ "muc_push_slice", { "3ms", 0.05, 5000 }, "a number of milliseconds from 0.1 to 1000", "1", 2.5 };
};

-- Lists of app servers; whether push.localhost and push.elsewhere.example may be registered, and what is said of each.
local lists = {
	{ { "push.localhost" }, true, false };
	{ "push.localhost", true, false };
	{ "PUSH.localhost.", true, false };
	{ { "push.localhost", "push.elsewhere.example" }, true, true };
	{ {}, false, false };
	{ 3, false, false, { "Option muc_push_app_servers is 3 (a number)" } };
	{ true, false, false, { "Option muc_push_app_servers is true (a boolean)" } };
	{ { key = "push.localhost" }, false, false, { "Option muc_push_app_servers is table: " } };
	{ { "push.localhost", 7 }, false, false, { "Option muc_push_app_servers is table: " } };
	{ { "@push.localhost", "push.elsewhere.example", "" }, false, true, { "has the entry \"@push.localhost\"", "has the entry \"\"" } };
	{ "https://push.localhost/", false, false };
	{ "", false, false, { "has the entry \"\"" } };
};

-- What publishers of app servers may be, and what is said of each.
local publishers = {
	{ {} };
	{ { ["push.localhost"] = "account", ["pusher@PUSH.localhost"] = "account" } };
	{ "push.localhost", { "Option muc_push_from is \"push.localhost\" (a string), but a table is expected" } };
	{ true, { "Option muc_push_from is true (a boolean), but a table is expected" } };
	{ { "push.localhost" }, { "Option muc_push_from has an entry for 1, which is neither a JID nor a domain: it is passed over" } };
	{ { ["@push.localhost"] = "account", ["push.localhost"] = "account" }, { "has an entry for \"@push.localhost\", which is neither" } };
	{ { ["push.localhost"] = "service" }, { "has the entry \"service\" for \"push.localhost\", but \"account\" is expected: it is passed over" } };
	{ { ["push.localhost"] = true }, { "has the entry true for \"push.localhost\", but \"account\" is expected" } };
};

local good_service = "good.localhost";

local function list_service(i)
	return string.format("list-%d.localhost", i);
end

local function publisher_service(i)
	return string.format("publisher-%d.localhost", i);
end

local function bad_service(i)
	return string.format("bad-%d.localhost", i);
end

versions.describe("options", function (version)
	local server, muc;

	lazy_setup(function ()
		local mucs = {};
		for _, host in ipairs { good_service, bad_service(1), bad_service(2), bad_service(3) } do
			mucs[host] = {
				modules_enabled = { "muc_cloud_notify" };
				muc_room_default_persistent = true;
				muc_room_default_public = true;
			};
		end
		for _, option in ipairs(options) do
			for i = 1, 3 do
				mucs[bad_service(i)][option[1]] = option[2][i];
			end
			mucs[good_service][option[1]] = option[5];
		end
		mucs[good_service].muc_push_app_servers = { "push.localhost" };
		for i, list in ipairs(lists) do
			mucs[list_service(i)] = { modules_enabled = { "muc_cloud_notify" }, muc_push_app_servers = list[1] };
		end
		for i, publisher in ipairs(publishers) do
			mucs[publisher_service(i)] = { modules_enabled = { "muc_cloud_notify" }, muc_push_from = publisher[1] };
		end
		server, muc = muc_service.start(version, {
			muc = { modules_enabled = { "muc_cloud_notify" } };
			mucs = mucs;
		});
	end);

	for _, option in ipairs(options) do
		local name, values, expected, default = option[1], option[2], option[3], option[4];

		it("says what is wrong with " .. name, function ()
			for i, value in ipairs(values) do
				local lines = {};
				for _, entry in ipairs(muc:errors_at(bad_service(i))) do
					if entry:find("Option " .. name .. " is ", 1, true) then
						table.insert(lines, entry);
					end
				end
				assert.equal(1, #lines, name);
				local shown = type(value) == "table" and "table: " or type(value) == "string" and "\"" .. value .. "\"" or tostring(value);
				assert.truthy(lines[1]:find(name .. " is " .. shown:gsub("%.0$", ""), 1, true), lines[1]);
				assert.truthy(lines[1]:find("(a " .. type(value) .. ")", 1, true), lines[1]);
				assert.truthy(lines[1]:find(expected, 1, true), lines[1]);
				assert.truthy(lines[1]:find("using the default, " .. default, 1, true), lines[1]);
			end
		end);
	end

	it("says nothing else, and nothing where all is well", function ()
		for i = 1, 3 do
			local count = 0;
			for _, option in ipairs(options) do
				if option[2][i] ~= nil then count = count + 1; end
			end
			assert.equal(count, #muc:errors_at(bad_service(i)));
		end
		assert.same({}, muc:errors_at(good_service));
		assert.same({}, muc:errors_at(server.muc_host));
	end);

	for i = 1, 3 do
		it("has the defaults instead, case " .. i, function ()
			local service = bad_service(i);
			local user, room, bare_jid = muc:new_member { service = service };
			local public_room = muc:new_room({ bare_jid }, service);
			local mention = "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:" .. bare_jid .. "'/>";
			local function enable(node)
				return user:enable({ jid = "push.localhost", node = node, to = service }).attr.type;
			end
			for n = 1, 6 do
				assert.equal("result", enable("n" .. n));
			end
			muc.bob:configure_room(room, { ["muc#roomconfig_membersonly"] = true });
			assert.same({}, (muc:pushed(room))); -- muc_push_consent = true
			for _, entered in ipairs { room, public_room } do
				user:join(entered, "Ann");
				user:leave(entered);
			end
			before_due(1, function (begin)
				muc.app:start_anew();
				user:join(room, "Ann"); -- has read what there was
				user:leave(room);
				begin();
				muc:say(room);
				local push = muc.app:expect_push_for("n2");
				assert.same({ FORM_TYPE = "urn:xmpp:push:summary", ["message-count"] = "1", ["last-message-body"] = "New Message!" },
					push.summary);
				assert.same({ "n3", "n4", "n5", "n6" }, muc.app:take_nodes()); -- push_max_devices = 5
				assert.same({}, (muc:pushed(public_room))); -- muc_push_default = "auto"
				assert.same({}, (muc:pushed(room))); -- muc_push_interval = 1
			end);
			assert.equal("result", user:disable({ jid = "push.localhost", to = service }).attr.type);
			assert.equal("result", enable("n1"));
			muc.app.answer = { type = "cancel", condition = "item-not-found" };
			for _ = 1, 16 do -- push_max_errors = 16
				muc.bob:say(room, "a mention does not wait", mention);
				assert.equal("n1", muc.app:expect_push().node);
				assert.same({}, muc.app:take_nodes());
			end
			muc.bob:say(room, "a mention does not wait", mention);
			muc.bob.component:sync();
			assert.same({}, muc.app:take_nodes());
			muc.app.answer = "result";
		end);
	end

	for i, list in ipairs(lists) do
		it("allows no app server that a list does not name, nor any where it cannot be read: list " .. i, function ()
			local user = server:user(string.format("list-%d@users.localhost/phone", i));
			local function is_allowed(app_server)
				local reply = user:enable { jid = app_server, node = "n1", to = list_service(i) };
				if reply.attr.type == "error" then
					local error_type, condition = reply:get_error();
					assert.same({ "auth", "forbidden" }, { error_type, condition });
				end
				return reply.attr.type == "result";
			end
			assert.equal(list[2], is_allowed("push.localhost"));
			assert.equal(list[3], is_allowed("push.elsewhere.example"));
			assert.is_false(is_allowed("other.example"));
			local errors = muc:errors_at(list_service(i));
			assert.equal(#(list[4] or {}), #errors, table.concat(errors, "\n"));
			for n, text in ipairs(list[4] or {}) do
				assert.truthy(errors[n]:find(text, 1, true), errors[n]);
				assert.truthy(errors[n]:find("it allows nobody", 1, true), errors[n]);
			end
		end);
	end

	it("has what is set where it is well set", function ()
		local user, room = muc:new_member { service = good_service };
		local function enable(jid, node)
			local reply = user:enable { jid = jid, node = node, to = good_service };
			return reply.attr.type, reply:get_error();
		end
		assert.equal("auth", (select(2, enable("push.elsewhere.example", "n1"))));
		for n = 1, 4 do
			assert.equal("result", (enable("push.localhost", "n" .. n)));
		end
		muc.app.answer = { type = "cancel", condition = "item-not-found" };
		local nodes, pushes = muc:pushed(room);
		assert.same({ "n2", "n3", "n4" }, nodes);
		assert.same({ "hello", room .. "/bob" },
			{ pushes.n2.summary["last-message-body"], pushes.n2.summary["last-message-sender"] });
		assert.same({}, (muc:pushed(room)));
	end);

	it("says what is wrong with publishers of app servers", function ()
		for i, publisher in ipairs(publishers) do
			local errors = muc:errors_at(publisher_service(i));
			assert.equal(#(publisher[2] or {}), #errors, table.concat(errors, "\n"));
			for n, text in ipairs(publisher[2] or {}) do
				assert.truthy(errors[n]:find(text, 1, true), errors[n]);
			end
		end
	end);
end);
