/** The app server's view: its devices, and the pushes to them. */

const list = document.querySelector("#pushes");
const none = document.querySelector("#no-pushes");
const devices = document.querySelector("#devices");

const answerTexts = {
	success: "answered with success",
	wait: "answered with an error, wait: asked again later",
	cancel: "answered with an error, cancel",
	silence: "not answered",
};

/** An element with a class and a text. */
function element(name, className, text) {
	const made = document.createElement(name);
	made.className = className;
	made.textContent = text;
	return made;
}

/** How long after the newest message before it a push came; "" if that was not written on this page. */
function timeSinceMessage(at, sentAt) {
	const before = sentAt.filter((sent) => sent <= at);
	if (before.length === 0) return "";
	const milliseconds = at - before.at(-1);
	return milliseconds < 1000
		? `${Math.max(1, Math.round(milliseconds))} ms after the message`
		: `${(milliseconds / 1000).toFixed(1)} s after the message`;
}

/** Adds a push to the list. `sentAt`: when messages were sent. */
export function showPush(push, sentAt) {
	if (list.querySelector(`[data-number="${push.number}"]`)) return; // told again after the feed was interrupted
	const at = push.at * 1000;
	const missed = `${push.count} ${push.count === 1 ? "message" : "messages"} missed`;
	const time = element("time", "", new Date(at).toLocaleTimeString("en-GB"));
	time.dateTime = new Date(at).toISOString();

	const head = element("p", "head", "");
	head.append(element("b", "node", push.node), " ", element("span", "count", missed), " ", time);
	const text = element("p", "text", "");
	text.append(element("span", "sender", push.sender ?? "no sender"), " ", element("span", "body", push.body === undefined ? "no text" : `“${push.body}”`));
	const since = timeSinceMessage(at, sentAt);
	const foot = element("p", "foot", "");
	foot.append(
		element("span", "since", since),
		since && " · ",
		element("span", "answer", answerTexts[push.answer]),
		push.answer === "cancel" ? ` (${push.errors} in a row)` : "",
	);

	const item = element("li", push.answer, "");
	item.dataset.number = push.number;
	item.append(head, text, foot);
	list.prepend(item);
	none.hidden = true;
}

/** Shows the devices, with the errors that the server counts against those of this app server. */
export function showDevices(all, maxErrors) {
	devices.replaceChildren(...all.map((device) => {
		const row = element("tr", device.is_registered ? "" : "unregistered", "");
		const node = element("th", "", device.node);
		node.scope = "row";
		const whereabouts = device.is_away ? "away" : "in the room";
		row.append(
			node,
			element("td", "", device.is_registered ? whereabouts : "not registered"),
			element("td", "errors", device.is_registered && device.errors !== undefined ? `${device.errors} of ${maxErrors}` : "–"),
		);
		return row;
	}));
}
