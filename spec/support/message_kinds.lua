-- The kinds of messages that the engine's tests and the specs have in common, with whether each is worth a push.

local xml = require "util.xml";

local path = "crate/core/tests/fixtures/message_kinds.xml";

local message_kinds = {};

local function read_kind(element)
	local push = element.attr["push-from-client"] or element.attr.push;
	assert(push == "yes" or push == "no", "push is yes or no");
	local children = {};
	for _, child in ipairs(element.tags) do
		table.insert(children, tostring(child));
	end
	return { name = assert(element.attr.name, "a kind has a name"), is_pushed = push == "yes", children = table.concat(children) };
end

-- All kinds, as messages that a client sends to a room: the name of each, its children as XML, and whether it is pushed.
function message_kinds.of_room(room)
	local file = assert(io.open(path, "rb"));
	local text = file:read("*a"):gsub("{room}", (room:gsub("%%", "%%%%")));
	file:close();
	local kinds = {};
	for section in assert(xml.parse(text)):childtags("section") do
		for kind in section:childtags("kind") do
			table.insert(kinds, read_kind(kind));
		end
	end
	assert(#kinds > 0, "there are kinds of messages in " .. path);
	return kinds;
end

return message_kinds;
