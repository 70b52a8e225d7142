/** The demo's page: two users, and their app server's view. */

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

for (const person of setup.people) {
	new User(document.getElementById(person.username), person, setup, (at) => sentAt.push(at));
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
