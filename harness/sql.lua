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
-- SELECT. pragma: a statement that is run before, nil for none
function sql.execute(connection, pragma, statement, ...)
	connection:autocommit(true);
	local ok, result = true, nil;
	if pragma then ok, result = pcall(run, connection, pragma); end
	if ok then ok, result = pcall(run, connection, statement, ...); end
	connection:close();
	if not ok then error(result, 0); end
	return result;
end

return sql;
