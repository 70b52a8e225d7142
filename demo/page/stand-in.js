/**
 * Stands in for a browser with push notifications, where this one has none: the subscription is the demo's, and the service worker
 * is run by the page. All else is as it is.
 */

/** In Converse's frame: what the plugin asks of a browser. `subscription`: as PushSubscription.toJSON() gives it. */
export function standInForPush(subscription) {
	const manager = {
		getSubscription: async () => null,
		subscribe: async () => ({ toJSON: () => subscription }),
	};
	const registration = { pushManager: manager, getNotifications: async () => [] };
	const container = Object.assign(new EventTarget(), {
		register: async () => registration,
		getRegistration: async () => registration,
	});
	Object.defineProperty(navigator, "serviceWorker", { value: container, configurable: true });
	globalThis.PushManager ??= class {};
	globalThis.Notification = { permission: "granted", requestPermission: async () => "granted" };
}

/** A notification that nobody but the page shows. */
class ShownNotification {
	constructor(worker, title, { body, tag, data }) {
		Object.assign(this, { worker, title, body, tag, data });
	}

	close() {
		this.worker.shown = this.worker.shown.filter((notification) => notification !== this);
	}
}

/** The service worker's file, run by this page. */
export class StandInWorker {
	/** `onOpen`: called when it wants to open a page. */
	static async load(url, onOpen) {
		const worker = new StandInWorker(onOpen);
		const code = await (await fetch(url)).text();
		new Function("self", "location", "registration", "clients", code)(
			worker, new URL(url, location.href), worker.registration, worker.clients,
		);
		return worker;
	}

	constructor(onOpen) {
		this.handlers = {};
		this.shown = [];
		this.registration = {
			showNotification: async (title, options) => {
				const others = this.shown.filter(({ tag }) => !tag || tag !== options.tag);
				this.shown = [...others, new ShownNotification(this, title, options)];
			},
		};
		this.clients = { matchAll: async () => [], openWindow: async () => onOpen() };
	}

	addEventListener(name, handler) {
		this.handlers[name] = handler;
	}

	async #dispatch(name, event) {
		let done;
		this.handlers[name]({ ...event, waitUntil: (promise) => { done = promise; } });
		await done;
	}

	push(value) {
		return this.#dispatch("push", { data: { json: () => value } });
	}

	click(notification) {
		return this.#dispatch("notificationclick", { notification });
	}

	async notifications() {
		return this.shown;
	}
}
