-- Prosody's storage modules, from outside of the server: what is in them, and how they fail.
--
-- read() and write() are of a user's record in this module's store, as a table. Each way to break a store
-- returns the function that mends it. `global` are the options of a server that has the storage; of a storage that has
-- prepare(), they are there after that, and others after each further one.

local json = require "util.json";
local lfs = require "lfs";
local serialization = require "util.serialization";

local files = require "harness.files";
local loop = require "harness.loop";
local postgresql = require "harness.postgresql";

local service = "conference.localhost";

-- What the server has read just now it may keep for a moment.
local function let_a_moment_pass(server)
	if server:is_running() then loop.pause(0.02); end
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

-- Writes many: records by user.
function internal.write_all(server, records)
	for user, record in pairs(records) do internal.write(server, user, record); end
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

-- name: nil for what is of the host itself; host: nil for the service
function internal.record_path(server, store, name, host)
	return string.format("%s/%s/%s.dat", server.data_dir, encode(host or service), name and store .. "/" .. encode(name) or store);
end

-- The names of all records of a store, in their order.
function internal.names(server, store)
	local names = {};
	for file in lfs.dir(string.format("%s/%s/%s", server.data_dir, encode(service), store)) do
		local name = file:match("^(.*)%.dat$");
		if name then
			table.insert(names, (name:gsub("%%(%x%x)", function (code) return string.char(tonumber(code, 16)); end)));
		end
	end
	table.sort(names);
	return names;
end

-- What is in a record, as it is; nil where there is none.
function internal.record(server, store, name)
	return files.read(internal.record_path(server, store, name));
end

-- Makes a record what it may be after a power cut.
function internal.damage(server, store, name, host)
	local path = internal.record_path(server, store, name, host);
	local before = assert(files.read(path));
	files.write(path, "");
	return function ()
		assert(files.read(path) == "", "what is empty was replaced");
		files.write(path, before);
	end
end

-- A storage in an SQL database. dialect: { execute(server, statement, ...) = runs a statement on the server's database, and
-- returns the rows of a SELECT; refuse(server, event) = makes it refuse an event of this module's store, "INSERT" or
-- "DELETE", and returns how to end that }
local function new_sql(name, dialect)
	local storage = { name = name };
	local execute = dialect.execute;

	function storage.read(server, user)
		local rows = execute(server, [[SELECT "key", "type", "value" FROM "prosody" WHERE "host" = ? AND "store" = ? AND "user" = ?]],
			service, "muc_cloud_notify", user);
		if not rows[1] then return nil; end
		local record = {};
		for _, row in ipairs(rows) do
			record[row.key] = row.type == "json" and assert(json.decode(row.value)) or row.value;
		end
		return record;
	end

	function storage.write(server, user, record)
		for key, value in pairs(record) do
			local is_text = type(value) == "string";
			execute(server, [[INSERT INTO "prosody" ("host", "store", "user", "key", "type", "value") VALUES (?, ?, ?, ?, ?, ?)]],
				service, "muc_cloud_notify", user, key, is_text and "string" or "json", is_text and value or json.encode(value));
		end
	end

	-- Writes many, some with each statement.
	function storage.write_all(server, records)
		local values, arguments = {}, {};
		local function flush()
			if not values[1] then return; end
			execute(server, [[INSERT INTO "prosody" ("host", "store", "user", "key", "type", "value") VALUES ]] .. table.concat(values, ", "),
				table.unpack(arguments));
			values, arguments = {}, {};
		end
		for user, record in pairs(records) do
			for key, value in pairs(record) do
				table.insert(values, "(?, 'muc_cloud_notify', ?, ?, 'json', ?)");
				for _, argument in ipairs { service, user, key, json.encode(value) } do table.insert(arguments, argument); end
				if #values == 50 then flush(); end
			end
		end
		flush();
	end

	function storage.names(server, store)
		local names = {};
		for _, row in ipairs(execute(server, [[SELECT DISTINCT "user" FROM "prosody" WHERE "host" = ? AND "store" = ?]], service, store)) do
			table.insert(names, row.user);
		end
		table.sort(names);
		return names;
	end

	function storage.record(server, store, key)
		local rows = execute(server, [[SELECT "value" FROM "prosody" WHERE "host" = ? AND "store" = ? AND "user" = ?]], service, store, key);
		return rows[1] and rows[1].value;
	end

	function storage.damage(server, store, key, host)
		local statement = [[UPDATE "prosody" SET "type" = ? WHERE "type" = ? AND "host" = ? AND "store" = ? AND "user" = ?]];
		execute(server, statement, "broken", "string", host or service, store, key);
		return function ()
			execute(server, statement, "string", "broken", host or service, store, key);
		end
	end

	function storage.break_reads(server)
		execute(server, [[ALTER TABLE "prosody" RENAME TO "elsewhere"]]);
		let_a_moment_pass(server);
		return function ()
			execute(server, [[ALTER TABLE "elsewhere" RENAME TO "prosody"]]);
		end
	end

	storage.break_lists = storage.break_reads;

	function storage.break_writes(server)
		local accept_insert, accept_delete = dialect.refuse(server, "INSERT"), dialect.refuse(server, "DELETE");
		return function ()
			accept_insert();
			accept_delete();
		end
	end

	function storage.garble(server, user)
		local function set_type(from, to)
			execute(server, [[UPDATE "prosody" SET "type" = ? WHERE "type" = ? AND "host" = ? AND "store" = ? AND "user" = ?]],
				to, from, service, "muc_cloud_notify", user);
		end
		set_type("json", "broken");
		return function ()
			set_type("broken", "json");
		end
	end

	-- LuaDBI reports the failure of a statement once more when it is used again.
	function storage.recover(request)
		request();
	end

	table.insert(storages, storage);
	return storage;
