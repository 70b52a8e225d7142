-- Prosody's storage modules, from outside of the server: what is in them, and how they fail.
--
-- read() and write() are of a user's record in this module's store, as a table. Each way to break a store
-- returns the function that mends it.

local dbi = require "DBI";
local json = require "util.json";
local lfs = require "lfs";
local serialization = require "util.serialization";

local files = require "harness.files";
local loop = require "harness.loop";

local service = "conference.localhost";

-- What the server has read just now it may keep for a moment.
local function let_a_moment_pass(server)
	if server:is_running() then loop.wait_until(function () end, 0.02); end
end

local function encode(text)
	return (text:gsub("%W", function (c) return string.format("%%%02x", c:byte()); end));
end

local storages = {};

local internal = { name = "internal" };
table.insert(storages, internal);

function internal.path(server, user)
	return string.format("%s/%s/muc_cloud_notify/%s.dat", server.data_dir, encode(service), encode(user));
end

function internal.read_raw(server, user)
	return files.read(internal.path(server, user));
end

function internal.write_raw(server, user, text)
	lfs.mkdir((internal.path(server, user):gsub("/[^/]*$", "")));
	files.write(internal.path(server, user), text);
	let_a_moment_pass(server);
end

function internal.remove(server, user)
	assert(os.remove(internal.path(server, user)));
end

function internal.read(server, user)
	local text = internal.read_raw(server, user);
	return text and assert(load(text, "=record", "t", {}))();
end

function internal.write(server, user, record)
	internal.write_raw(server, user, "return " .. serialization.serialize(record) .. ";\n");
end

function internal.break_reads(server, user)
	local before = internal.read_raw(server, user);
	local broken = (before or "return {};") .. "}";
	internal.write_raw(server, user, broken);
	return function ()
		assert(internal.read_raw(server, user) == broken, "what cannot be read was replaced");
		if before then
			internal.write_raw(server, user, before);
		else
			os.remove(internal.path(server, user));
		end
	end
end

function internal.break_writes(server, user)
	local in_the_way = internal.path(server, user) .. "~";
	lfs.mkdir((in_the_way:gsub("/[^/]*$", "")));
	assert(lfs.mkdir(in_the_way));
	return function ()
		assert(lfs.rmdir(in_the_way));
	end
end

function internal.break_lists(server)
	local folder = internal.path(server, ""):gsub("/[^/]*$", "");
	assert(os.rename(folder, folder .. ".elsewhere"));
	assert(io.open(folder, "w")):close();
	return function ()
		assert(os.remove(folder));
		assert(os.rename(folder .. ".elsewhere", folder));
	end
end

local sql = { name = "sql", global = { storage = "sql", sql = { driver = "SQLite3", database = "prosody.sqlite" } } };
table.insert(storages, sql);

-- Runs a statement of SQL on the server's database, and returns the rows.
local function execute(server, statement, ...)
	local connection = assert(dbi.Connect("SQLite3", server.data_dir .. "/prosody.sqlite"));
	connection:autocommit(true);
	-- The server may be writing just now.
	local wait = assert(connection:prepare("PRAGMA busy_timeout = 5000"));
	assert(wait:execute());
	wait:close();
	local prepared = assert(connection:prepare(statement));
	assert(prepared:execute(...));
	local rows = {};
	if statement:find("^SELECT") then
		for row in prepared:rows(true) do
			table.insert(rows, row);
		end
	end
	prepared:close();
	connection:close();
	return rows;
end

function sql.read(server, user)
	local rows = execute(server, [[SELECT "key", "type", "value" FROM "prosody" WHERE "host" = ? AND "store" = ? AND "user" = ?]],
		service, "muc_cloud_notify", user);
	if not rows[1] then return nil; end
	local record = {};
	for _, row in ipairs(rows) do
		record[row.key] = row.type == "json" and assert(json.decode(row.value)) or row.value;
	end
	return record;
end

function sql.write(server, user, record)
	for key, value in pairs(record) do
		local is_text = type(value) == "string";
		execute(server, [[INSERT INTO "prosody" ("host", "store", "user", "key", "type", "value") VALUES (?, ?, ?, ?, ?, ?)]],
			service, "muc_cloud_notify", user, key, is_text and "string" or "json", is_text and value or json.encode(value));
	end
end

function sql.break_reads(server)
	execute(server, [[ALTER TABLE "prosody" RENAME TO "elsewhere"]]);
	let_a_moment_pass(server);
	return function ()
		execute(server, [[ALTER TABLE "elsewhere" RENAME TO "prosody"]]);
	end
end

sql.break_lists = sql.break_reads;

function sql.break_writes(server)
	execute(server, [[CREATE TRIGGER "refuse" BEFORE INSERT ON "prosody" WHEN NEW."store" = 'muc_cloud_notify'
		BEGIN SELECT RAISE(ABORT, 'the disk is full'); END]]);
	execute(server, [[CREATE TRIGGER "refuse too" BEFORE DELETE ON "prosody" WHEN OLD."store" = 'muc_cloud_notify'
		BEGIN SELECT RAISE(ABORT, 'the disk is full'); END]]);
	return function ()
		execute(server, [[DROP TRIGGER "refuse"]]);
		execute(server, [[DROP TRIGGER "refuse too"]]);
	end
end


-- One record that cannot be read, also after a restart.
internal.garble = internal.break_reads;

function sql.garble(server, user)
	local function set_type(from, to)
		execute(server, [[UPDATE "prosody" SET "type" = ? WHERE "type" = ? AND "host" = ? AND "store" = ? AND "user" = ?]],
			to, from, service, "muc_cloud_notify", user);
	end
	set_type("json", "broken");
	return function ()
		set_type("broken", "json");
	end
end

-- After failed writes: LuaDBI reports the failure of a statement once more when it is used again.
function internal.recover()
end

function sql.recover(request)
	request();
end

return storages;
