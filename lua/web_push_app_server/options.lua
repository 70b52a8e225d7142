-- The options, which docs/web-push.md describes.
--
-- This file is MIT/X11 licensed.

local part = ...;

local default_contact = part "web_push_app_server/contact".default;
local options = part "shared/options";

-- Those of Chrome, Edge, Firefox and Safari, and of the browsers that are made from them.
local default_services = { "fcm.googleapis.com", "*.notify.windows.com", "*.push.services.mozilla.com", "*.push.apple.com" };

-- Push services keep nothing for longer than some weeks, and RFC 8030 has no limit.
local max_time_to_live = 30 * 86400;

local function contact(value)
	if type(value) ~= "string" or value:find("[%c%s]") then return nil; end
	if value:match("^mailto:[^@]+@[^@]+$") or value:match("^https://[^/]+") then return value; end
end

local function time_to_live(value)
	value = options.integer(0)(value);
	return value and value <= max_time_to_live and value or nil;
end

-- An origin as browsers write it.
local function origin(value)
	value = value:lower();
	if value == "*" or value:match("^https?://[%w.-]+$") or value:match("^https?://[%w.-]+:%d+$") then return value; end
end

---@class web_push_options
---@field contact string
---@field content "full"|"sender"|"none"
---@field time_to_live integer
---@field services string[]
---@field origins string[]

---@param library push_library
---@return web_push_options
local function read(library)
	local values = options.read {
		contact = { "web_push_contact", contact, "an address such as \"mailto:admin@example.com\" or \"https://example.com/contact\"",
			default_contact() };
		content = { "web_push_content", options.one_of("full", "sender", "none"), [["full", "sender" or "none"]], "full" };
		time_to_live = { "web_push_ttl", time_to_live, "a whole number of seconds from 0 to "..max_time_to_live, 2 * 86400 };
	};
	values.services = options.read_list("web_push_services", function (entry)
		return library.is_push_service(entry) and entry or nil;
	end, "hosts of push services", "fcm.googleapis.com", "no host name") or default_services;
	values.origins = options.read_list("web_push_origins", origin, "origins of web pages", "https://chat.example.com", "no origin") or {};
	return values;
end

return { read = read };
