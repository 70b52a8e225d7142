-- Statements of SQL on a database, by LuaDBI.

local sql = {};

local function run(connection, statement, ...)
	local prepared = assert(connection:prepare(statement));
	assert(prepared:execute(...));
	local rows = {};
	if statement:find("^SELECT") then
		for row in prepared:rows(true) do
			table.insert(rows, row);
		end
	end
	prepared:close();
	return rows;
end

-- Runs a statement on a connection, which it closes, also where that fails: what it has locked would stay so. Returns the rows of a
-- SELECT.
function sql.execute(connection, statement, ...)
	connection:autocommit(true);
	local ok, result = pcall(run, connection, statement, ...);
	connection:close();
	if not ok then error(result, 0); end
	return result;
end

return sql;
