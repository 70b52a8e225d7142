-- Whether a module has been enabled where it belongs: under a MUC component.
--
-- This file is MIT/X11 licensed.

-- Returns whether it has been. Where it has not, the log and the module's status say so.
local function check()
	if module:get_host_type() ~= "component" then
		module:log_status("error", "mod_%s belongs under a MUC component, not under a host: see the README", module.name);
		return false;
	elseif not prosody.hosts[module.host].modules.muc then
		module:log_status("error", "mod_%s belongs under a MUC component (Component \"%s\" \"muc\"): see the README", module.name, module.host);
		return false;
	end
	return true;
end

return { check = check };
