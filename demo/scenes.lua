-- The scenes, in order. Each goes on where the one before it has left everybody.

local loop = require "harness.loop";

local stage = require "demo.stage";

local check = require "demo.words".check;
local attic, den, parlour, square = stage.attic, stage.den, stage.parlour, stage.square;

local scenes = {};

local function scene(title, explanation, play)
	table.insert(scenes, { title = title, explanation = explanation, play = play });
end

scene("Alice registers her phone with the service.",
	"She tells it which app server can wake her phone. Her own server takes no part in it.",
	function (on)
		on:ask_service();
		on:register("Alice");
		on:open_room(den, "for members only", { ["muc#roomconfig_membersonly"] = true }, "Alice");
	end);

scene("Alice is in the room. Bob says something.",
	"She sees it there, so her phone is left alone.",
	function (on)
		on:enters("Alice", den);
		on:say(den, "Hello, Alice!");
		on:hears("Alice", "Hello, Alice!");
		on:no_push();
	end);

scene("Alice has left. Bob says something.",
	"She is still a member, but would not hear of it. So the service sends a push: how many messages she has"
		.. " missed, and a text that gives nothing away.",
	function (on)
		on:leaves("Alice", den);
		on:say(den, "Shall we meet at eight?");
		on:push { count = 1 };
		on:say(den, "Or at nine?");
		on:push { count = 2 };
		on:no_push(true);
	end);

scene("In a public room, Bob mentions Alice.",
	"Public rooms are busy, so only users who are mentioned are woken there. That Alice is in another room changes nothing."
		.. " She has been in the square once, and so agreed that she is a member: otherwise she would hear less of it.",
	function (on)
		on:enters("Alice", den);
		on:open_room(square, "open to everybody", { ["muc#roomconfig_membersonly"] = false }, "Alice");
		on:looks_in(square);
		on:say(square, "What a day.");
		on:no_push();
		on:say(square, "Has alice, of all people, seen it?");
		on:push { count = 1 };
		on:say(square, "What does she think?",
			"<reference xmlns='urn:xmpp:reference:0' type='mention' begin='10' end='13' uri='xmpp:alice@away.example'/>");
		on:push { count = 2 };
		on:no_push(true);
	end);

local photos = 50;
local seconds_between = 0.012;
local seconds_to_answer = 0.15;

local function photo(number)
	return string.format("Look, photo %d of %d", number, photos);
end

