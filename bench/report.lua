-- Shows what was measured: on the screen, as JSON, and as a document with a chart.

local json = require "util.json";
local lfs = require "lfs";

local chart = require "bench.chart";
local results = require "bench.results";
local files = require "harness.files";

local report = {};

local notes_start, notes_end = "<!-- notes -->", "<!-- /notes -->";

local servers = {}; -- { version =, full =, lua = }

function report.about(version, full_version, lua_version)
	table.insert(servers, { version = version, full = full_version, lua = lua_version });
end

-- The first line of what a command says.
local function ask(command)
	local pipe = io.popen(command .. " 2>/dev/null", "r");
	local line = pipe:read("*l");
	pipe:close();
	return line;
end

-- Where and of what it was measured. Nothing that names this machine or its folders.
local function provenance(options)
	local cpuinfo = files.read("/proc/cpuinfo") or "";
	local _, cores = cpuinfo:gsub("processor%s*:", "");
	local git = "git -C '" .. options.root .. "' ";
	local commit = ask(git .. "rev-parse --short=12 HEAD");
	local is_changed = ask(git .. "status --porcelain -- . ':!docs/performance.md' ':!docs/performance.svg'") ~= nil;
	local kilobytes = (files.read("/proc/meminfo") or ""):match("MemTotal:%s*(%d+)");
	return {
		cpu = cpuinfo:match("model name%s*:%s*([^\n]+)") or "unknown";
		cores = cores;
		memory_gib = kilobytes and math.floor(tonumber(kilobytes) / 2^20 + 0.5);
		kernel = ask("uname -sr");
		rust = ask("rustc --version"):match("^rustc (%S+)");
		servers = servers;
		commit = commit and commit .. (is_changed and ", with changes that are not committed" or "") or "none";
		date = os.date("!%Y-%m-%d");
		seconds = math.floor(options.seconds + 0.5);
		sizes = options.measured.sizes;
	};
end

local function rows(measured)
	local list = {};
	for _, result in ipairs(measured.list) do
		local row = { result.text, results.bar(result) };
		for _, version in ipairs(measured.versions) do
			table.insert(row, results.value(result, version));
		end
		table.insert(row, results.met(result, measured.versions));
		table.insert(list, row);
	end
	return list;
end

local function header(measured)
	local titles = { "", "bar" };
	for _, version in ipairs(measured.versions) do
		table.insert(titles, version);
	end
	table.insert(titles, "met?");
	return titles;
end

local function pad(text, width)
	return text .. (" "):rep(width - utf8.len(text));
end

local function print_table(measured)
	local list = rows(measured);
	table.insert(list, 1, header(measured));
	local widths = {};
	for _, row in ipairs(list) do
		for i, text in ipairs(row) do
			widths[i] = math.max(widths[i] or 0, utf8.len(text));
		end
	end
	print();
	for i, row in ipairs(list) do
		local cells = {};
		for j, text in ipairs(row) do
			cells[j] = pad(text, widths[j]);
		end
		print((table.concat(cells, "  "):gsub("%s+$", "")));
		if i == 1 then
			local total = -2;
			for _, width in ipairs(widths) do total = total + width + 2; end
			print(("─"):rep(total));
		end
	end
end

local function markdown_table(measured)
	local lines = { "| " .. table.concat(header(measured), " | ") .. " |", "|" .. ("---|"):rep(#measured.versions + 3) };
	for _, row in ipairs(rows(measured)) do
		row[#row] = row[#row] == "no" and "**no**" or row[#row];
		table.insert(lines, "| " .. table.concat(row, " | ") .. " |");
	end
	return table.concat(lines, "\n");
end

-- What is written by hand in a document, to be kept.
local function notes_of(text)
	local _, from = (text or ""):find(notes_start, 1, true);
	local to = from and text:find(notes_end, from, true);
	return to and text:sub(from + 1, to - 1) or "\n";
end

local function document(measured, about, notes, chart_name)
	local names = {};
	for _, server in ipairs(about.servers) do
		table.insert(names, string.format("Prosody %s (%s)", server.full, server.lua));
	end
	return table.concat({
		"# What a push costs";
		"";
		"Written by `make bench`, which measures all of this anew; only the notes at the end are by hand.";
		"";
		string.format("Measured on %s (%s, %d cores, %s GiB, %s) with %s and Rust %s, at commit %s, in %d minutes.",
			about.date, about.cpu, about.cores, about.memory_gib or "?", about.kernel, table.concat(names, ", "), about.rust or "?", about.commit,
			math.ceil(about.seconds / 60));
		"";
		"Real servers on loopback, with an external app server component that answers every push. A value is the median of its"
			.. " repetitions, with the least and the greatest of them, or the quartiles where there are dozens, after it. Both"
			.. " sides of a ratio were measured by turns in the same process. CPU is that of the server's process alone, as the"
			.. " kernel counts it. The floor is the same server that sends the very same IQs, prebuilt, in bursts of 100 from a"
			.. " bare Lua loop, and takes in the answers. Memory is what is resident, file pages aside, after all garbage was given back.";
		"";
		markdown_table(measured);
		"";
		chart_name and string.format("![CPU per push, and time in the broadcast hook by size of the room](%s)\n", chart_name) or "";
		"## Notes";
		"";
		notes_start .. notes .. notes_end;
	}, "\n") .. "\n";
end

local function make_folders(root, path)
	for part in path:gmatch("[^/]+") do
		root = root .. "/" .. part;
		lfs.mkdir(root);
	end
	return root;
end

-- options: measured, is_quick, problems, root, seconds
function report.write(options)
	local measured, root = options.measured, options.root;
	local about = provenance(options);
	print_table(measured);
	if options.is_quick then
		print("Only to show that the benchmark works: the numbers of devices are too small to say anything about the bars.");
	end
	print();

	local folder = make_folders(root, options.is_quick and "target/bench/quick" or "target/bench");
	local result = { about = about, results = measured.list, problems = options.problems[1] and options.problems };
	files.write(folder .. "/result.json", json.encode(result) .. "\n");
	-- What could not be measured, or should not have come out like this, is nothing to publish.
	local is_complete = #options.problems == 0 and not options.is_quick and not os.getenv("PROSODY_VERSIONS") and not os.getenv("ROWS");
	local shown = is_complete and make_folders(root, "docs") or folder;
	local has_chart, err = chart.draw(measured, shown .. "/performance.svg");
	if not has_chart then
		table.insert(options.problems, "there is no chart: " .. tostring(err));
	end
	local path = shown .. "/performance.md";
	files.write(path, document(measured, about, notes_of(files.read(root .. "/docs/performance.md")), has_chart and "performance.svg"));
	print(string.format("Written: %s and %s", folder:sub(#root + 2) .. "/result.json", path:sub(#root + 2)));
	for _, problem in ipairs(options.problems) do
		print("Problem: " .. problem);
	end
end

return report;
