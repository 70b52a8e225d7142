/** The demo's page: two users, what their app server sees, and what is notified. */

import { Notifications } from "./notifications.js";
import { User } from "./users.js";
import { showDevices, showPush } from "./app-server.js";

const setup = await (await fetch("setup.json")).json();

const problem = document.querySelector("#problem");
const membersOnly = document.querySelector("#members-only");
const showsText = document.querySelector("#shows-text");
const answers = [...document.querySelectorAll("[data-answer]")];

document.querySelector("#max-errors").textContent = setup.max_errors;

/** When messages were sent by somebody on this page, in milliseconds. */
const sentAt = [];

const users = {};
const notifications = new Notifications(setup, (username) => users[username].open());
const notified = document.querySelector("#notifications");
const remedy = document.querySelector("#remedy");

function tellOfNotifications() {
	notified.textContent = notifications.text;
	remedy.textContent = notifications.remedy;
	remedy.hidden = !notifications.remedy;
}

await notifications.examine();
tellOfNotifications();
remedy.addEventListener("click", async () => {
	remedy.disabled = true;
	notified.textContent = "asking the browser, and its push service …";
	await notifications.ask();
	remedy.disabled = false;
	tellOfNotifications();
	if (notifications.isReal) for (const user of Object.values(users)) user.renew();
});

for (const person of setup.people) {
	const place = document.getElementById(person.username);
	users[person.username] = new User(place, person, setup, notifications, (at) => sentAt.push(at));
}

function tellProblem(text) {
	problem.textContent = text;
	problem.hidden = !text;
}

/** Asks the process of the demo for something. */
async function ask(path, body) {
	try {
		const response = await fetch(setup.feed + path, { method: "POST", body: String(body) });
		tellProblem(response.ok ? "" : "The demo did not understand that.");
	} catch {
		tellProblem("The demo has ended: run make demo again.");
	}
}

for (const button of answers) {
	button.addEventListener("click", () => ask("/answer", button.dataset.answer));
}
for (const [box, path] of [[membersOnly, "/members-only"], [showsText, "/shows-text"]]) {
	box.addEventListener("change", async () => {
		box.setAttribute("aria-busy", "true");
		await ask(path, box.checked);
		box.removeAttribute("aria-busy");
	});
}

const feed = new EventSource(`${setup.feed}/feed`);

feed.addEventListener("open", () => tellProblem(""));
feed.addEventListener("error", () => tellProblem("The demo has ended: run make demo again."));

feed.addEventListener("end", () => notifications.end());

feed.addEventListener("notification", ({ data }) => {
	const { username, push } = JSON.parse(data);
	users[username].take(push);
});

feed.addEventListener("push", ({ data }) => showPush(JSON.parse(data), sentAt));

feed.addEventListener("state", ({ data }) => {
	const state = JSON.parse(data);
	for (const button of answers) {
		button.setAttribute("aria-pressed", button.dataset.answer === state.answer);
	}
	membersOnly.checked = state.is_members_only;
	showsText.checked = state.shows_text;
	showDevices(state.devices, setup.max_errors);
});
