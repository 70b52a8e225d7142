-- The options, which docs/operators.md describes.
--
-- The defaults of those that are the engine's are the engine's too: they come from the library.
--
-- This file is MIT/X11 licensed.

local part = ...;

local options = part "shared/options";

-- field = { name of the option, check, what it expects, default }
local own = {
	count_hibernating = { "muc_push_hibernating", options.boolean, "true or false", true };
	journal = { "muc_push_journal", options.boolean, "true or false", true };
	accounts = { "muc_push_accounts", options.boolean, "true or false", true };
	consent = { "muc_push_consent", options.boolean, "true or false", true };
	standby = { "muc_push_standby", options.one_of("auto", true, false), [["auto", true or false]], "auto" };
	forward = { "muc_push_forward", options.one_of("asked", "none"), [["asked" or "none"]], "asked" };
	slice = { "muc_push_slice", options.milliseconds, "a number of milliseconds from 0.1 to 1000", 1 };
};

-- field of engine_options = the same without a default
local of_engine = {
	with_body = { "push_notification_with_body", options.boolean, "true or false" };
	with_sender = { "push_notification_with_sender", options.boolean, "true or false" };
	important_body = { "push_notification_important_body", options.text, "a string" };
	max_body_bytes = { "muc_push_max_body", options.integer(16), "a whole number of at least 16" };
	max_errors = { "push_max_errors", options.integer(1), "a whole number of at least 1" };
	max_devices = { "push_max_devices", options.integer(1), "a whole number of at least 1" };
	default_level = {
		"muc_push_default", options.one_of("auto", "always", "on-mention", "never"), [["auto", "always", "on-mention" or "never"]];
	};
	max_users_per_domain = { "muc_push_max_users_per_domain", options.integer(1), "a whole number of at least 1" };
	max_users = { "muc_push_max_users", options.integer(1), "a whole number of at least 1" };
	lease = { "muc_push_lease", options.seconds(86400), "a number of seconds of at least 86400 (a day)" };
	push_interval = { "muc_push_interval", options.seconds(0), "a number of seconds of at least 0" };
	way_interval = { "muc_push_account_interval", options.seconds(0), "a number of seconds of at least 0" };
	max_in_flight = { "muc_push_max_in_flight", options.integer(1), "a whole number of at least 1" };
	reply_timeout = { "muc_push_reply_timeout", options.seconds(1), "a number of seconds of at least 1" };
	retry_delay = { "muc_push_retry_delay", options.seconds(0.1), "a number of seconds of at least 0.1" };
	max_retry_delay = { "muc_push_max_retry_delay", options.seconds(1), "a number of seconds of at least 1" };
	time_to_live = { "muc_push_time_to_live", options.seconds(1), "a number of seconds of at least 1" };
	give_up_after = { "muc_push_give_up_after", options.seconds(1), "a number of seconds of at least 1" };
};

---@class module_options
---@field engine engine_options
---@field count_hibernating boolean whether sessions that hibernate count as absent
---@field journal boolean whether what is pending is stored before it is pushed
---@field from table<string, "account"> from whom publishes leave, by the JIDs or domains of app servers: others from the MUC service
---@field accounts boolean whether members are reached by the devices of their accounts on this server
---@field consent boolean whether a membership counts only once its owner has consented
---@field standby "auto"|boolean whether one process waits while another serves
---@field forward "asked"|"none" to whom messages are forwarded, of members with an account elsewhere
---@field slice number for how many milliseconds the other users of the event loop are kept waiting at most

---@param native native
---@return module_options
local function read(native)
	local specification = {};
	for field, option in pairs(of_engine) do
		local default = native.default_options[field];
		-- In the log, a whole number of seconds is shown as one.
		specification[field] = { option[1], option[2], option[3], math.type(default) == "float" and math.tointeger(default) or default };
	end
	local values = options.read(own);
	values.engine = options.read(specification);
	values.engine.app_servers = options.read_jids("muc_push_app_servers");
	values.from = options.read_by_jid("muc_push_from", options.one_of("account"), [["account"]], "push.example.com");
	return values;
end

return { read = read };
