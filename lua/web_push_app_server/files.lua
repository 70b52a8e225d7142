-- Serves what a web page needs to have push notifications: see the files in web_push/.
--
-- This file is MIT/X11 licensed.

local names = { "converse.js", "web_push.js", "worker.js" };

-- Returns the files as routes for mod_http, or nil and the name of one that is missing.
local function read()
	local routes = {};
	for _, name in ipairs(names) do
		local file = io.open(module:get_directory().."/web_push/"..name, "rb");
		if not file then return nil, name; end
		local text = file:read("*a");
		file:close();
		routes["GET /"..name] = function (event)
			local headers = event.response.headers;
			headers.content_type = "text/javascript; charset=utf-8";
			headers.cache_control = "no-cache";
			headers.x_content_type_options = "nosniff";
			return text;
		end;
	end
	return routes;
end

return { read = read };
