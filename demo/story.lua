-- The demo: plays the scenes on a real server, and ends with status 0 if all came as expected.
--
-- Arguments: --keep  stay up at the end; --terminal  somebody is watching; --colour

local loop = require "harness.loop";

local narrator = require "demo.narrator";
local scenes = require "demo.scenes";
local stage = require "demo.stage";

local pause = 0.3; -- seconds between scenes, for viewers

local options = {};
for _, argument in ipairs(arg) do
	options[argument:match("^%-%-(%a+)$")] = true;
end

local say = narrator.new { colour = options.colour };

local function is_interrupt(problem)
	return type(problem) == "string" and problem:find("interrupted!", 1, true) ~= nil;
end

local function play(on)
	on:introduce();
	for number, scene in ipairs(scenes) do
		if options.terminal then
			loop.pause(pause);
		end
		say:scene(number, scene.title, scene.explanation);
		scene.play(on);
	end
end

local function tell_of(on, problem)
	say:problem(problem);
	if on then
		say:conclusion("The end of the server's log:", "strong");
		say:verbatim(on:log_tail(12));
	end
	say:conclusion("The demo has failed." .. (on and not options.keep and " KEEP=1 keeps the server up to be looked at." or ""), "bad");
end

-- Returns the exit status.
local function main()
	local ok, on = pcall(stage.open, say);
	local problem = not ok and on or nil;
	if ok then
		ok, problem = pcall(play, on);
	else
		on = nil;
	end
	if ok then
		say:conclusion(string.format("%d pushes in %d scenes, all as expected.", on.push_count, #scenes), "good");
		say:paragraph("", "To go on: README.md says how to install the module (Installation), what can be set (Options) and"
			.. " what app servers get to know (Privacy).");
	elseif is_interrupt(problem) then
		return 130;
	else
		tell_of(on, problem);
	end
	if on and options.keep then
		local _, why = pcall(on.stay, on);
		if not is_interrupt(why) then
			say:conclusion("The server has ended.");
		end
	elseif ok then
		ok, problem = pcall(on.close, on);
		if not ok then
			tell_of(nil, problem);
		end
	end
	return ok and 0 or 1;
end

local status = main();
stage.close_all();
os.exit(status, true);
