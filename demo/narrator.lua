-- Prints the story: what everybody does, and what comes of it.

local width = 100;
local indent = "     ";
local column = 11; -- width of the names in front of each line

local styles = { strong = "1", faint = "2", bad = "31", good = "32", push = "33" };

local narrator = {};

local narrator_methods = {};
local narrator_mt = { __index = narrator_methods };

-- options: colour
function narrator.new(options)
	io.stdout:setvbuf("line");
	return setmetatable({ colour = options.colour }, narrator_mt);
end

local function columns(text)
	return utf8.len(text) or #text;
end

local function pad(text, to)
	return text .. (" "):rep(to - columns(text));
end

-- The lines of a text, broken between words; only a word that is too long for a line makes a longer one.
local function wrap(text, room)
	local lines, line = {}, nil;
	for word in text:gmatch("%S+") do
		if line and columns(line) + 1 + columns(word) <= room then
			line = line .. " " .. word;
		else
			table.insert(lines, line);
			line = word;
		end
	end
	table.insert(lines, line);
	return lines;
end

function narrator_methods:paint(style, text)
	if not self.colour or not style then return text; end
	return string.format("\27[%sm%s\27[0m", styles[style], text);
end

function narrator_methods.blank()
	print();
end

-- A paragraph, the first line of which starts with `first`, the others with as many spaces.
function narrator_methods:paragraph(first, text, style)
	local rest = (" "):rep(columns(first));
	for i, line in ipairs(wrap(text, width - #rest)) do
		print((i == 1 and first or rest) .. self:paint(style, line));
	end
end

-- Lines as they are.
function narrator_methods:verbatim(text, style)
	for line in text:gmatch("[^\n]+") do
		self:paragraph(indent .. "  ", (line:gsub("\t", " ")), style);
	end
end

function narrator_methods:title(text)
	self:paragraph("", text, "strong");
end

-- What a name stands for.
function narrator_methods:term(name, text)
	self:paragraph("  " .. pad(name, column), text);
end

function narrator_methods:scene(number, title, explanation)
	print();
	self:paragraph(string.format("%3d. ", number), title, "strong");
	self:paragraph(indent, explanation, "faint");
end

local function line(self, who, mark, text, style)
	self:paragraph(indent .. pad(who, column) .. mark .. " ", text, style);
end

function narrator_methods:says(who, text)
	line(self, who, "»", text);
end

function narrator_methods:hears(who, text)
	line(self, who, "«", text);
end

function narrator_methods:does(who, text)
	line(self, who, "*", text, "faint");
end

-- A push, and how many seconds after the message; or something else that has come, with what it has come to.
function narrator_methods:push(text, seconds, where)
	local after = string.format("%.1f s", seconds);
	if seconds < 0.001 then
		after = "< 1 ms";
	elseif seconds < 1 then
		after = string.format("%.0f ms", seconds * 1000);
	end
	-- Not to be torn apart.
	line(self, where or "push", "→", text .. "  (" .. after:gsub(" ", "\u{A0}") .. ")", "push");
end

function narrator_methods:no_push(where)
	line(self, where or "push", "·", "none", "push");
end

function narrator_methods:refuses(who, text)
	line(self, who, "✗", text, "bad");
end

function narrator_methods:log(text)
	line(self, "log", "|", text, "bad");
end

function narrator_methods:conclusion(text, style)
	print();
	self:paragraph("", text, style);
end

-- What was expected and what came instead, or what else went wrong.
function narrator_methods:problem(problem)
	print();
	if type(problem) == "table" and problem.expected then
		self:paragraph(indent, "This is not as it should be.", "bad");
		self:paragraph(indent .. "  expected:  ", problem.expected);
		self:paragraph(indent .. "  came:      ", problem.came);
	else
		self:paragraph(indent, "Something went wrong.", "bad");
		self:verbatim(tostring(problem));
	end
end

return narrator;
