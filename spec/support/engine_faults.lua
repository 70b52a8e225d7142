-- A library whose engine fails on demand: set as `muc_cloud_notify_library` of a MUC service. `make faults` builds it.

local prosody = require "harness.prosody";

local engine_faults = { library = prosody.root .. "/.test/faults/muc_cloud_notify.so" };

-- Every call of a method of the engine fails from now on; none does where no method is given. kind: "error" or "panic"
function engine_faults.break_method(server, method, kind)
	server:admin("package.loadlib(..., 'luaopen_muc_cloud_notify')().fault(select(2, ...))", engine_faults.library, method, kind);
end

return engine_faults;