end

local sqlite = {};

local execute_in_file = [[
	local module_path, path = ...;
	collectgarbage(); -- a query that was not read to its end keeps SQLite from committing until it is collected
	local connection = assert(require "DBI".Connect("SQLite3", path));
	return assert(loadfile(module_path))().execute(connection, select(3, ...));
]];

-- A server that runs does it itself, between two transactions of its own: SQLite would refuse what it writes in the middle of another
-- process's, and then LuaDBI reports a failure of all that follows.
function sqlite.execute(server, ...)
	local module_path, path = package.searchpath("harness.sql", package.path), server.data_dir .. "/prosody.sqlite";
	if server:is_running() then return server:admin(execute_in_file, module_path, path, ...); end
	return assert(load(execute_in_file))(module_path, path, ...);
end

function sqlite.refuse(server, event)
	sqlite.execute(server, string.format([[CREATE TRIGGER "refuse %s" BEFORE %s ON "prosody" WHEN %s."store" = 'muc_cloud_notify'
		BEGIN SELECT RAISE(ABORT, 'the disk is full'); END]], event, event, event == "INSERT" and "NEW" or "OLD"));
	return function ()
		sqlite.execute(server, string.format([[DROP TRIGGER "refuse %s"]], event));
	end
end

new_sql("sql", sqlite).global = { storage = "sql", sql = { driver = "SQLite3", database = "prosody.sqlite" } };

local on_postgresql = {};

function on_postgresql.execute(server, statement, ...)
	return postgresql.shared():execute(server.options.global.sql.database, statement, ...);
end

function on_postgresql.refuse(server, event)
	on_postgresql.execute(server, [[CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE 'the disk is full'; END $$]]);
	on_postgresql.execute(server, string.format([[CREATE TRIGGER "refuse %s" BEFORE %s ON "prosody" FOR EACH ROW
		WHEN (%s."store" = 'muc_cloud_notify') EXECUTE FUNCTION refuse()]], event, event, event == "INSERT" and "NEW" or "OLD"));
	return function ()
		on_postgresql.execute(server, string.format([[DROP TRIGGER "refuse %s" ON "prosody"]], event));
	end
end

local in_postgresql = new_sql("postgresql", on_postgresql);

function in_postgresql.prepare()
	in_postgresql.global = postgresql.shared():new_database();
end

-- One record that cannot be read, also after a restart.
internal.garble = internal.break_reads;

-- After failed writes.
function internal.recover()
end

return storages;
