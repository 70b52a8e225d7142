-- Whom a push service may write to when it has trouble with us (RFC 8292, section 2.1), where the operator has not said.
--
-- This file is MIT/X11 licensed.

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names

-- The addresses that a server publishes (XEP-0157), the fitting ones first.
local kinds = { "admin", "support", "abuse", "security", "feedback", "status", "sales" };

local function published()
	local contact_info = module:get_option("contact_info");
	if type(contact_info) ~= "table" then return nil; end
	for _, kind in ipairs(kinds) do
		local addresses = contact_info[kind];
		for _, address in ipairs(type(addresses) == "table" and addresses or { addresses }) do
			if type(address) == "string" and (address:match("^mailto:%S+@%S+$") or address:match("^https://%S+$")) then return address; end
		end
	end
end

local function first_admin()
	local admins = module:get_option_array("admins", {});
	local jid = type(admins[1]) == "string" and jid_bare(admins[1]);
	return jid and jid:find("@", 1, true) and "mailto:"..jid or nil;
end

local function default()
	return published() or first_admin() or "https://"..module.host.."/";
end

return { default = default };
