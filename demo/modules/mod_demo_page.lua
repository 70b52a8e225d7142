-- Serves the demo's page, Converse.js, and what the page has to know: its users, their room and their app server.
-- For the demo and the browser tests only.
--
-- Options: demo_page_folders, from the path that is asked for to the folder that is served there; demo_page_setup,
-- what /setup.json says.
--
-- This file is MIT/X11 licensed.

local json = require "util.json"; -- COMPAT 0.12: no prosody.* names
local serve = require "net.http.files".serve;

module:depends "http";

local mime_map = {
	css = "text/css; charset=utf-8";
	html = "text/html; charset=utf-8";
	js = "text/javascript; charset=utf-8";
	json = "application/json";
	png = "image/png";
	svg = "image/svg+xml";
	wasm = "application/wasm";
	woff2 = "font/woff2";
};

local setup = json.encode(module:get_option("demo_page_setup") or {});

local route = {
	["GET /setup.json"] = function (event)
		event.response.headers.content_type = mime_map.json;
		event.response.headers.cache_control = "no-store";
		return setup;
	end;
};
for path, folder in pairs(module:get_option("demo_page_folders")) do
	route["GET "..path.."*"] = serve { path = folder, mime_map = mime_map };
end

module:provides("http", { default_path = "/", route = route });
