-- Blocks of tests that are run once for every version of Prosody, or for each of its storages too. The servers that such a
-- block has started are closed at its end.

local busted = require "busted";

local prosody = require "harness.prosody";

local storages = require "spec.support.storages";

local versions = {};

-- block: a function of the version
function versions.describe(title, block)
	for _, version in ipairs(prosody.versions) do
		busted.describe(title.." on Prosody "..version, function ()
			busted.lazy_teardown(prosody.close_all);
			block(version);
		end);
	end
end

local function describe_storage(title, block, storage)
	versions.describe(string.format("%s with %s storage", title, storage.name), function (version)
		if storage.prepare then busted.lazy_setup(storage.prepare); end
		block(version, storage);
	end);
end

-- block: a function of the version and the storage, see spec.support.storages
function versions.describe_storages(title, block)
	for _, storage in ipairs(storages) do
		describe_storage(title, block, storage);
	end
end

-- The same without PostgreSQL, for what takes long and is Prosody's own way with an SQL database, whichever that is.
function versions.describe_local_storages(title, block)
	for _, storage in ipairs(storages) do
		if not storage.prepare then describe_storage(title, block, storage); end
	end
end

return versions;
