-- Statements of SQL on a database, by LuaDBI.

local sql = {};

-- Runs a statement on a connection, which it closes. Returns the rows of a SELECT. pragma: a statement that is run before, nil for none
function sql.execute(connection, pragma, statement, ...)
	connection:autocommit(true);
	if pragma then
		local prepared = assert(connection:prepare(pragma));
		assert(prepared:execute());
		prepared:close();
	end
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

return sql;
