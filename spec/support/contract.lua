-- A contract between Lua files and a library, which is a file of annotations: what it declares, and its number, which stands for one
-- text.

local sha256 = require "util.hashes".sha256;

local files = require "harness.files";
local prosody = require "harness.prosody";

local contract = {};

local contract_methods = {};
local contract_mt = { __index = contract_methods };

-- path: from the root; source: the file of the library that has the number too, likewise
function contract.read(path, source)
	local number = assert(loadfile(prosody.root .. "/" .. path))().contract;
	local text, numbers = assert(files.read(prosody.root .. "/" .. path)):gsub("contract = %d+", "contract");
	assert(numbers == 1, "the contract has one number");
	local digest = sha256(text, true);
	return setmetatable({
		number = number, text = text; -- without the number
		digest = digest;
		advice = ("The contract has changed. Raise its number, both in %s and in %s, and write the new number here with the new digest, %s")
			:format(path, source, digest);
	}, contract_mt);
end

-- The functions that it declares for a class. section: the part of its text to look at, nil for the whole
function contract_methods:declared(class, section)
	local names = {};
	for name in (section or self.text):gmatch("\nfunction " .. class .. "[.:]([%w_]+)%(") do table.insert(names, name); end
	table.sort(names);
	return names;
end

-- The names of the functions among some values.
function contract.functions_of(values)
	local names = {};
	for name, value in pairs(values) do
		if type(value) == "function" then table.insert(names, name); end
	end
	table.sort(names);
	return names;
end

return contract;
