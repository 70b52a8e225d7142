-- Draws the chart with gnuplot.

local chart = {};

local script = [=[
set terminal svg size 900,360 dynamic background rgb "white" font "sans-serif,12"
set output "%s"
set multiplot layout 1,2
set border 3
set tics nomirror out
set grid ytics lt 1 lc rgb "#dddddd"
set yrange [0:*]
set key top left vertical Left reverse samplen 1.5
set offsets 0, 0, graph 0.25, 0

set title "CPU of the server per push, in µs"
set style data histograms
set style histogram clustered gap 1
set style fill solid 1 noborder
set boxwidth 0.9
set xtics scale 0
plot $pushes using 2:xtic(1) title "floor" lc rgb "#9aa5b1", "" using 3 title "module" lc rgb "#2f6f9f"

set title "Module in the broadcast hook, in µs"
set xlabel "affiliations of the room"
set xtics scale 1
set logscale x
set format x "10^{%%T}"
plot %s
unset multiplot
]=];

local colours = { "#2f6f9f", "#d98a29", "#5b8f5b" };

local function median(results, id, version)
	local result = results.by_id[id];
	local value = result and result.values[version];
	return value and string.format("%.3f", value.median) or "?";
end

local function data(name, lines)
	return string.format("$%s << EOD\n%s\nEOD\n", name, table.concat(lines, "\n"));
end

-- Returns true, or nil and why there is none.
function chart.draw(results, path)
	if not results.by_id.cpu_push or not results.by_id["hook_" .. results.sizes.rooms[1]] then
		return nil, "what it shows was not measured";
	end
	local pushes, curves, blocks = {}, {}, {};
	for i, version in ipairs(results.versions) do
		table.insert(pushes, string.format("\"Prosody %s\" %s %s", version, median(results, "cpu_floor", version), median(results, "cpu_push", version)));
		local lines = {};
		for _, size in ipairs(results.sizes.rooms) do
			table.insert(lines, string.format("%d %s", size, median(results, "hook_" .. size, version)));
		end
		table.insert(blocks, data("rooms" .. i, lines));
		table.insert(curves, string.format("$rooms%d using 1:2 with linespoints pt 7 ps 0.6 lw 2 lc rgb \"%s\" title \"Prosody %s\"",
			i, colours[(i - 1) % #colours + 1], version));
	end
	local text = "set datafile missing \"?\"\n" .. data("pushes", pushes) .. table.concat(blocks)
		.. string.format(script, path, table.concat(curves, ", "));
	local gnuplot = io.popen("gnuplot", "w");
	gnuplot:write(text);
	return gnuplot:close();
end

return chart;
