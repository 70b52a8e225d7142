/** What is notified on this page: by the browser itself where it can, else by a stand-in. */

import { isPossible, permission, subscribe } from "/web_push/web_push.js";
import { StandInWorker } from "./stand-in.js";

const patience = 5000; // milliseconds, for what a browser may never answer
const appServer = "/web_push";
const remembered = "notifications-work"; // in the session's storage, once something was pushed

/** Why there are none, in words. */
const obstacles = {
	insecure: "browsers have push notifications only on pages that come by https, or from this very machine",
	"no worker": "this browser has no service workers here (private windows may have none)",
	"no push": "this browser has no Push API",
	"not asked": "you have not been asked yet",
	denied: "this browser has been told not to, see its settings for this page",
};

/** What is against notifications in this browser, as far as it says so: one of the obstacles, or null. */
function obstacle() {
	if (!isSecureContext) return "insecure";
	if (!("serviceWorker" in navigator)) return "no worker";
	if (!isPossible()) return "no push";
	return { default: "not asked", denied: "denied", granted: null }[permission()];
}

function within(milliseconds, promise) {
	const late = new Promise((_, reject) => {
		setTimeout(() => reject(new Error("no answer")), milliseconds);
	});
	return Promise.race([promise, late]);
}

/** The service worker of somebody: each has their own, and so a subscription of their own. */
function workerOf({ username }) {
	return `/${username}/worker.js`;
}

/** The browser's notifications of somebody. */
class BrowserWorker {
	constructor(person) {
		this.url = new URL(workerOf(person), location.href);
	}

	async notifications() {
		const registration = await navigator.serviceWorker.getRegistration(this.url);
		return registration?.getNotifications() ?? [];
	}
}

export class Notifications {
	/** `onClick`: called with the name of the user whose notification was clicked. */
	constructor(setup, onClick) {
		this.setup = setup;
		this.onClick = onClick;
		this.people = setup.people;
		/** Whether the browser itself shows them. */
		this.isReal = false;
		/** What is to be said of that. */
		this.text = "";
		/** What can be done about it: the text of a button, or "". */
		this.remedy = "";
		if (navigator.serviceWorker) {
			navigator.serviceWorker.addEventListener("message", ({ data, source }) => {
				const person = this.people.find((one) => new URL(source.scriptURL).pathname === workerOf(one));
				if (data?.webPush === "open" && person) onClick(person.username);
			});
		}
	}

	/** Finds out how it is, without asking anybody for anything. */
	async examine() {
		const against = obstacle();
		if (against) this.#cannot(obstacles[against], against === "not asked" ? "Show them" : "");
		else await this.#try();
	}

	/** After a click: asks the user if need be, and tries it. */
	async ask() {
		if (obstacle() === "not asked") await Notification.requestPermission();
		await this.examine();
	}

	#cannot(why, remedy) {
		this.isReal = false;
		this.text = `not shown: ${why}. What it would show appears in place of a closed tab.`;
		this.remedy = remedy;
	}

	/** Subscribes for everybody, and has something pushed to the first, unless that was done before on this page. */
	async #try() {
		let subscribed;
		try {
			subscribed = await within(patience, Promise.all(this.people.map((person) =>
				subscribe({ appServer, worker: workerOf(person), page: location.pathname }))));
		} catch (error) {
			return this.#cannot(`this browser gets no subscription from its push service (${error.message})`, "Try again");
		}
		const service = await this.#pushService();
		const problem = sessionStorage.getItem(remembered) ? null : await this.#tryPush(subscribed[0]);
		if (problem) return this.#cannot(`Prosody cannot reach this browser’s push service, ${service} (${problem})`, "Try again");
		sessionStorage.setItem(remembered, "yes");
		this.isReal = true;
		this.text = `shown, by way of ${service}.`;
		this.remedy = "";
		return undefined;
	}

	/** Has something pushed. Gives what went wrong, if something did. */
	async #tryPush(subscribed) {
		const response = await fetch(`${this.setup.feed}/try-push`, { method: "POST", body: JSON.stringify(subscribed) });
		const { problem } = await response.json();
		return problem;
	}

	async #registration(person) {
		return navigator.serviceWorker.getRegistration(new URL(workerOf(person), location.href));
	}

	async #pushService() {
		const registration = await this.#registration(this.people[0]);
		const subscription = await registration.pushManager.getSubscription();
		return new URL(subscription.endpoint).host;
	}

	/** The service worker of somebody: the browser's, or one that stands in for it. */
	workerFor(person) {
		if (this.isReal) return new BrowserWorker(person);
		person.standIn ??= StandInWorker.load(workerOf(person), () => this.onClick(person.username));
		return person.standIn;
	}

	/** The settings of somebody's Converse. */
	settingsFor(person) {
		return {
			web_push_app_server: appServer,
			web_push_worker: workerOf(person),
			web_push_page: location.pathname,
			stand_in: this.isReal ? undefined : person.stand_in,
		};
	}

	/** Leaves nothing behind in this browser. */
	async end() {
		for (const person of this.people) {
			const registration = isSecureContext && navigator.serviceWorker && await this.#registration(person);
			if (!registration) continue;
			for (const notification of await registration.getNotifications()) notification.close();
			await registration.unregister();
		}
	}
}
