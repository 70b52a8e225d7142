-- Reads a module's options and checks their values. For each wrong value one line in the log says what is wrong with
-- it, and the default is used.
--
-- A check gets what is configured, which is never nil, and returns the value to be used, or nil where it is wrong.
--
-- This file is MIT/X11 licensed.

-- COMPAT 0.12: get_option_integer, get_option_period and get_option_enum are Prosody 13's, and none of
-- them says in one line what is wrong and what is used instead.

local jid_prep = require "util.jid".prep; -- COMPAT 0.12: no prosody.* names

local max_integer = 2^31;

local to_integer = math.tointeger or function (number) return number; end -- before Lua 5.3, numbers are of one kind

local function boolean(value)
	if type(value) == "boolean" then return value; end
end

local function text(value)
	if type(value) == "string" then return value; end
end

-- A whole number. The configuration may write it as 5.0.
local function integer(min)
	return function (value)
		if type(value) == "number" and value >= min and value <= max_integer and value % 1 == 0 then return to_integer(value); end
	end
end

local function seconds(min)
	return function (value)
		if type(value) == "number" and value >= min and value < math.huge then return value; end
	end
end

-- As long as one turn of the event loop may take.
local function milliseconds(value)
	if type(value) == "number" and value >= 0.1 and value <= 1000 then return value; end
end

local function one_of(...)
	local allowed = {};
	for _, value in ipairs { ... } do allowed[value] = true; end
	return function (value)
		if allowed[value] then return value; end
	end
end

local function list_of_text(value)
	if type(value) == "string" then return { value }; end
	if type(value) ~= "table" then return nil; end
	local count = 0;
	for _ in pairs(value) do count = count + 1; end
	for i = 1, count do
		if type(value[i]) ~= "string" then return nil; end
	end
	return value;
end

local function show(value)
	return type(value) == "string" and ("%q"):format(value) or tostring(value);
end

local function checked(name, check, expected, default)
	local configured = module:get_option(name);
	if configured == nil then return default; end
	local value = check(configured);
	if value ~= nil then return value; end
	module:log("error", "Option %s is %s (a %s), but %s is expected; using the default, %s",
		name, show(configured), type(configured), expected, default == nil and "no restriction" or show(default));
	return default;
end

-- An option that allows some, and nobody else: it must not allow more when it is not understood. nil where it is not set.
-- prepare(entry): the entry as it is used, nil where it is none; expected: what a list has, in words; example: an entry of it;
-- no_entry: what an entry is that is none
local function read_list(name, prepare, expected, example, no_entry)
	local configured = module:get_option(name);
	if configured == nil then return nil; end
	local list = list_of_text(configured);
	if not list then
		module:log("error", "Option %s is %s (a %s), but a list of %s is expected, such as { %q };"
			.." until that is mended, it allows nobody", name, show(configured), type(configured), expected, example);
		return {};
	end
	local entries = {};
	for _, entry in ipairs(list) do
		local prepared = prepare(entry);
		if prepared then
			table.insert(entries, prepared);
		else
			module:log("error", "Option %s has the entry %s, which is %s: it allows nobody", name, show(entry), no_entry);
		end
	end
	return entries;
end

local function read_jids(name)
	return read_list(name, function (entry) return (jid_prep(entry)); end, "JIDs or domains", "push.example.com", "neither a JID nor a domain");
end

-- An option that says something of JIDs or domains, by these. An entry that is not understood is passed over.
-- check, expected: as for a single value; example: a JID
local function read_by_jid(name, check, expected, example)
	local configured, values = module:get_option(name), {};
	if configured == nil then return values; end
	if type(configured) ~= "table" then
		module:log("error", "Option %s is %s (a %s), but a table is expected, such as { [%q] = %s }; until that is mended, it says nothing",
			name, show(configured), type(configured), example, expected);
		return values;
	end
	for key, value in pairs(configured) do
		local jid, checked_value = type(key) == "string" and jid_prep(key) or nil, check(value);
		if not jid then
			module:log("error", "Option %s has an entry for %s, which is neither a JID nor a domain: it is passed over", name, show(key));
		elseif checked_value == nil then
			module:log("error", "Option %s has the entry %s for %s, but %s is expected: it is passed over", name, show(value), show(key), expected);
		else
			values[jid] = checked_value;
		end
	end
	return values;
end

-- specification: field of the result = { name of the option, check, what it expects in words, default }. Without a
-- default, an option that is not set restricts nothing.
local function read(specification)
	local values = {};
	for field, option in pairs(specification) do
		values[field] = checked(option[1], option[2], option[3], option[4]);
	end
	return values;
end

return {
	read = read, read_by_jid = read_by_jid, read_jids = read_jids, read_list = read_list;
	boolean = boolean, text = text, integer = integer, seconds = seconds, milliseconds = milliseconds, one_of = one_of;
};
