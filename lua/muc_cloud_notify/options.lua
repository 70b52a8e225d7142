-- Reads and checks the options, which are described in the README.
--
-- of_engine: the table that the engine is opened with; own: the options that are not the engine's.
--
-- This file is MIT/X11 licensed.

-- COMPAT 0.12: get_option_integer, get_option_period and get_option_enum are Prosody 13's, and none of
-- them says in one line what is wrong and what is used instead.

local function boolean(value)
	if type(value) == "boolean" then return value; end
end

local function text(value)
	if type(value) == "string" then return value; end
end

local function integer(min)
	return function (value)
		local number = math.type(value) and math.tointeger(value);
		if number and number >= min and number <= 2^31 then return number; end
	end
end

local function seconds(min)
	return function (value)
		if math.type(value) and value >= min and value < math.huge then return value; end
	end
end

local function milliseconds(value)
	if math.type(value) and value >= 0.1 and value <= 1000 then return value; end
end

local function one_of(...)
	local allowed = {};
	for _, value in ipairs { ... } do allowed[value] = true; end
	return function (value)
		if allowed[value] then return value; end
	end
end

local function list_of_text(value)
	if type(value) ~= "table" then return nil; end
	local count = 0;
	for _ in pairs(value) do count = count + 1; end
	for i = 1, count do
		if type(value[i]) ~= "string" then return nil; end
	end
	return value;
end

-- field of the engine's options = { name of the option, check, what it expects, default }
local specification = {
	with_body = { "push_notification_with_body", boolean, "true or false", false };
	with_sender = { "push_notification_with_sender", boolean, "true or false", false };
	important_body = { "push_notification_important_body", text, "a string", "New Message!" };
	max_errors = { "push_max_errors", integer(1), "a whole number of at least 1", 16 };
	max_devices = { "push_max_devices", integer(1), "a whole number of at least 1", 5 };
	default_level = {
		"muc_push_default", one_of("auto", "always", "on-mention", "never"),
		[["auto", "always", "on-mention" or "never"]], "auto",
	};
	app_servers = { "muc_push_app_servers", list_of_text, "a list of JIDs or domains, such as { \"push.example.com\" }", nil };
	reply_timeout = { "muc_push_reply_timeout", seconds(1), "a number of seconds of at least 1", 120 };
	retry_delay = { "muc_push_retry_delay", seconds(0.1), "a number of seconds of at least 0.1", 10 };
	max_retry_delay = { "muc_push_max_retry_delay", seconds(1), "a number of seconds of at least 1", 3600 };
	time_to_live = { "muc_push_time_to_live", seconds(1), "a number of seconds of at least 1", 2 * 86400 };
	give_up_after = { "muc_push_give_up_after", seconds(1), "a number of seconds of at least 1", 14 * 86400 };
};

-- The same for what is not the engine's.
local own_specification = {
	count_hibernating = { "muc_push_hibernating", boolean, "true or false", true };
	slice = { "muc_push_slice", milliseconds, "a number of milliseconds from 0.1 to 1000", 1 };
};

local function show(value)
	return type(value) == "string" and ("%q"):format(value) or tostring(value);
end

local function read(options_specification)
	local options = {};
	for field, option in pairs(options_specification) do
		local name, check, expected, default = option[1], option[2], option[3], option[4];
		local configured = module:get_option(name);
		local value;
		if configured ~= nil then
			value = check(configured);
			if value == nil then
				module:log("error", "Option %s is %s (a %s), but %s is expected; using the default, %s",
					name, show(configured), type(configured), expected, default == nil and "no restriction" or show(default));
			end
		end
		if value == nil then value = default; end
		options[field] = value;
	end
	return options;
end

return { of_engine = read(specification), own = read(own_specification) };