-- Bob's messages and the answers of the app server each come at their own pace.
local function flood(on)
	local sent_at, unanswered, counted, pushes = {}, nil, 0, 0;
	local start = loop.now();

	local function send_due()
		while #sent_at < photos and loop.now() >= start + #sent_at * seconds_between do
			table.insert(sent_at, loop.now());
			on.bob:say(den, photo(#sent_at));
		end
	end

	local function show(push)
		local count = math.tointeger(tonumber(push.summary["message-count"]));
		check(count and count > counted and count <= #sent_at, string.format("a push with a count from %d to %d", counted + 1, #sent_at),
			"one with " .. tostring(push.summary["message-count"]));
		for number = counted + 1, count do
			on:bob_sees(photo(number));
		end
		local more = count - counted - 1;
		on.narrator:says("Bob", (more > 0 and string.format("(%d more) ", more) or "") .. photo(count));
		on:show_push(push, sent_at[count]);
		counted, pushes = count, pushes + 1;
	end

	on.answer = "silence"; -- for now: the answer follows
	loop.wait_until(function ()
		send_due();
		local push = on.app:next_push(0);
		if push then
			check(not unanswered, "no push while the one before it is not answered", "another one");
			unanswered = push;
			show(push);
		end
		if unanswered and loop.now() >= unanswered.received_at + seconds_to_answer then
			on.app:reply(unanswered, "result");
			unanswered = nil;
		end
		return counted == photos and not unanswered;
	end, nil, 0.002);
	on.answer = "result";
	check(counted == photos, string.format("a last push that counts all %d messages", photos), string.format("the last one counted %d", counted));
	check(pushes <= photos / 5, string.format("a handful of pushes for %d messages", photos), string.format("%d pushes", pushes));
	on:no_push(true);
	on.narrator:does("push", string.format("%d in all, for %d messages", pushes, photos));
end

scene(string.format("Alice is away, and Bob sends %d messages in a row.", photos),
	string.format("Her phone hears of a room once a second at most, unless she is mentioned. Her app server is slow, too: it takes %g ms"
		.. " for each push. Further messages wait and become one push.", seconds_to_answer * 1000),
	function (on)
		on:looks_in(square);
		on:leaves("Alice", den);
		flood(on);
	end);

scene("Alice comes back for a moment.",
	"What she has seen counts as missed no longer: the count starts again.",
	function (on)
		on:enters("Alice", den);
		on:leaves("Alice", den);
		on:say(den, "Did you like them?");
		on:push { count = 1 };
		on:no_push(true);
	end);

scene("Carol's train goes into a tunnel.",
	"Her connection is cut, and nobody says that she is gone: she looks present for minutes, as her server keeps her session"
		.. " for her. The service is on that server and sees it, so she is pushed to at once, until she is back.",
	function (on)
		on:logs_in("Carol");
		on:register("Carol");
		on:open_room(attic, "for members only", { ["muc#roomconfig_membersonly"] = true }, "Carol");
		on:enters("Carol", attic);
		on:say(attic, "Have a good journey!");
		on:hears("Carol", "Have a good journey!");
		on:no_push();
		on:loses_connection("Carol");
		on:say(attic, "When do you arrive?");
		on:push { count = 1, who = "Carol" };
		on:resumes("Carol");
		on:hears("Carol", "When do you arrive?");
		on:say(attic, "I will be at the station.");
		on:hears("Carol", "I will be at the station.");
		on:no_push();
	end);

scene("Dora closes the tab of her web client.",
	"The app server for browsers comes with the service. It goes by the push service of the browser's maker, which cannot read what it"
		.. " carries (here there is one on loopback), to the browser, which shows a notification though the page is closed. A newer one takes the"
		.. " place of the older one.",
	function (on)
		on:logs_in("Dora", "browser");
		on:subscribes("Dora");
		on:open_room(parlour, "for members only", { ["muc#roomconfig_membersonly"] = true }, "Dora");
		on:enters("Dora", parlour);
		on:say(parlour, "The film starts at eight.");
		on:hears("Dora", "The film starts at eight.");
		on:no_notification();
		on:loses_connection("Dora", "closes the tab, without a word");
		on:say(parlour, "We have kept a seat for you.");
		local first = on:notification("Dora", { title = "Bob in parlour", text = "We have kept a seat for you." });
		on:say(parlour, "Row three, Dora!");
		local second = on:notification("Dora", { title = "Bob in parlour", text = "Row three, Dora!" });
		check(first.headers.topic == second.headers.topic, "the second one takes the place of the first", "it does not");
		on:resumes("Dora", "clicks on it, and has the page again");
		on:hears("Dora", "We have kept a seat for you.");
		on:hears("Dora", "Row three, Dora!");
		on:say(parlour, "There you are!");
		on:hears("Dora", "There you are!");
		on:no_notification();
	end);

scene("The app server is in trouble for a while.",
	string.format("It asks to be tried again later. That is done, after longer and longer pauses (here from %g s on, usually from 10 s on),"
		.. " and nothing is lost: the count is right in the end.", stage.retry_delay),
	function (on)
		on:looks_in(den);
		on.answer = { type = "wait", condition = "internal-server-error", says = "not now" };
		on:say(den, "My train is late.");
		on:push { count = 1 };
		on:say(den, "It will be ten.");
		on:say(den, "Rather eleven.");
		on:any_push();
		on.answer = "result";
		on.narrator:does("app server", "is well again");
		on:push { count = 3 };
		on:no_push(true);
	end);

scene("The server crashes.",
	"Alice need not register again: the service had stored it before it agreed.",
	function (on)
		on:looks_in(den);
		on:crash();
		on:enters("Bob", den);
		on:say(den, "Are you still there?");
		on:push { count = 1 };
		on:no_push(true);
	end);

scene("The app server does not know Alice's phone any more.",
	string.format("After %d such answers in a row (usually 16, see push_max_errors) the service gives up, and informs its operator.", stage.max_errors),
	function (on)
		local lines;
		local log_before = #on.server:log();
		on.answer = { type = "cancel", condition = "item-not-found", says = "no such phone" };
		on:looks_in(den);
		for count, body in ipairs { "Ten it is.", "Ten sharp!", "By the clock." } do
			on:say(den, body);
			on:push { count = count };
		end
		loop.wait_until(function ()
			lines = on:log_lines("warn", log_before);
			return lines[1];
		end, nil, 0.01);
		check(lines and #lines == 1, "one warning in the log of the server", string.format("%d warnings", lines and #lines or 0));
		on.narrator:log("warn: " .. lines[1]);
		on:say(den, "Alice?");
		on:no_push();
		on.answer = "result";
	end);

scene("What the app server gets to know.",
	"Neither the author nor the text of a message, as long as the operator does not allow it. Alice has registered again, for a new start.",
	function (on)
		local text = "The key is under the mat.";
		on:register("Alice");
		on:looks_in(den);
		on:say(den, text);
		local push = on:push { count = 1 };
		local xml = tostring(push.stanza);
		check(not xml:find(text, 1, true) and not xml:find("Bob", 1, true) and not xml:find(den, 1, true),
			"a push without the text, the sender and the room", xml);
		on:set_options { push_notification_with_body = true, push_notification_with_sender = true };
		on:say(den, text);
		on:push { count = 2, body = text, sender = den .. "/Bob" };
		on:no_push(true);
	end);

return scenes;
